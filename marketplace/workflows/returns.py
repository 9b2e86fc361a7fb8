"""Returns and disputes: what the two sides and an admin can do with one, and how it is shown."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import psycopg

from marketplace.contract.errors import Problem, invalid
from marketplace.postgres.callers import Caller
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import order_desk, returns
from marketplace.workflows import verbs
from marketplace.workflows.order_rules import ADMIN, BUYER, SELLER, party

OPEN = ("open", "approved", "sent_back")
#: A no can be disputed for so long.
DISPUTABLE = timedelta(days=7)
#: Returns that an order's page shows, newest first.
SHOWN = 20
_FIELDS = (
    *("id", "order_id", "order_number", "state", "disputed", "reason", "message", "reply"),
    *("lines", "amount", "currency", "keep_goods", "tracking_number", "bearer", "refund"),
    "deadline_at",
)
_STAMPS = ("version", "created_at", "updated_at")


def shown(row: Row, caller: Caller) -> dict[str, Any]:
    """Return a return as its reader meets it."""
    return {
        **{name: row[name] for name in _FIELDS},
        "can": possible(row, party(row, caller), datetime.now(timezone.utc)),
        **{name: row[name] for name in _STAMPS},
    }


def possible(row: Mapping[str, Any], acts: str, now: datetime) -> list[str]:
    """Return what this party can do with a return now."""
    state, decided = row["state"], row["decided_by"] is not None
    free = not row["disputed"]
    # one at a time: a no is not disputed while another return of the order is open
    refused = state == "rejected" and row["open_request"] is None
    disputable = row["order_state"] != "cancelled" and (
        state in OPEN or (refused and row["updated_at"] > now - DISPUTABLE)
    )
    approved = state == "approved"
    able = {
        "approve": acts == SELLER and free and state == "open",
        "reject": acts == SELLER and free and state in ("open", "sent_back"),
        "receive": acts == SELLER
        and free
        and (state == "sent_back" or (approved and row["keep_goods"])),
        "send_back": acts == BUYER and free and approved and not row["keep_goods"],
        "withdraw": acts == BUYER and free and (state == "open" or approved),
        "dispute": acts in (BUYER, SELLER) and free and disputable,
        "decide": acts == ADMIN and row["disputed"] and not decided,
    }
    return [action for action, is_able in able.items() if is_able]


def find(conn: Conn, caller: Caller, order_id: int, return_id: int) -> dict[str, Any]:
    """Return one return. Raises 404 if it is not the caller's."""
    row = returns.find(conn, caller, order_id, return_id)
    if row is None:
        raise _missing()
    return shown(row, caller)


def lock(conn: Conn, caller: Caller, order_id: int, return_id: int) -> int:
    """Return the version of a return, which nobody else changes until this transaction ends: its
    order is locked. Raises 404 if it is not the caller's.
    """
    order_desk.lock(conn, order_id)
    version: int = find(conn, caller, order_id, return_id)["version"]
    return version


def of_order(conn: Conn, caller: Caller, order_id: int) -> list[dict[str, Any]]:
    """Return the returns of an order, newest first."""
    return [shown(row, caller) for row in returns.of_order(conn, caller, order_id)[:SHOWN]]


def open(
    conn: Conn, caller: Caller, order_id: int, asked: Mapping[str, Any]
) -> tuple[dict[str, Any], bool]:
    """Ask to give pieces of an order back; the return, and whether it is a new one: what is open
    already and asks for the same is the answer.

    Raises 404 if it is not the caller's order, and what the verb refuses by name.
    """
    try:
        with conn.transaction():
            told = returns.open(conn, order_id, asked)
    except psycopg.errors.UniqueViolation:
        same = _same(returns.of_order(conn, caller, order_id), asked)
        if same is None:
            raise
        return shown(same, caller), False
    if told is None:
        raise Problem("not_found", "There is no such order.")
    return find(conn, caller, order_id, told), True


def move(
    conn: Conn, caller: Caller, order_id: int, return_id: int, body: Mapping[str, Any]
) -> dict[str, Any]:
    """Make the one step that a document names; the return as it is then.

    Raises 404, 422 for a document that names none or several, and 409 with its state for a step
    that it cannot make.
    """
    row = returns.find(conn, caller, order_id, return_id)
    if row is None:
        raise _missing()
    step, values = _step(row, body)
    verbs.perform(
        conn,
        lambda: returns.move(conn, order_id, return_id, step, **values),
        refusal=lambda name: _refusal(conn, caller, row, name),
        missing=_missing,
    )
    return find(conn, caller, order_id, return_id)


def _step(row: Row, body: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    named = [name for name in ("state", "disputed", "decision") if body.get(name) is not None]
    if len(named) != 1:
        raise invalid("/state", "required", "must name one of state, disputed and decision")
    values: dict[str, Any] = {
        "message": body.get("message"),
        "tracking_number": body.get("tracking_number"),
    }
    if named == ["decision"]:
        decided = body["decision"]
        for name in ("amount", "bearer"):  # a PATCH requires no field
            if decided.get(name) is None:
                raise invalid(f"/decision/{name}", "required", "is required")
        return "decided", {
            **values,
            "amount": decided["amount"],
            "bearer": decided["bearer"],
            "sellable": body.get("sellable", False),
        }
    if named == ["disputed"]:
        return "disputed", values
    step: str = body["state"]
    comes_back = step == "done" and row["state"] == "sent_back" and not row["disputed"]
    if comes_back and body.get("sellable") is None:
        raise invalid("/sellable", "required", "must say whether the pieces are stock again")
    return step, {**values, "sellable": bool(body.get("sellable"))}


def _refusal(conn: Conn, caller: Caller, row: Row, constraint: str) -> Problem | None:
    """Return a refusal with the state of the return, and what would go."""
    now = returns.find(conn, caller, row["order_id"], row["id"])
    if now is None:
        return None
    can = shown(now, caller)["can"]
    return verbs.refused(constraint, {"state": now["state"]}, can=can)


def _same(rows: list[Row], asked: Mapping[str, Any]) -> Row | None:
    """Return the open return that asks for just this."""
    wanted: dict[int, int] = {}
    for line in asked["lines"]:
        wanted[line["line_id"]] = wanted.get(line["line_id"], 0) + line["quantity"]
    for row in rows:
        lines = {line["line_id"]: line["quantity"] for line in row["lines"]}
        if row["state"] in OPEN and lines == wanted and row["reason"] == asked["reason"]:
            return row if row["message"] == asked.get("message") else None
    return None


def _missing() -> Problem:
    return Problem("not_found", "There is no such return.")
