"""Stores. Statements: sql/queries/stores.sql."""

from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("stores")
FILTERS = ("search", "city", "state")
#: What a seller writes of their store.
WRITTEN = ("name", "description", "city", "whatsapp", "closed_until")


def find(conn: Conn, store_id: int) -> Row | None:
    """Return a store as everybody sees it, or None; one that is not active to an admin alone."""
    return conn.execute(SQL["find"], {"store_id": store_id}).fetchone()


def find_own(conn: Conn, store_id: int, *, owner_id: int, verified: bool) -> Row | None:
    """Return the caller's store with what is only theirs to know, or None. `verified`: whether
    sellers have to have confirmed their address.
    """
    values = {"store_id": store_id, "owner_id": owner_id, "verified": verified}
    return conn.execute(SQL["find_own"], values).fetchone()


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


def open_store(
    conn: Conn, *, owner_id: int, name: str, description: str | None, pending: bool
) -> int:
    """Open the caller's store; a buyer becomes a seller; return its id. stores_owner_id_key refuses
    a second one. `pending`: it waits for an admin.
    """
    values = {"owner_id": owner_id, "name": name, "description": description, "pending": pending}
    store_id = int(one(conn, SQL["open"], values)["id"])
    conn.execute(SQL["become_seller"])
    return store_id


def hold(conn: Conn, store_id: int, *, owner_id: int) -> Row | None:
    """Return id, WRITTEN and version of a store, locked for a change; None if it is not the
    owner's.
    """
    return conn.execute(SQL["hold"], {"store_id": store_id, "owner_id": owner_id}).fetchone()


def change(conn: Conn, store_id: int, fields: Mapping[str, Any], *, owner_id: int) -> None:
    """Replace a store's own fields (WRITTEN); it has been held before."""
    values = {name: fields.get(name) for name in WRITTEN}
    conn.execute(SQL["change"], {**values, "store_id": store_id, "owner_id": owner_id})


def change_logo(conn: Conn, store_id: int, logo: str | None, *, owner_id: int) -> bool:
    """Replace the logo, as JSON, or remove it; return whether it is another one now."""
    values = {"store_id": store_id, "owner_id": owner_id, "logo": logo}
    return conn.execute(SQL["change_logo"], values).fetchone() is not None


def hold_any(conn: Conn, store_id: int) -> Row | None:
    """Return id, name, state, state_reason and version of any store, locked, for an admin."""
    return conn.execute(SQL["hold_any"], {"store_id": store_id}).fetchone()


def set_state(conn: Conn, store_id: int, *, state: str, reason: str | None) -> Row | None:
    """Stop a store, or let it go, for an admin: the state it has now and the address of its owner;
    None if it is so already. The store of a suspended owner stays stopped with them.
    """
    values = {"store_id": store_id, "state": state, "reason": reason}
    return conn.execute(SQL["set_state"], values).fetchone()


def unsettled(conn: Conn) -> list[int]:
    """Stores whose products the worker has to look at: stopped ones, and those let go."""
    return [row["id"] for row in conn.execute(SQL["unsettled"])]


def settle(conn: Conn, store_id: int, *, most: int) -> list[int]:
    """Hide products of a stopped store, or show again what was hidden so, some at a time; their
    ids. For the worker.
    """
    return list(one(conn, SQL["settle"], {"store_id": store_id, "most": most})["product_ids"])


def brands_of(conn: Conn, product_ids: Sequence[int]) -> list[int]:
    """Return the brands of some products. For the worker."""
    rows = conn.execute(SQL["brands_of"], {"product_ids": list(product_ids)})
    return [row["brand_id"] for row in rows]


def refresh_counts(conn: Conn) -> None:
    """Count the products that stores show. For the worker."""
    conn.execute(SQL["refresh_counts"])
