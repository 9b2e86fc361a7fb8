"""The cells of a row to a product, or to everything that is wrong with them."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from marketplace.catalog_csv.cells import read_line, read_link, read_links, read_path, read_prose
from marketplace.catalog_csv.columns import REQUIRED, Columns, printable
from marketplace.catalog_csv.encoding import NUL, UNDECODABLE
from marketplace.catalog_csv.model import (
    BRAND_LENGTH,
    COLUMNS,
    DESCRIPTION_LENGTH,
    NAME_LENGTH,
    SKU_LENGTH,
    BadRow,
    CellError,
    GoodRow,
    Wrong,
)
from marketplace.catalog_csv.prices import Prices, read_stock
from marketplace.catalog_csv.spreadsheet import restore

#: Whether there is a category of this path, for a marketplace whose imports may not add any.
KnownCategory = Callable[[tuple[str, ...]], bool]
_LINE = GoodRow._fields.index("line")
_STOCK = GoodRow._fields.index("stock")
_IMAGES = GoodRow._fields.index("image_urls")


class Rows:
    """Reads the rows of one file; `notes` counts what a seller should know about."""

    def __init__(
        self, columns: Columns, prices: Prices, default_stock: int, known_category: KnownCategory | None
    ) -> None:
        self.notes: Counter[str] = Counter()
        self._columns = columns
        self._prices = prices
        self._default_stock = default_stock
        self._known_category = known_category
        self._width = len(columns.header)
        self._blank: list[Any] = [0, "", None, None, None, None, None, None, None, ()]
        self._image_columns = columns.positions.get("image_url", ())
        self._plan = [
            (columns.positions[name][0], GoodRow._fields.index(name), read)
            for name, read in self._readers().items()
            if name in columns.positions
        ]

    def _readers(self) -> dict[str, Callable[[str], Any]]:
        return {
            "name": self._name,
            "description": lambda cell: read_prose(cell, DESCRIPTION_LENGTH) or None,
            "price": self._price,
            "stock": lambda cell: read_stock(cell.strip()) if cell and not cell.isspace() else None,
            "sku": lambda cell: read_line(cell, SKU_LENGTH) or None,
            "source_url": lambda cell: read_link(cell) if cell and not cell.isspace() else None,
            "category": self._category,
            "brand": lambda cell: read_line(cell, BRAND_LENGTH) or None,
        }

    def read(self, line: int, raw: list[str]) -> GoodRow | BadRow | None:
        """One row; None for a blank one."""
        if self._columns.own:
            raw = [restore(cell) if cell[:1] == "'" else cell for cell in raw]
        cells = raw + [""] * (self._width - len(raw)) if len(raw) < self._width else raw
        values = self._blank.copy()
        values[_LINE] = line
        wrong: list[tuple[int, Wrong]] = []
        for position, field, read in self._plan:
            try:
                values[field] = read(cells[position])
            except Wrong as error:
                wrong.append((position, error))
        for position in self._image_columns:
            try:
                values[_IMAGES] += read_links(cells[position])
            except Wrong as error:
                wrong.append((position, error))
        if wrong or len(raw) > self._width:
            if _is_blank(raw):
                return None
            if errors := self._errors(raw, wrong):
                return BadRow(line, errors, _stored(raw))
        if values[_STOCK] is None:
            values[_STOCK] = self._default_stock
            self.notes["default_stock"] += 1
        return GoodRow(*values)

    def broken(self, line: int, raw: list[str], problem: tuple[str, str]) -> BadRow:
        """A row whose quotes are wrong."""
        raw = [restore(cell) for cell in raw] if self._columns.own else raw
        return BadRow(line, (CellError(None, *problem),), _stored(raw))

    def _errors(self, raw: list[str], wrong: list[tuple[int, Wrong]]) -> tuple[CellError, ...]:
        """What is wrong, in words, in the order of the columns."""
        header, positions, count = self._columns.header, self._columns.positions, len(raw)
        errors = []
        if not _is_blank(raw[self._width :]):
            message = f"has {count:,} cells, and the header has {self._width:,}"
            errors.append(CellError(None, "too_many_columns", message))
        if any(count <= positions[name][0] for name in REQUIRED):
            message = f"ends after {count:,} of {self._width:,} columns"
            errors.append(CellError(None, "too_few_columns", message))
        for position, error in sorted(wrong, key=lambda pair: pair[0]):
            cell = raw[position] if position < count else ""
            if NUL in cell:
                errors.append(CellError(header[position], "control_character", "must not have NUL bytes"))
            elif UNDECODABLE.search(cell):
                message = "has bytes that are no text; save the file as CSV UTF-8"
                errors.append(CellError(header[position], "invalid_encoding", message))
            elif position < count or error.code != "required":
                errors.append(CellError(header[position], error.code, error.message))
        return tuple(errors)

    def _name(self, cell: str) -> str:
        name = read_line(cell, NAME_LENGTH)
        if not name:
            raise Wrong("required", "must not be empty")
        return name

    def _price(self, cell: str) -> Decimal:
        if not cell or cell.isspace():
            raise Wrong("required", "must not be empty")
        return self._prices.read(cell)

    def _category(self, cell: str) -> tuple[str, ...] | None:
        cell = cell.strip()
        if "\n" in cell or "\r" in cell:
            self.notes["several_categories"] += 1
            cell = cell.replace("\r", "\n").partition("\n")[0]
        path = read_path(cell) or None
        if path and self._known_category and not self._known_category(path):
            raise Wrong("unknown_category", "is not one of the categories of this marketplace")
        return path


def _is_blank(cells: list[str]) -> bool:
    return all(not cell or cell.isspace() for cell in cells)


def _stored(cells: list[str]) -> tuple[str, ...]:
    """Cells as a report keeps them: all of them text, and not without end."""
    return tuple(printable(cell) for cell in cells[:COLUMNS])
