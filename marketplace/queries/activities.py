"""Activities: what users did. Statements: sql/queries/activities.sql."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
import psycopg

from marketplace.postgres.callers import Client
from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql

SQL = named_sql("activities")


def record(
    conn: Conn,
    client: Client,
    type: str,
    *,
    related: tuple[str, int, str | None] | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Record what the caller did, in the transaction that did it. `related`: kind, id and name of
    the thing.
    """
    values = {
        **_values(client, type, related),
        "details": orjson.dumps(details).decode() if details else None,
    }
    conn.execute(SQL["record"], values)


def record_view(
    conn: Conn, client: Client, type: str, *, related: tuple[str, int, str | None]
) -> None:
    """Record that the caller viewed a thing, once in ten minutes."""
    conn.execute(SQL["record_view"], _values(client, type, related))


def _values(
    client: Client, type: str, related: tuple[str, int, str | None] | None
) -> dict[str, Any]:
    kind, thing, name = related or (None, None, None)
    return {
        "user_id": client.user_id,
        "type": type,
        "related_type": kind,
        "related_id": thing,
        "related_name": name,
        "ip": client.ip,
        "device": client.device,
    }


def search(
    conn: Conn,
    user_id: int,
    *,
    type: str | None,
    since: datetime | None,
    until: datetime | None,
    after: tuple[str | datetime, int] | None,
    limit: int,
    offset: int = 0,
) -> psycopg.Cursor[Row]:
    """Return where a user's own log will be, newest first, once a pipeline has ended; `after` is
    created_at and id of the last row seen.
    """
    after_time, after_id = after or (None, None)
    values = {
        "user_id": user_id,
        "type": type,
        "from": since,
        "to": until,
        "after_time": after_time,
        "after_id": after_id,
        "limit": limit,
        "offset": offset,
    }
    return conn.execute(SQL["search"], values, prepare=False)


def count(
    conn: Conn,
    user_id: int,
    *,
    type: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> psycopg.Cursor[Row]:
    """Return where the number of `matches` will be, counted up to `limit`, once a pipeline has
    ended.
    """
    values = {"user_id": user_id, "type": type, "from": since, "to": until, "limit": limit}
    return conn.execute(SQL["count"], values)
