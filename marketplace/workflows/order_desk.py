"""The order desk: verbs of orders, and why one is refused: by the stage, with what would go."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg

from marketplace.contract.errors import CONSTRAINTS, FieldError, Problem
from marketplace.postgres.callers import Caller
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import order_desk, orders
from marketplace.queries.order_desk import PARCEL
from marketplace.workflows import batches, order_rules
from marketplace.workflows.orders import missing

_BLANKS = re.compile(r"\s+")
#: What was sent already, where all of an order is to be sent.
SENT = ("shipping", "delivered", "completed")


def perform(conn: Conn, caller: Caller, order_id: int, verb: Callable[[], Any]) -> Any:
    """Return what a verb says. Raises 404 if the order is not the caller's to move, and what the
    verb refuses by name with the stage of the order and what would be possible.
    """
    try:
        with conn.transaction():
            told = verb()
    except psycopg.errors.CheckViolation as error:
        raise _refusal(conn, caller, order_id, error) from None
    if told is None:
        raise missing()
    return told


def accept(conn: Conn, caller: Caller, order_id: int) -> None:
    """Accept one order; one that is accepted already stays so."""
    (row,) = order_desk.accept(conn, [order_id])
    if row["outcome"] == "not_found":
        raise missing()
    if row["outcome"] == "order_state":
        raise _problem(conn, caller, order_id, "orders_transition")


def accept_many(conn: Conn, order_ids: Sequence[int]) -> dict[str, Any]:
    """Accept orders; return what became of each, in their order."""
    outcomes = {row["id"]: row["outcome"] for row in order_desk.accept(conn, order_ids)}
    return summed([{"id": each, "outcome": outcomes[each]} for each in dict.fromkeys(order_ids)])


def ship_many(db: Database, caller: Caller, parcels: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Send all that is left of each order, each in a transaction of its own; return what became of
    each, in their order.
    """
    rows = []
    for parcel in parcels:
        with db.transaction(caller) as conn:
            rows.append({"id": parcel["id"], "outcome": _ship_whole(conn, caller, parcel)})
    return summed(rows)


def summed(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return rows of a batch with their numbers."""
    return {**batches.counted(rows), "rows": list(rows)}


def tidy_parcel(sent: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return what is said of a parcel: its number in capitals, without blanks; an empty one is
    none.
    """
    said = {name: sent.get(name) or None for name in PARCEL}
    said["tracking_number"] = _BLANKS.sub("", said["tracking_number"] or "").upper() or None
    return said


def find_parcel(conn: Conn, caller: Caller, order_id: int, shipment_id: int) -> Row:
    """Return a parcel that is on its way. Raises 404 for another one."""
    for parcel in orders.parcels(conn, caller, order_id):
        if parcel["id"] == shipment_id and parcel["state"] == "shipped":
            return parcel
    raise Problem("not_found", "There is no such parcel on its way.")


def _ship_whole(conn: Conn, caller: Caller, parcel: Mapping[str, Any]) -> str:
    before = orders.cards(conn, caller, [parcel["id"]])
    try:
        with conn.transaction():
            told = order_desk.ship(conn, parcel["id"], None, tidy_parcel(parcel))
    except psycopg.errors.CheckViolation as error:
        name = error.diag.constraint_name or ""
        if name not in CONSTRAINTS:
            raise
        return "unchanged" if before[0]["stage"] in SENT else CONSTRAINTS[name][0]
    if told is None:
        return "not_found"
    after = orders.cards(conn, caller, [parcel["id"]])
    return "unchanged" if after[0]["version"] == before[0]["version"] else "done"


def _refusal(
    conn: Conn, caller: Caller, order_id: int, error: psycopg.errors.CheckViolation
) -> Exception:
    name = error.diag.constraint_name or ""
    return _problem(conn, caller, order_id, name) if name in CONSTRAINTS else error


def _problem(conn: Conn, caller: Caller, order_id: int, constraint: str) -> Problem:
    """Return a refusal with the stage of the order, what the caller can do with it, and where the
    checkout is meant, that.
    """
    code, pointer, words = CONSTRAINTS[constraint]
    rows = orders.cards(conn, caller, [order_id])
    if not rows:
        return missing()
    order = rows[0]
    about: dict[str, Any] = {"stage": order["stage"]}
    if constraint == "orders_unpaid_checkout":
        about["checkout_id"] = order["checkout_id"]
    can = order_rules.possible(order, order_rules.party(order, caller))
    errors = [FieldError(pointer, code, words, about)]
    return Problem(code, errors=errors, more={**about, "can": can})
