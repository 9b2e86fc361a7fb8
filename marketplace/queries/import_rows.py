"""Good rows of an import, staged, then taken into the catalogue. Statements: sql/queries/import_rows.sql."""

from collections.abc import Iterable
from typing import NamedTuple

from marketplace.catalog_csv import GoodRow
from marketplace.db import Conn, Row, named_sql, one

SQL = named_sql("import_rows")


class Batch(NamedTuple):
    """The staged rows of an import above after_line, up to last_line."""

    import_id: int
    store_id: int
    after_line: int
    last_line: int


def forget(conn: Conn, import_id: int) -> None:
    """Remove what was read of the file, and count from nought."""
    conn.execute(SQL["forget"], {"import_id": import_id})


def copy(conn: Conn, import_id: int, rows: Iterable[GoodRow]) -> None:
    """Stage good rows."""
    with conn.cursor() as cursor, cursor.copy(SQL["copy_rows"]) as copying:
        for row in rows:
            category = list(row.category) if row.category else None
            copying.write_row((import_id, *row[:7], category, row.brand, list(row.image_urls)))


def next_batch(conn: Conn, import_id: int, *, after_line: int, limit: int) -> Row:
    """last_line (None when nothing is left), has_categories and has_brands of the next rows."""
    return one(conn, SQL["next_batch"], {"import_id": import_id, "after_line": after_line, "limit": limit})


def skip_known(conn: Conn, batch: Batch) -> int:
    """Drop rows whose SKU or link the store has already; how many."""
    return conn.execute(SQL["skip_known"], batch._asdict()).rowcount


def missing_levels(conn: Conn, batch: Batch) -> int:
    """How deep the deepest of the batch's category paths is that does not exist; 0 when all do."""
    return int(one(conn, SQL["missing_levels"], batch._asdict())["levels"] or 0)


def add_categories(conn: Conn, batch: Batch, level: int) -> None:
    """Add the missing categories of one level; the tree is locked, and the levels above are complete."""
    conn.execute(SQL["add_categories"], {**batch._asdict(), "level": level})


def refuse_unknown(conn: Conn, batch: Batch) -> int:
    """Turn rows whose category is not there into bad ones; how many."""
    return conn.execute(SQL["refuse_unknown"], batch._asdict()).rowcount


def lock_categories(conn: Conn, batch: Batch) -> None:
    """Keep the batch's categories as they are until the transaction ends."""
    conn.execute(SQL["lock_categories"], batch._asdict())


def add_brands(conn: Conn, batch: Batch) -> None:
    """Add the brands that are new."""
    conn.execute(SQL["add_brands"], batch._asdict())


def add_products(conn: Conn, batch: Batch) -> list[int]:
    """Make products of the rows, with stock and pictures; the new ids. Would-be twins are left out."""
    product_ids = [row["id"] for row in conn.execute(SQL["add_products"], batch._asdict())]
    values = {**batch._asdict(), "product_ids": product_ids}
    conn.execute(SQL["add_stock"], values, prepare=False)  # planned with the ids at hand, which are then hashed
    conn.execute(SQL["add_images"], values, prepare=False)
    return product_ids


def end_batch(conn: Conn, batch: Batch, *, created: int, skipped: int, refused: int) -> None:
    """Remove the batch from the staged rows and count: what was neither created nor refused was skipped."""
    values = {**batch._asdict(), "created": created, "skipped": skipped, "refused": refused}
    conn.execute(SQL["end_batch"], values)
