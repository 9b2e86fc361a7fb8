"""Brands. Statements: sql/queries/brands.sql."""

from collections.abc import Sequence

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("brands")


def settle(conn: Conn, brand_ids: Sequence[int] | None) -> int:
    """Remove brands without products, and list those on sale: these, or all; return how many
    changed. For the worker.
    """
    ids = None if brand_ids is None else list(brand_ids)
    return int(one(conn, SQL["settle"], {"brand_ids": ids})["settled"])


def search(
    conn: Conn, *, search: str | None, after: tuple[str, int] | None, limit: int, offset: int
) -> list[Row]:
    """Return the brands that guests see, by name; `search` is a part of it, `after` name and id of
    the last row seen.
    """
    after_name, after_id = after or (None, None)
    values = {
        "search": search,
        "after_name": after_name,
        "after_id": after_id,
        "limit": limit,
        "offset": offset,
    }
    return conn.execute(SQL["search"], values, prepare=False).fetchall()


def count(conn: Conn, *, search: str | None, limit: int) -> int:
    """Return how many brands match, counted up to `limit`."""
    values = {"search": search, "limit": limit}
    return int(conn.execute(SQL["count"], values, prepare=False).fetchall()[0]["matches"])


def find(conn: Conn, brand_id: int, *, unlisted: bool = False) -> Row | None:
    """Return one brand, or None; `unlisted`: also where guests do not see it."""
    return conn.execute(SQL["find"], {"brand_id": brand_id, "unlisted": unlisted}).fetchone()


def find_or_add(conn: Conn, name: str) -> int:
    """Return the id of the brand of this name, without regard to case; made if it is new."""
    while (
        True
    ):  # a second time only if another transaction added it meanwhile, or an admin removed it
        found = conn.execute(SQL["find_named"], {"name": name}).fetchone()
        found = found or conn.execute(SQL["add_missing"], {"name": name}).fetchone()
        if found is not None:
            return int(found["id"])


def add(conn: Conn, name: str) -> Row:
    """Add a brand. brands_name_key refuses an existing name."""
    return one(conn, SQL["add"], {"name": name})


def lock(conn: Conn, brand_id: int) -> Row | None:
    """Return name and version of a brand, which no product joins until the transaction ends; None
    if there is none.
    """
    return conn.execute(SQL["lock"], {"brand_id": brand_id}).fetchone()


def hold(conn: Conn, brand_id: int) -> Row | None:
    """Return version of a brand, which nobody else changes until the transaction ends; None if
    there is none.
    """
    return conn.execute(SQL["hold"], {"brand_id": brand_id}).fetchone()


def change(conn: Conn, brand_id: int, name: str) -> Row:
    """Rename a brand that has been locked."""
    return one(conn, SQL["change"], {"brand_id": brand_id, "name": name})


def move_products(conn: Conn, brand_id: int, target_id: int) -> int:
    """Move the brand's products to another one; return how many."""
    return conn.execute(
        SQL["move_products"], {"brand_id": brand_id, "target_id": target_id}
    ).rowcount


def remove(conn: Conn, brand_id: int) -> str:
    """Remove a brand that has been held; return its name. ForeignKeyViolation while it has
    products.
    """
    return str(one(conn, SQL["remove"], {"brand_id": brand_id})["name"])


def lock_removing(conn: Conn) -> None:
    """Wait until nobody else removes a brand, and keep others waiting until this transaction
    ends.
    """
    conn.execute(SQL["lock_removing"])
