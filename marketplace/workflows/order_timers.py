"""Timers of orders: whatever is due is moved by its verb."""

from collections.abc import Callable
from typing import Any

from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import order_desk
from marketplace.workflows import due

#: What a verb says that has moved nothing.
STILL = (None, "already", "not_due", "unchanged")


def run(db: Database, stopping: Callable[[], bool] = lambda: False) -> int:
    """Move what is due; return how many were. One that fails is logged and holds up nobody."""
    return due.each(
        db,
        order_desk.due,
        lambda conn, row: _told(conn, row) not in STILL,
        failed="an order was not moved",
        job=lambda row: f"{row['what']} {row['id']}",
        stopping=stopping,
    )


def _told(conn: Conn, row: Row) -> Any:
    """Return what the verb of a timer said."""
    order_id = row["id"]
    if row["what"] == "accept":
        return order_desk.accept(conn, [order_id])[0]["outcome"]
    if row["what"] == "assume_delivered":
        return order_desk.assume_delivered(conn, order_id, row["shipment_id"])
    if row["what"] == "complete":
        return order_desk.complete(conn, order_id)
    if row["what"] == "cancel_asked":
        return order_desk.cancel(conn, order_id, "buyer_asked")
    return _give_up(conn, order_id)


def _give_up(conn: Conn, order_id: int) -> str | None:
    """Cancel what was not sent in time: the order, or what is left of it."""
    lines = order_desk.left(conn, order_id)
    if not any(line["has_left"] for line in lines):
        return order_desk.cancel(conn, order_id, "not_shipped")
    left = [{"line_id": line["id"], "quantity": line["pieces"]} for line in lines if line["pieces"]]
    return order_desk.cancel_lines(conn, order_id, left, "not_shipped")
