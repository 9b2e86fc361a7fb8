"""Refunds as people read them, and the steps they make by hand."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from marketplace.contract.errors import FieldError, Problem
from marketplace.contract.pages import Part
from marketplace.postgres.callers import Caller
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import refunds
from marketplace.workflows import verbs

#: Within how many days it arrives, by who sends it.
ARRIVES = {"provider": 3, "bank": 7, "store": 7}
ON_ITS_WAY = ("due", "sending", "sent")
#: Refunds that an order's page shows, newest first.
SHOWN = 20


def shown(row: Row, caller: Caller) -> dict[str, Any]:
    """Return a refund as its reader may know it."""
    buyer, moving = row["buyer_id"] == caller.user_id, row["state"] in ON_ITS_WAY
    arrives = row["created_at"] + timedelta(days=ARRIVES[row["way"]]) if moving else None
    names = ("id", "order_id", "amount", "currency", "reason", "bearer", "way", "reference")
    told = row["state"] == "needs_bank" if buyer else caller.role == "admin"
    return {
        **{name: row[name] for name in names},
        "lines": row["lines"],
        "problem": row["error"] if told else None,
        "state": "on_its_way" if buyer and moving else row["state"],
        "by": arrives,
        "bank": None if row["bank"] is None else _account(row["bank"]),
        "version": row["version"],
        "created_at": row["created_at"],
    }


def find(conn: Conn, caller: Caller, refund_id: int) -> dict[str, Any]:
    """Return one refund. Raises 404 if it is not the caller's."""
    row = refunds.find(conn, caller, refund_id)
    if row is None:
        raise _missing()
    return shown(row, caller)


def of_order(conn: Conn, caller: Caller, order_id: int) -> list[dict[str, Any]]:
    """Return the newest refunds of an order."""
    return [shown(row, caller) for row in refunds.of_order(conn, caller, order_id, Part(SHOWN))]


def promise(conn: Conn, caller: Caller, order_id: int, body: Mapping[str, Any]) -> dict[str, Any]:
    """Promise money of an order back; the refund. Raises 404 if the order is not the caller's to
    give money of, 422 unless the document has either lines or an amount, and what the verb refuses.
    """
    lines, amount = body.get("lines"), body.get("amount")
    if (lines is None) == (amount is None):
        raise Problem(
            "amount_required",
            errors=[FieldError("/amount", "amount_required", "send lines, or an amount")],
        )
    told = refunds.promise(
        conn,
        order_id,
        amount=amount,
        lines=lines,
        reason=body.get("reason"),
        bearer=body["bearer"],
    )
    if told is None:
        raise Problem("not_found", "There is no such order.")
    return find(conn, caller, told)


def step(conn: Conn, caller: Caller, refund_id: int, verb: Callable[[], str | None]) -> None:
    """Move a refund. Raises 404 if it is not the caller's, and 409 with its state if it cannot go
    there.
    """
    verbs.perform(
        conn, verb, refusal=lambda name: _refusal(conn, caller, refund_id, name), missing=_missing
    )


def lock(conn: Conn, refund_id: int) -> int:
    """Return the version of a refund, which nobody else changes until this transaction ends.
    Raises 404 if it is not the caller's.
    """
    version = refunds.lock(conn, refund_id)
    if version is None:
        raise _missing()
    return version


def _refusal(conn: Conn, caller: Caller, refund_id: int, constraint: str) -> Problem | None:
    """Return a refusal with the state of the refund."""
    row = refunds.find(conn, caller, refund_id)
    if row is None:
        return None
    return verbs.refused(constraint, {"state": shown(row, caller)["state"]})


def _account(bank: dict[str, Any]) -> dict[str, Any]:
    return {name: bank.get(name) for name in ("bank", "number", "holder")}


def _missing() -> Problem:
    return Problem("not_found", "There is no such refund.")
