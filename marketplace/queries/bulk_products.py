"""Many products at once. Statements: sql/queries/bulk_products.sql."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import orjson

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql

SQL = named_sql("bulk_products")
#: What a row may change; all but the stock, price, weight and hidden are of the product alone.
FIELDS = (
    "price",
    "price_before",
    "stock",
    "hidden",
    "category_id",
    "brand_id",
    "weight_grams",
    "min_quantity",
    "max_per_buyer",
    "preorder_days",
    "condition",
)


def change(
    conn: Conn,
    store_id: int,
    rows: Sequence[Mapping[str, Any]],
    *,
    all_or_none: bool,
    dry_run: bool,
) -> list[Row]:
    """Change fields of a store's products, row by row: row, outcome, product_id, variant_id,
    version, before, after, faults, brand_id. product_documents.refresh writes their documents.

    A row has product_id (and variant_id) or sku, some of FIELDS, and may have expected_version and
    expected_stock.
    """
    values = {
        "store_id": store_id,
        "product_ids": [row.get("product_id") for row in rows],
        "variant_ids": [row.get("variant_id") for row in rows],
        "skus": [row.get("sku") for row in rows],
        "expected_versions": [row.get("expected_version") for row in rows],
        "expected_stocks": [row.get("expected_stock") for row in rows],
        "fields": [_as_json(row) for row in rows],
        "all_or_none": all_or_none,
        "dry_run": dry_run,
    }
    return conn.execute(SQL["change"], values).fetchall()


def _as_json(row: Mapping[str, Any]) -> str:
    """Return the fields of a row as JSON; amounts are texts with two decimals."""
    fields = {name: row[name] for name in FIELDS if name in row}
    return orjson.dumps(fields, default=_amount).decode()


def _amount(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    raise TypeError
