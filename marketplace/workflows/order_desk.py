"""The order desk: verbs of orders, and why one is refused: by the stage, with what would go."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from marketplace.contract.errors import Problem
from marketplace.postgres.callers import Caller
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import order_desk, orders
from marketplace.queries.order_desk import PARCEL
from marketplace.workflows import batches, order_rules, verbs
from marketplace.workflows.orders import missing

_BLANKS = re.compile(r"\s+")
#: What was sent already, where all of an order is to be sent.
SENT = ("shipping", "delivered", "completed")


def perform(conn: Conn, caller: Caller, order_id: int, verb: Callable[[], Any]) -> Any:
    """Return what a verb says. Raises 404 if the order is not the caller's to move, and what the
    verb refuses by name with the stage of the order and what would be possible.
    """
    return verbs.perform(
        conn, verb, refusal=lambda name: _problem(conn, caller, order_id, name), missing=missing
    )


def lock(conn: Conn, order_id: int) -> int:
    """Return the version of an order, which nobody else changes until this transaction ends.
    Raises 404 if it is not the caller's.
    """
    version = order_desk.lock(conn, order_id)
    if version is None:
        raise missing()
    return version


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
    order_id = parcel["id"]
    before = order_desk.lock(conn, order_id)
    if before is None:
        return "not_found"
    try:
        perform(
            conn,
            caller,
            order_id,
            lambda: order_desk.ship(conn, order_id, None, tidy_parcel(parcel)),
        )
    except Problem as problem:
        sent = problem.more.get("stage") in SENT and problem.code == "order_state"
        return "unchanged" if sent else problem.code
    return "unchanged" if order_desk.lock(conn, order_id) == before else "done"


def _problem(conn: Conn, caller: Caller, order_id: int, constraint: str) -> Problem:
    """Return a refusal with the stage of the order, what the caller can do with it, and where the
    checkout is meant, that.
    """
    rows = orders.cards(conn, caller, [order_id])
    if not rows:
        return missing()
    order = rows[0]
    about: dict[str, Any] = {"stage": order["stage"]}
    if constraint == "orders_unpaid_checkout":
        about["checkout_id"] = order["checkout_id"]
    can = order_rules.possible(order, order_rules.party(order, caller))
    return verbs.refused(constraint, about, can=can)
