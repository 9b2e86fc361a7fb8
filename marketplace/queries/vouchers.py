"""Vouchers of stores and of the platform. Statements: sql/queries/vouchers.sql.

`store_id` None is the platform.
"""

from collections.abc import Mapping
from typing import Any

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("vouchers")
#: What can be changed later.
CHANGING = (
    "name",
    "max_discount",
    "min_total",
    "product_ids",
    "category_ids",
    "listed",
    "starts_at",
    "ends_at",
    "quota",
    "per_buyer",
    "active",
)
FIELDS = ("code", "gives", "value", *CHANGING)


def search(
    conn: Conn, store_id: int | None, *, active: bool | None, after_id: int | None, limit: int
) -> list[Row]:
    """Return vouchers, the newest first; all, or those that are open or closed."""
    values = {"store_id": store_id, "active": active, "after_id": after_id, "limit": limit}
    return conn.execute(SQL["list"], values, prepare=False).fetchall()


def take_turn(conn: Conn, store_id: int | None) -> None:
    """Wait for other new vouchers of the same bearer; others wait until the transaction ends."""
    conn.execute(SQL["take_turn"], {"store_id": store_id})


def count(conn: Conn, store_id: int | None) -> int:
    """Return how many vouchers are open."""
    return int(one(conn, SQL["count"], {"store_id": store_id})["vouchers"])


def add(conn: Conn, fields: Mapping[str, Any], *, store_id: int | None) -> Row:
    """Add a voucher. vouchers_code_key refuses a code that exists."""
    values = {name: fields.get(name) for name in FIELDS}
    return one(conn, SQL["add"], {**values, "store_id": store_id})


def hold(conn: Conn, voucher_id: int, *, store_id: int | None) -> Row | None:
    """Return a voucher, locked; None if it is not the store's."""
    values = {"voucher_id": voucher_id, "store_id": store_id}
    return conn.execute(SQL["hold"], values).fetchone()


def change(
    conn: Conn, voucher_id: int, fields: Mapping[str, Any], *, store_id: int | None
) -> Row | None:
    """Replace what can be changed of a voucher; None if it is not the store's."""
    values = {name: fields.get(name) for name in CHANGING}
    whose = {"voucher_id": voucher_id, "store_id": store_id}
    return conn.execute(SQL["change"], {**values, **whose}).fetchone()
