"""What is read from a product file: rows, and what is wrong with them."""

import io

from marketplace.catalogue_csv import BadRow, GoodRow, read


def rows_of(content: str | bytes, **options):
    catalog = read(io.BytesIO(content.encode() if isinstance(content, str) else content), **options)
    return catalog, list(catalog)


def good(content: str | bytes, **options) -> list[GoodRow]:
    _, rows = rows_of(content, **options)
    assert not [row for row in rows if isinstance(row, BadRow)]
    return rows


def codes(row: GoodRow | BadRow) -> list[tuple[str | None, str]]:
    assert isinstance(row, BadRow), row
    return [(error.column, error.code) for error in row.errors]


def one(column: str, cell: str) -> GoodRow | BadRow:
    """The row of a file that has this cell in this column."""
    cells = {"name": "Pan", "price": "1"} | {column: cell}
    line = ",".join('"{}"'.format(cell.replace('"', '""')) for cell in cells.values())
    (row,) = rows_of(f"{','.join(cells)}\n{line}\n")[1]
    return row
