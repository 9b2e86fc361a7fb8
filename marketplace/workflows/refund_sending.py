"""Refunds that go back through their provider: claimed, asked about, sent.

A provider is asked first whether it has the refund by our key, also where nothing was sent as far
as we know: a worker may have died between the call and the writing of what it answered. Silence
never means no. No transaction is open while anybody is called.
"""

import logging
from collections.abc import Mapping

from psycopg.errors import CheckViolation

from marketplace.integrations.payments import (
    Provider,
    Refund,
    RefundRequest,
    Silent,
    Status,
    key_of,
)
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import jobs, refunds

#: Refunds that a run claims; the next minute takes more.
MOST = 100
#: What is kept of a provider's words.
LONGEST = 400
log = logging.getLogger("marketplace.payments")


def claim(db: Database) -> int:
    """Claim what is due, and enqueue a job for each; return how many. For the worker."""
    with db.working() as conn:
        claimed = refunds.claim(conn, most=MOST)
        if claimed:
            waiting = [({"refund_id": refund_id}, 0) for refund_id in claimed]
            jobs.enqueue_many(conn, "send_refund", queue="payments", jobs=waiting)
    return len(claimed)


def send(db: Database, providers: Mapping[str, Provider], refund_id: int) -> str | None:
    """Send a refund, or ask what became of it; its state then, None where nothing is to be done.
    For the worker; it does no harm twice.
    """
    with db.working() as conn:
        row = refunds.to_send(conn, refund_id)
    if row is None:
        return None
    provider = providers.get(row["method"])
    if provider is None:
        log.error("no such provider is set up", extra={"job": f"send_refund {refund_id}"})
        return None
    try:
        told = _told(provider, row)
    except Silent as error:
        return _silent(db, row, error)
    if told.state == row["state"]:
        return told.state
    try:
        with db.working() as conn:
            return _note(conn, refund_id, told)
    except CheckViolation:  # it has ended meanwhile: by a callback, or by an admin
        extra = {"job": f"send_refund {refund_id}", "error": f"{told.state} came too late"}
        log.error("a refund has ended before its provider said so", extra=extra)
        return None


def _told(provider: Provider, row: Row) -> Refund:
    """Return what became of a refund, which is sent where the provider does not know it."""
    key, status = key_of(row["id"]), provider.status(row["our_reference"])
    there = None if status is None else status.refunds.get(key)
    if there is not None:
        if there != row["amount"]:  # for a person: what was sent is another amount
            extra = {"job": f"send_refund {row['id']}", "error": f"{there} was sent"}
            log.error("a refund differs", extra=extra)
            return Refund("sent", _reference(row, status))
        return Refund("done", _reference(row, status))
    if row["state"] == "sent":
        return Refund("sent")  # they have it, and have not done it yet
    request = RefundRequest(
        key=key,
        our_reference=row["our_reference"],
        reference=_reference(row, status),
        amount=row["amount"],
        reason=row["reason"],
        channel=row["channel"],
    )
    return provider.refund(request)


def _note(conn: Conn, refund_id: int, told: Refund) -> str | None:
    if told.state == "refused":
        reason = (told.reason or "refused")[:LONGEST]
        return refunds.step(conn, refund_id, "needs_bank", reason=reason)
    reference = None if told.reference is None else told.reference[:200]
    return refunds.step(conn, refund_id, told.state, reference=reference)


def _reference(row: Row, status: Status | None) -> str:
    """Return what the provider calls the payment."""
    return row["reference"] or ("" if status is None else status.reference)


def _silent(db: Database, row: Row, error: Silent) -> str | None:
    """Note that nobody knows; what was not confirmed as sent is due again, a little later."""
    log.warning(
        "a provider is silent about a refund",
        extra={"job": f"send_refund {row['id']}", "error": str(error)[:200]},
    )
    if row["state"] != "sending":
        return None
    with db.working() as conn:
        return refunds.step(conn, row["id"], "due", reason="silent")
