"""Stock. Statements: sql/queries/stock.sql."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("stock")

#: Most pieces of what runs low: a list of low stock goes up to this.
LOW = 20
#: What a row of a batch may say.
WRITTEN = ("stock", "on_hand", "change", "expected_stock")


def refresh_low(conn: Conn) -> None:
    """List anew what is on sale and runs low. For the worker."""
    conn.execute(SQL["refresh_low"], {"most": LOW})


def set(
    conn: Conn,
    store_id: int,
    rows: Sequence[Mapping[str, Any]],
    *,
    all_or_none: bool,
    dry_run: bool,
) -> list[Row]:
    """Set a store's stock, row by row: row, outcome, product_id, variant_id, stock, reserved.

    A row has product_id (and variant_id) or sku, one of stock, on_hand and change, and may have
    expected_stock.
    """
    values: dict[str, Any] = {
        "store_id": store_id,
        "numbers": list(range(len(rows))),
        "product_ids": [row.get("product_id") for row in rows],
        "variant_ids": [row.get("variant_id") for row in rows],
        "skus": [row.get("sku") for row in rows],
        **{name: [row.get(name) for row in rows] for name in WRITTEN},
        "all_or_none": all_or_none,
        "dry_run": dry_run,
    }
    return conn.execute(SQL["set"], values).fetchall()


def search(
    conn: Conn,
    store_id: int,
    *,
    product_id: int | None,
    low: int | None,
    after: Sequence[Any] | None,
    limit: int,
    offset: int,
) -> list[Row]:
    """Return rows of a store's stock, those of its newest products first; with `low` those that ran
    low when the worker last looked, the fewest first. `after` is key, product_id and variant_id.
    """
    after_key, after_id, after_variant = after or (None, None, None)
    values = {
        "store_id": store_id,
        "product_id": product_id,
        "low": low,
        "after_key": after_key,
        "after_id": after_id,
        "after_variant": after_variant or 0,
        "limit": limit,
        "offset": offset,
    }
    name = "list" if low is None else "list_low"
    return conn.execute(SQL[name], values, prepare=False).fetchall()


def count(conn: Conn, store_id: int, *, product_id: int | None, low: int | None, limit: int) -> int:
    """Return how many rows `search` would find, counted up to `limit`."""
    values = {"store_id": store_id, "product_id": product_id, "low": low, "limit": limit}
    return int(one(conn, SQL["count" if low is None else "count_low"], values)["matches"])


def low_as_of(conn: Conn) -> datetime | None:
    """Return when the worker last looked at what runs low; None: it never has."""
    as_of: datetime | None = one(conn, SQL["low_as_of"])["as_of"]
    return as_of


def is_own(conn: Conn, product_id: int, store_id: int | None) -> bool:
    """Return whether the caller may read the movements of a product. No store: an admin's view."""
    values = {"product_id": product_id, "store_id": store_id}
    return conn.execute(SQL["find_product"], values).fetchone() is not None


def movements(
    conn: Conn,
    product_id: int,
    store_id: int | None,
    *,
    variant_id: int | None,
    after: Sequence[Any] | None,
    limit: int,
) -> list[Row]:
    """Return why the stock of a product, or of one of its variants, changed, newest first; `after`
    is key and id.
    """
    after_time, after_id = after or (None, None)
    values = {
        "product_id": product_id,
        "store_id": store_id,
        "variant_id": variant_id,
        "after_time": after_time,
        "after_id": after_id,
        "limit": limit,
    }
    return conn.execute(SQL["movements"], values, prepare=False).fetchall()
