"""Sessions at payment providers: opened, asked about, applied and closed, by jobs.

No transaction is open while a provider is called. Silent means "ask later", never "no": what was
claimed is asked again in two minutes, and a callback's job is tried again. Jobs about one payment
run one after the other, under its reference (`lock_of`), and do no harm when they run twice.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from marketplace.integrations.payments import (
    Callback,
    Line,
    PaymentRequest,
    Provider,
    Refused,
    Silent,
    Status,
    key_of,
    refund_of,
)
from marketplace.integrations.payments.providers import Providers
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import checkouts, jobs, payment_sessions, refunds
from marketplace.workflows import events

QUEUE = "payments"
#: Sessions that are asked about in a minute.
MOST = 100
#: Numbers that a checkout may use up for sessions whose opening nobody saw.
NUMBERS = 20
#: Outcomes of a payment that nobody has to be told of.
QUIET = ("waiting", "repeated")
log = logging.getLogger("marketplace.payments")


def lock_of(our_reference: str) -> str:
    """Return the lock of the jobs about a payment."""
    return f"payment {our_reference}"


def enqueue(conn: Conn, task: str, payment: Row) -> None:
    """Enqueue a job about a payment (id, our_reference), unless the same waits already."""
    jobs.enqueue_unless_waiting(
        conn, task, queue=QUEUE, lock=lock_of(payment["our_reference"]), payment_id=payment["id"]
    )


def open_there(conn: Conn, checkout_id: int) -> None:
    """Let jobs open what a checkout has just begun to pay, in the caller's transaction."""
    for payment in payment_sessions.waiting(conn, checkout_id):
        enqueue(conn, "open_payment", payment)


def close_there(conn: Conn, checkout_id: int, besides: int | None = None) -> None:
    """Let jobs close at their providers what this transaction has closed here."""
    for payment in payment_sessions.closed_now(conn, checkout_id):
        if payment["id"] != besides:
            enqueue(conn, "cancel_session", payment)


def expire_later(conn: Conn, checkout_id: int) -> None:
    """Let a job ask the provider of a checkout that is past its time, and cancel it then."""
    jobs.enqueue_unless_waiting(
        conn,
        "expire_checkout",
        queue=QUEUE,
        lock=f"checkout {checkout_id}",
        checkout_id=checkout_id,
    )


def take_callback(conn: Conn, provider: str, callback: Callback, body: bytes) -> None:
    """Keep a callback that was found true, and let a job ask about its payment. For the API."""
    about = callback.our_reference
    callback_id = payment_sessions.take_callback(
        conn, provider, key=callback.key, subject=about, body=body
    )
    if callback_id is not None:
        _apply_later(conn, callback_id, about)


def _apply_later(conn: Conn, callback_id: int, about: str) -> None:
    jobs.enqueue_unless_waiting(
        conn, "apply_callback", queue=QUEUE, lock=lock_of(about), callback_id=callback_id
    )


def open_payment(db: Database, providers: Providers, payment_id: int) -> None:
    """Open a session that was placed. One that was tried before is asked about first."""
    _attempt(db, providers, payment_id, _open, of=("opening",))


def poll_payment(db: Database, providers: Providers, payment_id: int) -> None:
    """Ask about a session that waits, and apply what is said."""
    _attempt(db, providers, payment_id, _ask, of=("opening", "open"))


def settle_payment(db: Database, providers: Providers, payment_id: int) -> None:
    """Ask about a payment, whatever its state, and apply what is said. Raises Silent."""
    row = _found(db, payment_id)
    if row is not None and row["method"] in providers:
        _ask(db, providers[row["method"]], row)


def poll_due(db: Database) -> int:
    """Enqueue a job for each session that is to be asked about, and for callbacks that were left
    lying; return how many sessions.
    """
    with db.working() as conn:
        due = payment_sessions.claim(conn, MOST)
        for payment in due:
            enqueue(conn, "poll_payment", payment)
        for callback in payment_sessions.callbacks_left(conn, MOST):
            _apply_later(conn, callback["id"], callback["subject"])
    return len(due)


def apply_callback(db: Database, providers: Providers, callback_id: int) -> None:
    """Ask about the payment of a callback; what is said is applied, once for all that wait.

    One that is applied may have others behind it: they saw this job waiting. Raises Silent.
    """
    with db.working() as conn:
        callback = payment_sessions.callback(conn, callback_id)
        if callback is None:
            return
        provider, subject = callback["provider"], callback["subject"]
        about = payment_sessions.callbacks_about(conn, provider, subject)
        payment_id = payment_sessions.named(conn, provider, subject)
    if not about:
        return
    outcome = "unknown"
    row = _found(db, payment_id) if payment_id is not None else None
    if row is not None and provider in providers:
        outcome = _ask(db, providers[provider], row)
    with db.working() as conn:
        for each in about:
            payment_sessions.callback_applied(conn, each, outcome)
        for each in payment_sessions.callbacks_about(conn, provider, subject):
            _apply_later(conn, each, subject)  # they came meanwhile, and saw this job waiting too
    log.info("callback applied", extra={"outcome": outcome, "provider": provider})


def cancel_session(db: Database, providers: Providers, payment_id: int) -> None:
    """Close a session at its provider; money that came before is applied. Raises Silent."""
    row = _found(db, payment_id)
    if row is None or row["state"] in ("opening", "open", "checking"):
        return
    provider = providers.get(row["method"])
    if provider is not None:
        provider.cancel(row["our_reference"])
        status = provider.status(row["our_reference"])
        if status is not None and status.state == "paid":
            _apply(db, row, status)


def expire_checkout(db: Database, providers: Providers, checkout_id: int) -> None:
    """Cancel what is unpaid and past its time, when its provider has said that no money came.

    A silent one gets ten minutes more, for a day.
    """
    with db.working() as conn:
        waiting = payment_sessions.waiting(conn, checkout_id)
    try:
        for each in waiting:
            row = _found(db, each["id"])
            if row is not None and row["method"] in providers:
                provider = providers[row["method"]]
                status = provider.status(row["our_reference"])
                if status is not None:
                    _apply(db, row, status)
    except Silent:
        with db.working() as conn:
            if payment_sessions.put_off(conn, checkout_id) is not None:
                return
    with db.working() as conn:
        checkouts.cancel(conn, checkout_id, "unpaid")
        close_there(conn, checkout_id)


def tell_silent(db: Database, provider: str, seconds: float) -> None:
    """Say for how long a provider is not asked: quotes offer it no more meanwhile."""
    with db.working() as conn:
        payment_sessions.say_silent(conn, provider, seconds)


def _found(db: Database, payment_id: int) -> Row | None:
    with db.working() as conn:
        return payment_sessions.find(conn, payment_id)


def _attempt(
    db: Database,
    providers: Providers,
    payment_id: int,
    step: Callable[[Database, Provider, Row], str],
    *,
    of: Sequence[str],
) -> None:
    """Make a step of a session in one of these states; a silent provider is met again. One that is
    not here any more fails what was not opened.
    """
    row = _found(db, payment_id)
    if row is None or row["state"] not in of:
        return
    provider = providers.get(row["method"])
    if provider is not None:
        try:
            step(db, provider, row)
        except Silent:
            _wait_or_fail(db, row)
    elif row["state"] == "opening":
        _refuse(db, row, "not_configured")


def _ask(db: Database, provider: Provider, row: Row) -> str:
    """Ask about a payment and apply what is said; what became of it. Raises Silent."""
    status = provider.status(row["our_reference"])
    if row["state"] == "opening" and (status is None or status.state == "open"):
        return _adopt(db, provider, row, status)
    if status is not None:
        return _apply(db, row, status)
    # Nothing was chosen on the page, or nobody knows of it: it waits until its time is over.
    told = "expired" if row["has_expired"] else "open"
    return _tell(db, row, told, Decimal(0), row["currency"], None)


def _open(db: Database, provider: Provider, row: Row) -> str:
    """Open a session; the state. Raises Silent."""
    with db.working() as conn:
        lines = payment_sessions.lines(conn, row["checkout_id"])
    request = PaymentRequest(
        our_reference=row["our_reference"],
        amount=row["amount"],
        currency=row["currency"],
        channel=row["channel"],
        expires_at=row["expires_at"],
        now=datetime.now(timezone.utc),
        lines=tuple(Line(each["name"], each["quantity"], each["amount"]) for each in lines),
        return_url=row["return_url"],
    )
    try:
        opened = provider.open(request)
    except Refused as refused:
        if refused.reason != "used":
            return _refuse(db, row, refused.reason)
        status = provider.status(row["our_reference"])  # an opening of ours that nobody saw
        return _begin_anew(db, row) if status is None else _adopt(db, provider, row, status)
    return _opened(db, row, opened.reference, opened.instructions, opened.expires_at)


def _adopt(db: Database, provider: Provider, row: Row, status: Status | None) -> str:
    """Take over a session whose opening nobody saw, or open one. Raises Silent."""
    if status is None:
        return _open(db, provider, row)
    if status.state != "open":
        return _apply(db, row, status)
    if status.instructions is not None:
        until = status.expires_at or row["expires_at"]
        return _opened(db, row, status.reference, status.instructions, until)
    return _begin_anew(db, row)  # it cannot be shown: closed there, and another one opened


def _opened(
    db: Database,
    row: Row,
    reference: str | None,
    instructions: dict[str, Any],
    until: datetime,
) -> str:
    with db.working() as conn:
        state = payment_sessions.opened(
            conn, row["id"], reference=reference, instructions=instructions, until=until
        )
        if state not in ("open", "paid"):  # given up meanwhile
            enqueue(conn, "cancel_session", row)
    return state or "unknown"


def _refuse(db: Database, row: Row, reason: str) -> str:
    log.warning(
        "a session was not opened", extra={"provider": row["method"], "reason": reason[:200]}
    )
    with db.working() as conn:
        state = payment_sessions.opened(conn, row["id"], refused=reason[:200])
        events.wake(conn)
    return state or "unknown"


def _begin_anew(db: Database, row: Row) -> str:
    """Leave a number to the session that cannot be shown, and open one under the next."""
    number = row["our_reference"].rpartition(".")[2]
    if not number.isdigit() or int(number) >= NUMBERS:
        return _refuse(db, row, "used")
    with db.working() as conn:
        if payment_sessions.reopen(conn, row["id"]) is None:
            return "unknown"
        close_there(conn, row["checkout_id"])
        open_there(conn, row["checkout_id"])
    return "cancelled"


def _wait_or_fail(db: Database, row: Row) -> None:
    """Leave a silent provider to the next time; an opening fails after a quarter of an hour."""
    if row["state"] == "opening" and row["is_old"]:
        _refuse(db, row, "silent")
        with db.working() as conn:
            enqueue(conn, "cancel_session", row)


def _apply(db: Database, row: Row, status: Status) -> str:
    outcome = _tell(db, row, status.state, status.amount, status.currency, status.fee)
    if status.refunds:
        _end_refunds(db, row, status)
    return outcome


def _tell(
    db: Database, row: Row, told: str, amount: Decimal, currency: str, fee: Decimal | None
) -> str:
    with db.working() as conn:
        outcome = payment_sessions.apply(conn, row["id"], told, amount, currency, fee)
        close_there(conn, row["checkout_id"], besides=row["id"])
        if outcome not in QUIET:
            events.wake(conn)
    return outcome


def _end_refunds(db: Database, row: Row, status: Status) -> None:
    """End refunds of ours that the provider names, each in a transaction of its own."""
    named = {
        refund_id: amount
        for key, amount in status.refunds.items()
        if (refund_id := refund_of(key)) is not None
    }
    with db.working() as conn:
        found = payment_sessions.returned(conn, row["id"], list(named))
    for refund in found:
        if refund["amount"] == named[refund["id"]]:
            with db.working() as conn:
                refunds.finish(conn, refund["id"], key_of(refund["id"]))
                events.wake(conn)
