"""Stores. Statements: sql/queries/stores.sql."""

from collections.abc import Mapping
from typing import Any

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("stores")
FILTERS = ("search", "city", "state")


def find(conn: Conn, store_id: int) -> Row | None:
    """Return a store as everybody sees it, or None."""
    return conn.execute(SQL["find"], {"store_id": store_id}).fetchone()


def search(
    conn: Conn, filters: Mapping[str, Any], *, after_id: int | None, limit: int, offset: int
) -> list[Row]:
    """Return active stores, newest first; `filters` are search, city, and for an admin state."""
    values = {name: filters.get(name) for name in FILTERS}
    window = {"after_id": after_id, "limit": limit, "offset": offset}
    return conn.execute(SQL["search"], {**values, **window}, prepare=False).fetchall()


def count(conn: Conn, filters: Mapping[str, Any], *, limit: int) -> int:
    """Return how many stores match, counted up to `limit`."""
    values = {name: filters.get(name) for name in FILTERS}
    return int(one(conn, SQL["count"], {**values, "limit": limit})["matches"])


def open_store(conn: Conn, *, owner_id: int, name: str, description: str | None) -> Row:
    """Open the caller's store; a buyer becomes a seller. stores_owner_id_key refuses a second
    one.
    """
    store = one(conn, SQL["open"], {"owner_id": owner_id, "name": name, "description": description})
    conn.execute(SQL["become_seller"])
    return store


def hold(conn: Conn, store_id: int, *, owner_id: int) -> Row | None:
    """Return id, name, description and version of a store, locked for a change; None if it is not
    the owner's.
    """
    return conn.execute(SQL["hold"], {"store_id": store_id, "owner_id": owner_id}).fetchone()


def change(conn: Conn, store_id: int, *, owner_id: int, name: str, description: str | None) -> Row:
    """Replace a store's own fields; it has been held before."""
    values = {"store_id": store_id, "owner_id": owner_id, "name": name, "description": description}
    return one(conn, SQL["change"], values)


def unsettled(conn: Conn) -> list[int]:
    """Stores whose products the worker has to look at: stopped ones, and those let go."""
    return [row["id"] for row in conn.execute(SQL["unsettled"])]


def settle(conn: Conn, store_id: int, *, most: int) -> list[int]:
    """Hide products of a stopped store, or show again what was hidden so, some at a time; their
    ids. For the worker.
    """
    return list(one(conn, SQL["settle"], {"store_id": store_id, "most": most})["product_ids"])
