"""A store's products as a file, a batch at a time. Statements: sql/queries/exports.sql."""

from datetime import datetime

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql

SQL = named_sql("exports")
#: The place where a batch starts: when the last product of the previous one was made, and its id.
Place = tuple[datetime, int]


def rows(conn: Conn, store_id: int, *, after: Place | None, limit: int) -> list[Row]:
    """Return the next products as columns of our own dialect; category and image_urls are lists."""
    return conn.execute(SQL["rows"], _values(store_id, after, limit), prepare=False).fetchall()


def documents(conn: Conn, store_id: int, *, after: Place | None, limit: int) -> list[Row]:
    """Return the next products: document and description, both JSON."""
    return conn.execute(SQL["documents"], _values(store_id, after, limit), prepare=False).fetchall()


def my_orders(conn: Conn, user_id: int, *, after: Place | None, limit: int) -> list[Row]:
    """Return the next orders of a buyer, with address, lines, parcels and returns."""
    values = _values(0, after, limit) | {"user_id": user_id}
    return conn.execute(SQL["my_orders"], values, prepare=False).fetchall()


def my_payments(conn: Conn, user_id: int, *, after: Place | None, limit: int) -> list[Row]:
    """Return the next payments of a buyer."""
    values = _values(0, after, limit) | {"user_id": user_id}
    return conn.execute(SQL["my_payments"], values, prepare=False).fetchall()


def store_there(conn: Conn, store_id: int) -> bool:
    """Return whether there is such a store."""
    return conn.execute(SQL["store_there"], {"store_id": store_id}).fetchone() is not None


def _values(store_id: int, after: Place | None, limit: int) -> dict[str, object]:
    time, product_id = after or (None, 0)
    return {"store_id": store_id, "after_time": time, "after_id": product_id, "limit": limit}
