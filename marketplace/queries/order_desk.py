"""The order desk: the verbs of orders. Statements: sql/queries/order_desk.sql.

A verb returns what became of it, or None where the order is not the caller's; what it refuses is a
psycopg.errors.CheckViolation with the name of a constraint.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("order_desk")
#: What is said of a parcel.
PARCEL = ("courier", "service", "tracking_number")


def lock(conn: Conn, order_id: int) -> int | None:
    """Return the version of an order, locked until the transaction ends; None: not the caller's."""
    told: int | None = _told(conn, "lock", {"order_id": order_id})
    return told


def accept(conn: Conn, order_ids: Sequence[int]) -> list[Row]:
    """Accept orders for their store: id and outcome of each, by id."""
    return conn.execute(SQL["accept"], {"order_ids": list(order_ids)}).fetchall()


def ship(
    conn: Conn,
    order_id: int,
    lines: Sequence[Mapping[str, int]] | None,
    parcel: Mapping[str, str | None],
) -> int | None:
    """Send lines of an order, or all that is left; return the parcel's id."""
    values = {name: parcel.get(name) for name in PARCEL}
    told: int | None = _told(conn, "ship", {"order_id": order_id, **_arrays(lines), **values})
    return told


def confirm(conn: Conn, order_id: int) -> str | None:
    """Say for the buyer that all has arrived: delivered, completed or already."""
    return _word(conn, "confirm", {"order_id": order_id})


def cancel(conn: Conn, order_id: int, reason: str | None) -> str | None:
    """Cancel an order, or ask for it: cancelled, asked, already or not_due."""
    return _word(conn, "cancel", {"order_id": order_id, "reason": reason})


def cancel_lines(
    conn: Conn, order_id: int, lines: Sequence[Mapping[str, int]], reason: str | None
) -> str | None:
    """Cancel pieces of an order that have not left."""
    values = {"order_id": order_id, "reason": reason, **_arrays(lines)}
    return _word(conn, "cancel_lines", values)


def refuse_cancel(conn: Conn, order_id: int) -> str | None:
    """Say no to a cancellation that the buyer asked for: refused or already."""
    return _word(conn, "refuse_cancel", {"order_id": order_id})


def deliver(conn: Conn, order_id: int, shipment_id: int) -> str | None:
    """Say that a parcel arrived: delivered or already."""
    return _word(conn, "deliver", {"order_id": order_id, "shipment_id": shipment_id})


def bring_back(
    conn: Conn, order_id: int, shipment_id: int, outcome: str, *, sellable: bool
) -> str | None:
    """Say that a parcel did not arrive: returned, cancelled or already."""
    values = {"order_id": order_id, "shipment_id": shipment_id, "outcome": outcome}
    return _word(conn, "bring_back", {**values, "sellable": sellable})


def track(
    conn: Conn, order_id: int, shipment_id: int, parcel: Mapping[str, str | None]
) -> str | None:
    """Mend courier, service and number of a parcel that is on its way: done."""
    values = {name: parcel.get(name) for name in PARCEL}
    return _word(conn, "track", {"order_id": order_id, "shipment_id": shipment_id, **values})


def due(conn: Conn, had: list[int], most: int) -> list[Row]:
    """Return what timers have to move: what, id, shipment_id; at most so many of each kind, without
    the orders that were had.
    """
    return conn.execute(SQL["due"], {"had": had, "most": most}, prepare=False).fetchall()


def assume_delivered(conn: Conn, order_id: int, shipment_id: int) -> str | None:
    """Count a parcel as arrived whose time is over. For the worker."""
    return _word(conn, "assume_delivered", {"order_id": order_id, "shipment_id": shipment_id})


def complete(conn: Conn, order_id: int) -> str | None:
    """Complete an order whose time to complain is over. For the worker."""
    return _word(conn, "complete", {"order_id": order_id})


def left(conn: Conn, order_id: int) -> list[Row]:
    """Return the lines of an order: id, the pieces that can still be sent, and has_left."""
    return conn.execute(SQL["left"], {"order_id": order_id}).fetchall()


def _arrays(lines: Sequence[Mapping[str, int]] | None) -> dict[str, Any]:
    if lines is None:
        return {"line_ids": None, "pieces": None}
    return {
        "line_ids": [line["line_id"] for line in lines],
        "pieces": [line["quantity"] for line in lines],
    }


def _word(conn: Conn, name: str, values: Mapping[str, Any]) -> str | None:
    told: str | None = _told(conn, name, values)
    return told


def _told(conn: Conn, name: str, values: Mapping[str, Any]) -> Any:
    return one(conn, SQL[name], values)["told"]
