"""Rows of an import that are variants, applied to the catalogue product by product. Statements:
sql/queries/import_variants.sql.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from marketplace.catalogue_csv.model import VARIANTS
from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one
from marketplace.text.messages import say

SQL = named_sql("import_variants")


class Batch(NamedTuple):
    """Whole groups of staged rows: those above after_key, up to last_key; `fields` are the file's
    columns.
    """

    import_id: int
    store_id: int
    after_key: str
    last_key: str
    default_stock: int
    fields: list[str]
    most: int = VARIANTS


class Met(NamedTuple):
    """A row of a batch: what it is of, what is wrong with it, and what differs.

    `new_id` is that of the product if its row makes one; `owner` is the product's id, or the key of
    the group. `first` in its product: `images` are all images of it. `there` is the stock now;
    `fresh`: a variant nobody has yet. `parted`: the row is of a product without variants.
    """

    line: int
    group_key: str
    settled: bool
    new_id: int
    product_id: int | None
    variant_id: int | None
    owner: str
    name: str | None
    price: str | None
    parted: bool
    first: bool
    all_hidden: bool | None
    variant_image: str | None
    option_values: list[str] | None
    there: int | None
    stock: int | None
    stock_seen: int | None
    new_stock: int
    new_hidden: bool
    fresh: bool
    stays_hidden: bool
    shows_or_hides: bool
    images: list[str] | None
    code: str | None
    product_changed: bool
    pictures_changed: bool
    variant_changed: bool
    stock_changed: bool


def any_there(conn: Conn, import_id: int, store_id: int) -> Row:
    """Return whether there are variants `in_store`, and rows of some `in_file`."""
    return one(conn, SQL["any_there"], {"import_id": import_id, "store_id": store_id})


def part(conn: Conn, import_id: int, store_id: int) -> int:
    """Leave apart the rows of groups one of which is of a simple product; return how many rows."""
    values = {"import_id": import_id, "store_id": store_id}
    row = conn.execute(SQL["part"], values, prepare=False).fetchone()
    return int(row["parted"]) if row else 0


def attach(conn: Conn, import_id: int, store_id: int) -> None:
    """Put rows of products with variants together."""
    conn.execute(SQL["attach"], {"import_id": import_id, "store_id": store_id}, prepare=False)


def refuse_groups(conn: Conn, import_id: int) -> int:
    """Turn rows into bad ones whose group is too large, or that have the options of another; return
    how many.
    """
    values = {
        "import_id": import_id,
        "most": VARIANTS,
        "words_many": say("its product has more than 100 variants; variants=separate takes them"),
        "words_same": say("an earlier row of the product has the same options"),
    }
    row = conn.execute(SQL["refuse_groups"], values, prepare=False).fetchone()
    return int(row["refused"]) if row else 0


def next_batch(conn: Conn, import_id: int, *, after_key: str, limit: int) -> Row:
    """Return of the next groups: last_key (None: there are none), keys, first_line, last_line,
    has_categories, has_brands.
    """
    values = {"import_id": import_id, "after_key": after_key, "limit": limit}
    return one(conn, SQL["next_batch"], values)


def match(conn: Conn, batch: Batch) -> list[Met]:
    """Return the rows of the batch, by line, with what they are of and what differs."""
    return [Met(**row) for row in conn.execute(SQL["match"], batch._asdict())]


def describe(conn: Conn, batch: Batch, rows: Sequence[Met]) -> list[Row]:
    """Return line, before and after of the fields that rows change; images are not among them."""
    values = {
        **batch._asdict(),
        "lines": [row.line for row in rows],
        "product_ids": [row.product_id for row in rows],
        "variant_ids": [row.variant_id for row in rows],
        "firsts": [row.first for row in rows],
        "hidden": [row.all_hidden for row in rows],
    }
    return conn.execute(SQL["describe"], values).fetchall()


def images_of(conn: Conn, product_ids: Sequence[int]) -> dict[int, list[str]]:
    """Return the images of products, by id."""
    rows = conn.execute(SQL["images_of"], {"product_ids": list(product_ids)})
    return {row["product_id"]: row["urls"] for row in rows}


def lock_stock(conn: Conn, product_ids: Sequence[int]) -> None:
    """Lock the stock of products, before these themselves are locked."""
    conn.execute(SQL["lock_stock"], {"product_ids": list(product_ids)})


def add_products(conn: Conn, batch: Batch, keys: Sequence[str]) -> None:
    """Make a product of each of these groups, without its variants."""
    conn.execute(SQL["add_products"], {**batch._asdict(), "keys": list(keys)})


def set_images(conn: Conn, images: Mapping[int, Sequence[str]], *, new: bool) -> None:
    """Give products these images, in their order, and no others."""
    values = {
        "product_ids": list(images),
        "of_products": [each for each, urls in images.items() for _ in urls],
        "urls": [url for urls in images.values() for url in urls],
    }
    for name in ("add_images", "order_images") if new else _ALL_IMAGES:
        conn.execute(SQL[name], values)


_ALL_IMAGES = ("remove_images", "unset_main_images", "add_images", "order_images")


def add_variants(conn: Conn, batch: Batch, rows: Sequence[Met]) -> dict[int, int]:
    """Make variants of the rows, with their stock; return their ids by line.

    Raises psycopg.errors.UniqueViolation if somebody has made one of them meanwhile.
    """
    products = {row.line: row.product_id or row.new_id for row in rows}
    values = {
        "import_id": batch.import_id,
        "store_id": batch.store_id,
        "lines": list(products),
        "product_ids": list(products.values()),
    }
    made = {
        (row["product_id"], tuple(row["options"])): row["id"]
        for row in conn.execute(SQL["add_variants"], values)
    }
    ids = {row.line: made[products[row.line], tuple(row.option_values or ())] for row in rows}
    stock = {
        "product_ids": list(products.values()),
        "variant_ids": [ids[row.line] for row in rows],
        "quantities": [row.new_stock for row in rows],
        "on_sale": [not row.new_hidden for row in rows],
    }
    conn.execute(SQL["add_stock"], stock)
    return ids


def change_variants(conn: Conn, batch: Batch, rows: Sequence[Met]) -> None:
    """Write the rows' values to variants of locked products."""
    values: dict[str, Any] = {
        **batch._asdict(),
        "lines": [row.line for row in rows],
        "product_ids": [row.product_id for row in rows],
        "variant_ids": [row.variant_id for row in rows],
    }
    conn.execute(SQL["change_variants"], values)


def show_or_hide(conn: Conn, product_ids: Sequence[int]) -> None:
    """Have the stock of these products on sale where its variant is visible."""
    conn.execute(SQL["show_or_hide"], {"product_ids": list(product_ids)})


def change_products(conn: Conn, batch: Batch, firsts: Mapping[int, Met | None]) -> None:
    """Write what the first rows (None: they say nothing new) say of locked products, and what
    their variants make of them.
    """
    values = {
        **batch._asdict(),
        "product_ids": list(firsts),
        "lines": [row.line if row else None for row in firsts.values()],
        "hidden": [row.all_hidden if row else None for row in firsts.values()],
    }
    conn.execute(SQL["change_products"], values)


def end_batch(conn: Conn, batch: Batch, keep: Sequence[int]) -> None:
    """Remove the batch from the staged rows, except for these lines."""
    values = {
        "import_id": batch.import_id,
        "after_key": batch.after_key,
        "last_key": batch.last_key,
        "lines": list(keep),
    }
    conn.execute(SQL["end_batch"], values)
