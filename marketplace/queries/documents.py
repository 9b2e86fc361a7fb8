"""The base of reading products: documents and category rows. Statements:
sql/queries/documents.sql.

Those that write do not wait for their result: in a pipeline they travel together. ids() reads it.
"""

from collections.abc import Sequence

import psycopg

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("documents")
Cursor = psycopg.Cursor[Row]

#: The kinds of a rebuild: each has a statement that returns the next products.
_TOUCHED = {
    "store": SQL["touched_by_store"],
    "category": SQL["touched_by_category"],
    "brand": SQL["touched_by_brand"],
    "all": SQL["all_products"],
}


def lock(conn: Conn, product_ids: Sequence[int]) -> None:
    """Be the only one to change these products until the transaction ends."""
    conn.execute(SQL["lock"], {"product_ids": product_ids})


def write(conn: Conn, product_ids: Sequence[int], currency: str) -> Cursor:
    """Write the documents of these products from the tables; return those that were wrong."""
    return conn.execute(SQL["write"], {"product_ids": product_ids, "currency": currency})


def add(conn: Conn, product_ids: Sequence[int], currency: str) -> None:
    """The same for products that are new."""
    conn.execute(SQL["add"], {"product_ids": product_ids, "currency": currency})


def write_categories(conn: Conn, product_ids: Sequence[int]) -> Cursor:
    """Write the rows by which categories list these products, none for hidden ones; return those
    that had others.
    """
    return conn.execute(SQL["write_categories"], {"product_ids": product_ids})


def add_categories(conn: Conn, product_ids: Sequence[int]) -> None:
    """The same for products that are new."""
    conn.execute(SQL["add_categories"], {"product_ids": product_ids})


def write_search(conn: Conn, product_ids: Sequence[int]) -> Cursor:
    """Write the words these products are found by; return those that had others."""
    return conn.execute(SQL["write_search"], {"product_ids": product_ids})


def add_search(conn: Conn, product_ids: Sequence[int]) -> None:
    """The same for products that are new."""
    conn.execute(SQL["add_search"], {"product_ids": product_ids})


def reprice_search(conn: Conn, product_ids: Sequence[int]) -> None:
    """Make the words that products are found by true of their prices, where nothing else of them
    has changed.
    """
    conn.execute(SQL["reprice_search"], {"product_ids": product_ids})


def waiting(conn: Conn, product_ids: Sequence[int]) -> list[int]:
    """Return those of these products that a pending job will write. For the worker."""
    return ids(conn.execute(SQL["waiting"], {"product_ids": product_ids}), "id")


def last_id(conn: Conn) -> int:
    """Return the highest id of a product; 0 if there is none."""
    return int(one(conn, SQL["last_id"])["id"])


def touched(conn: Conn, by: str, id: int | None, *, after_id: int, limit: int) -> list[int]:
    """Return the next products, by id, that a `store`, `category` (with all below it) or `brand`
    touches, or `all`.

    Raises KeyError for anything else.
    """
    rows = conn.execute(
        _TOUCHED[by], {"id": id, "after_id": after_id, "limit": limit}, prepare=False
    )
    return ids(rows, "id")


def ids(rows: Cursor, name: str = "product_id") -> list[int]:
    """Return the ids that a statement has returned."""
    return [row[name] for row in rows]
