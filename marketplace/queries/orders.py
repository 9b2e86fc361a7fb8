"""Orders: lists, cards and pages. Statements: sql/queries/orders.sql."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from marketplace.contract.pages import FURTHEST, Part
from marketplace.postgres.callers import Caller
from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql

SQL = named_sql("orders")

STAGES = ("unpaid", "new", "to_ship", "shipping", "delivered", "completed", "cancelled")
#: Counts of tabs end here.
COUNTED = 1001


def of_buyer(conn: Conn, user_id: int, stages: Sequence[str] | None, part: Part) -> list[Row]:
    """Return id and placed_at of a buyer's orders, newest first; of some stages, or all."""
    values = {"user_id": user_id, **part.newer()}
    if stages is None:
        return conn.execute(SQL["of_buyer"], values).fetchall()
    return conn.execute(SQL["of_buyer_by_stage"], {**values, "stages": list(stages)}).fetchall()


def of_store(conn: Conn, store_id: int, stages: Sequence[str] | None, part: Part) -> list[Row]:
    """Return id and placed_at of a store's orders, newest first; of some stages, or all."""
    values = {"store_id": store_id, **part.newer()}
    if stages is None:
        return conn.execute(SQL["of_store"], values).fetchall()
    return conn.execute(SQL["of_store_by_stage"], {**values, "stages": list(stages)}).fetchall()


def to_ship(conn: Conn, store_id: int, part: Part, *, late: bool) -> list[Row]:
    """Return id and ship_by of what a store has to send, the most urgent first."""
    values = {"store_id": store_id, "late": late, **part.older()}
    return conn.execute(SQL["to_ship"], values).fetchall()


def with_request(conn: Conn, store_id: int, open_request: str, part: Part) -> list[Row]:
    """Return id and placed_at of a store's orders about which something is asked, newest first."""
    values = {"store_id": store_id, "open_request": open_request, **part.newer()}
    return conn.execute(SQL["with_request"], values).fetchall()


def with_product(conn: Conn, store_id: int, product_id: int, part: Part) -> list[Row]:
    """Return the ids of a store's orders with a product, newest first; `part.after` is an id."""
    values = {
        "store_id": store_id,
        "product_id": product_id,
        "before_id": part.after[0] if part.after else FURTHEST,
        "limit": part.limit,
    }
    return conn.execute(SQL["with_product"], values).fetchall()


def by_number(
    conn: Conn,
    number: str,
    *,
    user_id: int | None = None,
    store_id: int | None = None,
    everything: bool = False,
) -> list[Row]:
    """Return id and placed_at of the order of this number, if it is this buyer's or this store's;
    an admin asks for everybody's.
    """
    whose = {"user_id": user_id, "store_id": store_id, "everything": everything}
    return conn.execute(SQL["by_number"], {"number": number, **whose}).fetchall()


def newest(conn: Conn, part: Part) -> list[Row]:
    """Return id and placed_at of everybody's orders, newest first. For admins."""
    return conn.execute(SQL["newest"], part.newer()).fetchall()


def cod_overdue(conn: Conn, part: Part) -> list[Row]:
    """Return id and deliver_by of parcels whose cash is overdue, the oldest first. For admins."""
    return conn.execute(SQL["cod_overdue"], part.older()).fetchall()


def count_of_buyer(conn: Conn, user_id: int) -> dict[str, int]:
    """Return how many of a buyer's orders are in each stage, up to COUNTED."""
    values = {"user_id": user_id, "stages": list(STAGES), "limit": COUNTED}
    return _counts(conn.execute(SQL["count_of_buyer"], values).fetchall())


def count_of_store(conn: Conn, store_id: int) -> dict[str, int]:
    """Return how many of a store's orders are in each stage, up to COUNTED."""
    values = {"store_id": store_id, "stages": list(STAGES), "limit": COUNTED}
    return _counts(conn.execute(SQL["count_of_store"], values).fetchall())


def cards(conn: Conn, caller: Caller, ids: Sequence[int]) -> list[Row]:
    """Return what lists show of these orders, in the order of the ids; the caller's alone."""
    rows = conn.execute(SQL["cards"], {"ids": list(ids), **_whose(caller)}).fetchall()
    places = {order_id: place for place, order_id in enumerate(ids)}
    return sorted(rows, key=lambda row: places[row["id"]])


def find(conn: Conn, caller: Caller, order_id: int) -> Row | None:
    """Return what a page has beside its card, or None if the order is not the caller's."""
    return conn.execute(SQL["find"], {"order_id": order_id, **_whose(caller)}).fetchone()


def lines(conn: Conn, caller: Caller, order_id: int) -> list[Row]:
    """Return the lines of an order."""
    return conn.execute(SQL["lines"], {"order_id": order_id, **_whose(caller)}).fetchall()


def parcels(conn: Conn, caller: Caller, order_id: int) -> list[Row]:
    """Return the parcels of an order, with their lines."""
    return conn.execute(SQL["parcels"], {"order_id": order_id, **_whose(caller)}).fetchall()


def events(conn: Conn, caller: Caller, order_id: int, placed_at: datetime) -> list[Row]:
    """Return what happened to an order that was placed then."""
    values = {"order_id": order_id, "placed_at": placed_at, **_whose(caller)}
    return conn.execute(SQL["events"], values).fetchall()


def _whose(caller: Caller) -> dict[str, Any]:
    """Return what a statement compares an order with: an admin's are all."""
    return {
        "everything": caller.role == "admin",
        "user_id": caller.user_id,
        "store_id": caller.store_id,
    }


def _counts(rows: list[Row]) -> dict[str, int]:
    return {row["stage"]: row["orders"] for row in rows}
