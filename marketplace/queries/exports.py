"""A store's products as a file, a batch at a time. Statements: sql/queries/exports.sql."""

from datetime import datetime

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql

SQL = named_sql("exports")
#: The place where a batch starts: when the last product of the previous one was made, and its id.
Place = tuple[datetime, int]
#: The same of variants: position and id of the last one follow; 0 and 0 of a simple product.
VariantPlace = tuple[datetime, int, int, int]


def rows(conn: Conn, store_id: int, *, after: VariantPlace | None, limit: int) -> list[Row]:
    """Return the next products and variants as columns of our own dialect; category, image_urls,
    option_names and options are lists. variant_id is 0 for a simple product.
    """
    time, product_id, position, variant_id = after or (None, 0, 0, 0)
    values = {
        **_values(store_id, (time, product_id) if time else None, limit),
        "after_position": position,
        "after_variant": variant_id,
    }
    return conn.execute(SQL["rows"], values, prepare=False).fetchall()


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
