"""A product file from its first byte to its last row."""

from collections.abc import Iterator
from itertools import chain
from typing import Any, BinaryIO

from marketplace.catalog_csv.columns import Columns, delimiter_of, recognise
from marketplace.catalog_csv.encoding import Lines
from marketplace.catalog_csv.model import BadRow, CatalogRefused, GoodRow
from marketplace.catalog_csv.prices import DecimalSign, Prices
from marketplace.catalog_csv.records import Records
from marketplace.catalog_csv.rows import KnownCategory, Rows

_PEEK_LINES = 100
_PEEK_LENGTH = 1 << 18


def read(
    stream: BinaryIO,
    *,
    default_stock: int = 0,
    decimal: DecimalSign | None = None,
    known_category: KnownCategory | None = None,
) -> "CatalogFile":
    """Understands the header of a file and gives the file to iterate over. Raises CatalogRefused.

    `default_stock` is the stock of rows that give none. `known_category` says of a path of names
    whether there is such a category; without it any will do. `decimal` is the sign the file has for
    decimals; without it, a dot or comma before exactly three digits groups thousands. The stream is read
    in blocks and not closed.
    """
    lines = Lines(stream)
    rest = iter(lines)
    peeked: list[str] = []
    length = 0
    for line in rest:
        peeked.append(line)
        length += len(line)
        if len(peeked) >= _PEEK_LINES or length >= _PEEK_LENGTH:
            break
    delimiter, skipped = delimiter_of(peeked)
    records = Records(chain(peeked[skipped:], rest), delimiter, first_line=skipped + 1)
    for record in records:
        if record.problem is not None:
            code, words = record.problem
            raise CatalogRefused(code, f"The header in line {record.line} cannot be read: {words}.")
        if any(cell.strip() for cell in record.cells):
            columns = recognise(record.cells)
            records.width = len(columns.header)
            prices = Prices(decimal)
            rows = Rows(columns, prices, default_stock, known_category)
            return CatalogFile(lines, records, columns, delimiter, default_stock, prices, rows)
    raise CatalogRefused("empty_file", "The file has nothing but blank lines.")


class CatalogFile:
    """A file whose header is understood, to be iterated over once, in bounded memory.

    It may yet be refused on the way (CatalogRefused). What it says about itself is final after the last row.
    """

    def __init__(
        self,
        lines: Lines,
        records: Records,
        columns: Columns,
        delimiter: str,
        default_stock: int,
        prices: Prices,
        rows: Rows,
    ) -> None:
        self.columns = columns
        self.delimiter = delimiter
        self.default_stock = default_stock
        self._lines = lines
        self._records = records
        self._prices = prices
        self._rows = rows

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns as in the file; the cells of bad rows stand under them."""
        return self.columns.header

    @property
    def encoding(self) -> str:
        """utf-8 (so for plain ASCII too), cp1252, utf-16-le, ..."""
        return self._lines.encoding

    @property
    def bytes_read(self) -> int:
        """How far the reading is, for a progress bar: some blocks ahead of the rows."""
        return self._lines.bytes_read

    @property
    def notes(self) -> dict[str, int]:
        """What a seller should know about the reading: how often each of NOTES came up."""
        notes = {**self._rows.notes, "ambiguous_prices": self._prices.ambiguous}
        return {code: count for code, count in sorted(notes.items()) if count}

    def describe(self) -> dict[str, Any]:
        """How the file was read, ready for JSON."""
        columns, header = self.columns, self.columns.header
        return {
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "used": {name: [header[place] for place in places] for name, places in columns.positions.items()},
            "ignored": list(columns.ignored),
            "unknown": list(columns.unknown),
            "own_header": columns.own,
            "stock_column": "stock" in columns.positions,
            "default_stock": self.default_stock,
            "decimal_signs": [sign for sign, count in self._prices.decimals.items() if count],
            "currencies": sorted(self._prices.currencies),
            "notes": self.notes,
        }

    def __iter__(self) -> Iterator[GoodRow | BadRow]:
        """Every row but the blank ones. Raises CatalogRefused."""
        empty = True
        read_row = self._rows.read
        for line, cells, problem in self._records:
            row = read_row(line, cells) if problem is None else self._rows.broken(line, cells, problem)
            if row is not None:
                empty = False
                yield row
            elif len(cells) > 1:
                self._rows.notes["blank_rows"] += 1
        if empty:
            raise CatalogRefused("empty_file", "The file has a header and no rows below it.")
