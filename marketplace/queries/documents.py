"""The base of reading products: documents and category rows. Statements:
sql/queries/documents.sql.

Those that write do not wait for their result: in a pipeline they travel with others.
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


def add(conn: Conn, product_ids: Sequence[int], currency: str) -> None:
    """Write all three for products that this transaction has made: documents, category rows and
    search words.
    """
    conn.execute(SQL["add"], {"product_ids": product_ids, "currency": currency})


def write(
    conn: Conn,
    currency: str,
    *,
    documents: Sequence[int] = (),
    categories: Sequence[int] = (),
    words: Sequence[int] = (),
    prices: Sequence[int] = (),
) -> Cursor:
    """Write parts of products from the tables: their documents, the rows by which categories list
    them (none for hidden ones), the words they are found by; of `prices` the word that stands for
    the price alone. Return one row of ids: documents, categories, search were wrong.
    """
    values = {
        "documents": list(documents),
        "categories": list(categories),
        "words": list(words),
        "prices": list(prices),
        "currency": currency,
    }
    return conn.execute(SQL["write"], values)


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
