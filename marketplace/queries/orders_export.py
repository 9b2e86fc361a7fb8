"""A store's orders as a file. Statements: sql/queries/orders_export.sql."""

from datetime import datetime

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql

SQL = named_sql("orders_export")
#: The place where a batch starts: when the last order of the previous one was placed, and its id.
Place = tuple[datetime, int]


def rows(
    conn: Conn, store_id: int, *, after: Place | None, since: datetime | None,
    until: datetime | None, limit: int,
) -> list[Row]:  # fmt: skip
    """Return the lines of a store's next orders, the oldest first, whole orders alone."""
    at, order_id = after or (since or "-infinity", 0)
    values = {
        "store_id": store_id,
        "after_at": at,
        "after_id": order_id,
        "until": until or "infinity",
        "limit": limit,
    }
    return conn.execute(SQL["rows"], values).fetchall()
