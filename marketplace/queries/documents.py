"""What reading products stands on: documents and category rows. Statements: sql/queries/documents.sql."""

from collections.abc import Sequence

from marketplace.db import Conn, named_sql

SQL = named_sql("documents")

#: What a rebuild can go by: the statement that gives the next products.
_TOUCHED = {
    "store": SQL["touched_by_store"],
    "category": SQL["touched_by_category"],
    "brand": SQL["touched_by_brand"],
    "all": SQL["all_products"],
}


def lock(conn: Conn, product_ids: Sequence[int]) -> None:
    """Be the only one to change these products until the transaction ends."""
    conn.execute(SQL["lock"], {"product_ids": product_ids})


def write(conn: Conn, product_ids: Sequence[int], currency: str) -> None:
    """Write the documents of these products from the tables; unchanged ones stay untouched."""
    conn.execute(SQL["write"], {"product_ids": product_ids, "currency": currency})


def write_categories(conn: Conn, product_ids: Sequence[int]) -> None:
    """Write the rows by which categories list these products; none for hidden ones."""
    conn.execute(SQL["write_categories"], {"product_ids": product_ids})


def write_search(conn: Conn, product_ids: Sequence[int]) -> None:
    """Write the words these products are found by."""
    conn.execute(SQL["write_search"], {"product_ids": product_ids})


def touched(conn: Conn, by: str, id: int | None, *, after_id: int, limit: int) -> list[int]:
    """The next products, by id, that a `store`, `category` (with all below it) or `brand` touches, or `all`.

    Raises KeyError for anything else.
    """
    rows = conn.execute(_TOUCHED[by], {"id": id, "after_id": after_id, "limit": limit}, prepare=False)
    return [row["id"] for row in rows]
