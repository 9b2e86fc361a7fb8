"""Good rows of an import, staged, then applied to the catalogue. Statements:
sql/queries/import_rows.sql.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import orjson

from marketplace.catalogue_csv import GoodRow
from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one
from marketplace.text.messages import kept, say

SQL = named_sql("import_rows")
#: From here on few rows have values.
_PLAIN = GoodRow._fields.index("in_stock") + 1
_NOTHING_MORE = tuple(GoodRow._field_defaults[name] for name in GoodRow._fields[_PLAIN:])


class Batch(NamedTuple):
    """The staged rows of an import above after_line, up to last_line; `fields` are the file's
    columns.
    """

    import_id: int
    store_id: int
    after_line: int
    last_line: int
    default_stock: int
    fields: list[str]


class Matched(NamedTuple):
    """Lines of a batch that match products of the store, with the products' ids, and which fields
    differ; lines whose product has variants by now; lines that are wrong, why, and the stock there;
    lines whose product stays hidden; how many raise a stock that the file has not seen; and lines
    that match none and cannot make one.
    """

    met: list[int]
    met_ids: list[int]
    varied: list[int]
    conflicts: list[int]
    wrong: list[int]
    wrong_codes: list[str]
    wrong_stock: list[int]
    changed: list[int]
    changed_ids: list[int]
    pictures: list[int]
    pictures_ids: list[int]
    stocked: list[int]
    stocked_ids: list[int]
    hidden: list[int]
    raised: int
    incomplete: list[int]


class Stocked(NamedTuple):
    """A row whose stock differs; variant 0 is the product itself."""

    line: int
    product_id: int
    variant_id: int


class WrongRow(NamedTuple):
    """A row that turns out bad: its field, a code and words; None for the row as a whole."""

    line: int
    field: str | None
    code: str
    message: str


def forget(conn: Conn, import_id: int) -> None:
    """Remove what was read of the file, and count from zero."""
    conn.execute(SQL["forget"], {"import_id": import_id})


def clear(conn: Conn, import_id: int) -> None:
    """Remove staged rows that nobody will apply."""
    conn.execute(SQL["clear"], {"import_id": import_id})


def copy(conn: Conn, import_id: int, rows: Iterable[GoodRow], *, grouped: bool) -> None:
    """Stage good rows; those of one product together only if they are `grouped`."""
    more: list[GoodRow] = []
    with conn.cursor() as cursor, cursor.copy(SQL["copy_rows"]) as copying:
        write = copying.write_row
        for row in rows:
            if row[_PLAIN:] != _NOTHING_MORE:
                more.append(row)
            else:
                write(_plain(import_id, row))
    if more:
        with conn.cursor() as cursor, cursor.copy(SQL["copy_variants"]) as copying:
            for row in more:
                copying.write_row(_plain(import_id, row) + _variant(row, grouped=grouped))


def _plain(import_id: int, row: GoodRow) -> tuple[Any, ...]:
    category = _array(row.category) if row.category else None
    images = _array(row.image_urls)
    return (import_id, *row[:8], category, row.brand, images, row.hidden, row.in_stock)


def _variant(row: GoodRow, *, grouped: bool) -> tuple[Any, ...]:
    """Return what a row is as a variant, and what few rows have."""
    names, values = zip(*row.options, strict=True) if row.options else (None, None)
    return (
        row.group if grouped else None,
        _array(names) if names else None,
        _array(values) if values else None,
        row.product_name,
        row.product_description,
        _array(row.gallery) if row.gallery else None,
        row.variant_id,
        row.variant_image,
        row.variant_hidden,
        row.barcode,
        row.weight_grams,
        row.price_before,
        row.stock_seen,
    )


def settle_twins(conn: Conn, import_id: int) -> None:
    """Leave out rows whose keys an earlier one has; those that differ from it are bad."""
    words = say(
        "is that of the row in line {line} too, which says something else", line="{line}"
    )  # each row has its own line
    conn.execute(SQL["settle_twins"], {"import_id": import_id, "words": words}, prepare=False)


def fit_categories(conn: Conn, import_id: int, *, room: int) -> int:
    """Give rows of a category beyond the limit the nearest one that exists or will; return how many
    rows.
    """
    values = {"import_id": import_id, "room": room}
    return int(conn.execute(SQL["fit_categories"], values, prepare=False).fetchall()[0]["moved"])


def wishes(conn: Conn, import_id: int, limit: int) -> Row:
    """Return the categories beyond the limit: `count`, the `first` paths, and how many `rows`."""
    return one(conn, SQL["wishes"], {"import_id": import_id, "limit": limit})


def next_batch(conn: Conn, import_id: int, *, after_line: int, limit: int) -> Row:
    """Return of the next rows: last_line (None: there are none), rows_ahead, has_categories,
    has_brands, settled (lines).
    """
    return one(
        conn, SQL["next_batch"], {"import_id": import_id, "after_line": after_line, "limit": limit}
    )


def match(conn: Conn, batch: Batch) -> Matched:
    """Return which rows of the batch match a product, and what differs."""
    return Matched(**one(conn, SQL["match"], batch._asdict()))


def refuse_conflicts(conn: Conn, import_id: int, lines: Sequence[int]) -> None:
    """Turn rows whose keys match several products into bad ones."""
    words = say("its id, SKU and link are not those of one product of the store")
    values = {"import_id": import_id, "lines": list(lines), "words": words}
    conn.execute(SQL["refuse_conflicts"], values)


def refuse(conn: Conn, import_id: int, wrong: Sequence[WrongRow]) -> None:
    """Turn rows into bad ones."""
    said = [kept(each.message) for each in wrong]
    values = {
        "import_id": import_id,
        "lines": [each.line for each in wrong],
        "fields": [each.field for each in wrong],
        "codes": [each.code for each in wrong],
        "messages": [each.message for each in wrong],
        "said": [None if each is None else orjson.dumps(each).decode() for each in said],
    }
    conn.execute(SQL["refuse"], values)


def describe(
    conn: Conn, batch: Batch, lines: Sequence[int], product_ids: Sequence[int]
) -> list[Row]:
    """Return line, before and after of the fields that rows change; images are not among them."""
    values = {**batch._asdict(), "lines": list(lines), "product_ids": list(product_ids)}
    return conn.execute(SQL["describe"], values).fetchall()


def images(conn: Conn, batch: Batch, lines: Sequence[int], product_ids: Sequence[int]) -> list[Row]:
    """Return line, and the images `before` and `after` the rows change them."""
    values = {
        "import_id": batch.import_id,
        "lines": list(lines),
        "product_ids": list(product_ids),
    }
    return conn.execute(SQL["images"], values).fetchall()


def refuse_incomplete(conn: Conn, import_id: int, lines: Sequence[int]) -> None:
    """Turn rows into bad ones that match no product and lack what a new one needs."""
    words = say("must not be empty: no product of the store has the keys of the row")
    values = {"import_id": import_id, "lines": list(lines), "words": words}
    conn.execute(SQL["refuse_incomplete"], values)


def missing_levels(conn: Conn, batch: Batch) -> int:
    """Return the depth of the deepest of the batch's category paths that does not exist; 0 if all
    do.
    """
    return int(one(conn, SQL["missing_levels"], batch._asdict())["levels"] or 0)


def add_categories(conn: Conn, batch: Batch, level: int) -> None:
    """Add the missing categories of one level; the tree is locked, and the levels above are
    complete.
    """
    conn.execute(SQL["add_categories"], {**batch._asdict(), "level": level})


def refuse_unknown(conn: Conn, batch: Batch) -> None:
    """Turn rows whose category does not exist into bad ones."""
    words = say("is not one of the categories of this marketplace")
    conn.execute(SQL["refuse_unknown"], {**batch._asdict(), "words": words})


def lock_categories(conn: Conn, batch: Batch) -> None:
    """Keep the batch's categories unchanged until the transaction ends."""
    conn.execute(SQL["lock_categories"], batch._asdict())


def add_brands(conn: Conn, batch: Batch) -> None:
    """Add the new brands."""
    conn.execute(SQL["add_brands"], batch._asdict())


def add_products(conn: Conn, batch: Batch, met: Sequence[int]) -> list[int]:
    """Make products of the rows except for the lines that match one, with stock and images; return
    the new ids.

    Raises psycopg.errors.UniqueViolation if somebody has made one of them meanwhile.
    """
    values = {**batch._asdict(), "met": list(met)}
    product_ids = [row["id"] for row in conn.execute(SQL["add_products"], values)]
    if product_ids:
        conn.execute(SQL["add_stock"], values)
        conn.execute(SQL["add_images"], values)
    return product_ids


def change_products(
    conn: Conn, batch: Batch, lines: Sequence[int], product_ids: Sequence[int]
) -> None:
    """Write the rows' values to locked products."""
    values: dict[str, Any] = {
        **batch._asdict(),
        "lines": list(lines),
        "product_ids": list(product_ids),
    }
    conn.execute(SQL["change_products"], values)


def touch_products(conn: Conn, batch: Batch, product_ids: Sequence[int]) -> None:
    """Raise the versions of products whose images alone differ."""
    conn.execute(
        SQL["touch_products"], {"store_id": batch.store_id, "product_ids": list(product_ids)}
    )


def change_images(
    conn: Conn, batch: Batch, lines: Sequence[int], product_ids: Sequence[int]
) -> None:
    """Give locked products the images that rows name, in their order, and no others."""
    values = {"import_id": batch.import_id, "lines": list(lines), "product_ids": list(product_ids)}
    for name in ("remove_images", "unset_main_images", "add_further_images", "order_images"):
        conn.execute(SQL[name], values)


def lock_stock_ahead(conn: Conn, import_id: int, store_id: int) -> None:
    """Lock the stock of all products whose stock the import will change."""
    conn.execute(
        SQL["lock_stock_ahead"], {"import_id": import_id, "store_id": store_id}, prepare=False
    )


def change_stock(conn: Conn, batch: Batch, rows: Sequence[Stocked]) -> list[WrongRow]:
    """Write the rows' stock; return those whose stock is not any more what the file has seen."""
    values = {
        "import_id": batch.import_id,
        "store_id": batch.store_id,
        "lines": [row.line for row in rows],
        "product_ids": [row.product_id for row in rows],
        "variant_ids": [row.variant_id for row in rows],
    }
    return [unseen(row["line"], row["stock"]) for row in conn.execute(SQL["change_stock"], values)]


def unseen(line: int, there: int) -> WrongRow:
    """Return what is wrong with a row whose file has seen another stock than there is."""
    words = say("the stock is {there} by now, and not what stock_seen says", there=there)
    return WrongRow(line, "stock", "precondition_failed", words)


def settle(conn: Conn, import_id: int, lines: Sequence[int]) -> None:
    """Note that only the stock of these rows is still to come."""
    conn.execute(SQL["settle"], {"import_id": import_id, "lines": list(lines)})


def too_low(line: int) -> WrongRow:
    """Return what is wrong with a row whose struck price is not above the price."""
    return WrongRow(line, "price_before", "price_before_too_low", say("must be above the price"))


def end_batch(conn: Conn, batch: Batch, keep: Sequence[int]) -> None:
    """Remove the batch from the staged rows, except for these lines."""
    conn.execute(SQL["end_batch"], {**batch._asdict(), "lines": list(keep)})


def new_things(conn: Conn, import_id: int, limit: int) -> dict[str, Any]:
    """Return categories and brands that would be added: `count` of them, and the `first`."""
    values = {"import_id": import_id, "limit": limit}
    return {
        "new_categories": dict(one(conn, SQL["new_categories"], values)),
        "new_brands": dict(one(conn, SQL["new_brands"], values)),
    }


def _array(texts: tuple[str, ...]) -> str:
    """Return texts in the form of a PostgreSQL array; three times as quick as adapting a list."""
    if not texts:
        return "{}"
    quoted = [text.replace("\\", "\\\\").replace('"', '\\"') for text in texts]
    return '{"' + '","'.join(quoted) + '"}'
