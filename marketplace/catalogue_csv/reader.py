"""A product file from its first byte to its last row, which is read twice.

First it is surveyed: how many rows it has, the decimal sign of its prices, whether its quotes end,
the parents of its variants. So nothing is decided cell by cell, and errors of the file as a whole
show before any row is returned. Then its rows are read.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple

from marketplace.catalogue_csv.columns import (
    TITLE_ROWS,
    Columns,
    Names,
    Reading,
    delimiter_of,
    known,
    recognise,
)
from marketplace.catalogue_csv.dialects.shape import Arranged, Arranger
from marketplace.catalogue_csv.encoding import Lines
from marketplace.catalogue_csv.model import BadRow, CatalogRefused, GoodRow, SharedRow
from marketplace.catalogue_csv.prices import DecimalSign, Prices, Signs
from marketplace.catalogue_csv.records import Record, Records
from marketplace.catalogue_csv.rows import KnownCategory, Rows, is_blank
from marketplace.catalogue_csv.spreadsheet import unwrap
from marketplace.text.messages import say

_PEEK_LINES = 100
_PEEK_LENGTH = 1 << 18
#: How often the survey reports its progress.
WATCH_ROWS = 20_000
#: Called with the number of bytes read.
Watch = Callable[[int], None]


def read(
    stream: BinaryIO,
    *,
    dialect: str | None = None,
    decimal: DecimalSign | None = None,
    currency: str = "",
    columns: Names = MappingProxyType({}),
    image_base: str = "",
    known_category: KnownCategory | None = None,
    watch: Watch = lambda bytes_read: None,
) -> "CatalogFile":
    """Survey a file and return it for iteration. Raises CatalogRefused.

    `dialect`, `columns` (our name of a column, or the dialect's, to the file's name) and `decimal`
    (the file's decimal sign) settle what the file itself would decide. `currency` chooses among
    several prices; `image_base` is the address of images that the file only names; `known_category`
    tells whether a path of names exists, without it any will do. The stream is read in blocks,
    twice, from its first byte; it is not closed.
    """
    reading = Reading(dialect, columns, image_base, currency)
    opened = _opened(stream, reading)
    found = recognise(opened.header.cells, reading)
    signs = Signs(decimal)
    arranger = found.dialect.arrange(found.layout) if found.dialect.arrange else None
    catalog = CatalogFile(stream, reading, found, opened.delimiter, signs, arranger, known_category)
    opened.records.width = len(found.header)
    for record in opened.records:
        if catalog.survey(record) % WATCH_ROWS == 0:
            watch(opened.lines.bytes_read)
    catalog.begin()
    return catalog


class _Opened(NamedTuple):
    """A stream after its header; `above` rows came before that."""

    lines: Lines
    records: Records
    delimiter: str
    header: Record
    above: int


def _opened(stream: BinaryIO, reading: Reading) -> _Opened:
    """Return the lines and records of a stream after its header, and the header."""
    stream.seek(0)
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
    above = 0 if reading.dialect or reading.names else _rows_above(peeked[skipped:], delimiter)
    records = Records(chain(peeked[skipped:], rest), delimiter, first_line=skipped + 1)
    passed = 0
    for record in records:
        if passed < above:
            passed += any(cell.strip() for cell in record.cells)
            continue
        if record.problem is not None:
            code, reason = record.problem
            words = say(
                "The header in line {line} cannot be read: {reason}.",
                line=record.line,
                reason=reason,
            )
            raise CatalogRefused(code, words)
        if any(cell.strip() for cell in record.cells):
            return _Opened(lines, records, delimiter, record, above)
    raise CatalogRefused("empty_file", "The file has nothing but blank lines.")


def _rows_above(lines: Sequence[str], delimiter: str) -> int:
    """Return how many rows are above the header: a title, a date. None if the first row names
    columns itself.
    """
    passed = 0
    try:
        for record in Records(lines, delimiter):
            cells = record.cells
            if record.problem is not None or passed == TITLE_ROWS:
                return 0
            if not any(cell.strip() for cell in cells):
                continue
            count = known(cells)
            if count > 1 or (passed == 0 and count == len(cells)):
                return passed
            passed += 1
    except CatalogRefused:  # a cell that goes on after the checked lines
        pass
    return 0


class CatalogFile:
    """A surveyed file, to be iterated over once, in bounded memory.

    `notes` and `describe` are final after the last row.
    """

    def __init__(
        self,
        stream: BinaryIO,
        reading: Reading,
        columns: Columns,
        delimiter: str,
        signs: Signs,
        arranger: Arranger | None,
        known_category: KnownCategory | None,
    ) -> None:
        self.columns = columns
        self.delimiter = delimiter
        self.rows_total = 0
        self._stream = stream
        self._reading = reading
        self._signs = signs
        self._arranger = arranger
        self._known_category = known_category
        self._prices = Prices(signs)
        self._rows = Rows(columns, self._prices, known_category)
        self._price_columns = columns.positions.get("price", ())
        self._lines: Lines | None = None

    def survey(self, record: Record) -> int:
        """Take a row of the first reading into account; return how many there were."""
        cells = record.cells
        if record.problem is None:
            for place in self._price_columns:
                if place < len(cells):
                    self._signs.look(unwrap(cells[place]))
            if self._arranger is not None:
                self._arranger.survey(self._rows.restored(cells))
        self.rows_total += 1
        return self.rows_total

    def begin(self) -> None:
        """Get ready to read, now that all is known."""
        self._prices = Prices(self._signs)
        self._rows = Rows(self.columns, self._prices, self._known_category)

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns in the file; the cells of bad rows are under them."""
        return self.columns.header

    @property
    def fields(self) -> list[str]:
        """The fields of a product that the file has columns for: the others stay unchanged.

        Weight and struck price of another system's file are left out: new products get them, and
        those that an earlier file made stay as they are.
        """
        fields = set(self.columns.positions)
        if self._arranger:
            fields -= {"weight_grams", "price_before", "variant_barcode"}
        return sorted(fields | {"hidden"} if self._arranger and "hidden" in fields else fields)

    @property
    def encoding(self) -> str:
        """utf-8 (so for plain ASCII too), cp1252, cp1254, utf-16-le, ..."""
        return self._lines.encoding if self._lines else ""

    @property
    def bytes_read(self) -> int:
        """How far the second reading is, for a progress bar: some blocks ahead of the rows."""
        return self._lines.bytes_read if self._lines else 0

    @property
    def notes(self) -> dict[str, int]:
        """What a seller should know about the reading: how often each of NOTES occurred."""
        notes = Counter(self._rows.notes)
        if self._arranger is not None:
            notes.update(self._arranger.notes)
        return {code: count for code, count in sorted(notes.items()) if count}

    def describe(self) -> dict[str, Any]:
        """Return how the file was read, ready for JSON."""
        columns, header = self.columns, self.columns.header
        return {
            "dialect": columns.dialect.name,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "used": {
                name: [header[place] for place in places]
                for name, places in columns.positions.items()
            },
            "ignored": list(columns.ignored),
            "unknown": list(columns.unknown),
            "own_header": columns.own,
            "stock_column": "stock" in columns.positions,
            "prices": self._signs.describe(),
            "currencies": sorted(self._prices.currencies),
            "notes": self.notes,
        }

    def __iter__(self) -> Iterator[GoodRow | BadRow | SharedRow]:
        """Yield every row except blank ones. Raises CatalogRefused."""
        empty = True
        for record, arranged in self._records():
            row: GoodRow | BadRow | SharedRow | None
            if record is not None and record.problem is not None:
                row = self._rows.broken(record.line, record.cells, record.problem)
            elif record is not None:
                row = self._rows.read(record.line, self._rows.restored(record.cells))
            elif arranged is not None and arranged.values is not None:
                row = self._rows.read(arranged.line, arranged.cells, arranged.values, arranged.kind)
            else:
                row = SharedRow(arranged.line) if arranged is not None else None
            if row is not None:
                empty = False
                yield row
            elif record is not None and len(record.cells) > 1:
                self._rows.notes["blank_rows"] += 1
        if empty:
            raise CatalogRefused("empty_file", "The file has a header and no rows below it.")

    def cells(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the line and the cells of each row, as a report of bad rows shows them."""
        for record, arranged in self._records():
            if record is not None:
                yield record.line, self._rows.restored(record.cells)
            elif arranged is not None:
                yield arranged.line, arranged.cells

    def _records(self) -> Iterator[tuple[Record | None, Arranged | None]]:
        """Yield the rows: unchanged, or as the dialect has arranged them."""
        opened = _opened(self._stream, self._reading)
        self._lines, records = opened.lines, opened.records
        self._rows.notes["title_rows"] = opened.above
        records.width = len(self.columns.header)
        arranger = self._arranger
        if arranger is None:
            for record in records:
                yield record, None
            return
        for record in records:
            if record.problem is not None or is_blank(record.cells):
                yield record, None
                continue
            for arranged in arranger.take(record.line, self._rows.restored(record.cells)):
                yield None, arranged
        for arranged in arranger.rest():
            yield None, arranged
