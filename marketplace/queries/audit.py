"""The audit trail. Statements: sql/queries/audit.sql."""

from collections.abc import Mapping
from typing import Any

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql

SQL = named_sql("audit")

#: The filters of the trail; None does not filter.
FILTERS = ("store_id", "user_id", "type", "thing_id", "action", "request_id", "from", "to")


def search(
    conn: Conn,
    filters: Mapping[str, Any],
    *,
    after: tuple[Any, int] | None,
    limit: int,
    offset: int,
) -> list[Row]:
    """Return entries that the caller may see, newest first; `after` is time and id of the last one
    seen.
    """
    after_time, after_id = after or (None, None)
    values = {
        **{name: filters.get(name) for name in FILTERS},
        "after_time": after_time,
        "after_id": after_id,
        "limit": limit,
        "offset": offset,
    }
    return conn.execute(SQL["search"], values, prepare=False).fetchall()


def count(conn: Conn, filters: Mapping[str, Any], *, limit: int) -> int:
    """Return how many entries match, counted up to `limit`."""
    values = {**{name: filters.get(name) for name in FILTERS}, "limit": limit}
    return int(conn.execute(SQL["count"], values, prepare=False).fetchall()[0]["matches"])
