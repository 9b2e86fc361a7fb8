"""The cells of a row to a product, or to all of its errors."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from html import unescape
from typing import Any, NamedTuple

from marketplace.catalogue_csv.cells import (
    read_hidden,
    read_id,
    read_line,
    read_link,
    read_links,
    read_path,
    read_prose,
)
from marketplace.catalogue_csv.columns import Columns, printable
from marketplace.catalogue_csv.dialects.shape import Values
from marketplace.catalogue_csv.encoding import NUL, UNDECODABLE
from marketplace.catalogue_csv.headers import HEADER, REQUIRED
from marketplace.catalogue_csv.html_text import to_text
from marketplace.catalogue_csv.model import (
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
from marketplace.catalogue_csv.prices import Prices, read_stock
from marketplace.catalogue_csv.spreadsheet import restore

#: Whether there is a category of this path, for a marketplace whose imports may not add any.
KnownCategory = Callable[[tuple[str, ...]], bool]
_LINE = GoodRow._fields.index("line")
_STOCK = GoodRow._fields.index("stock")
_SKU = GoodRow._fields.index("sku")
_LINK = GoodRow._fields.index("source_url")
_ID = GoodRow._fields.index("known_id")
_IMAGES = GoodRow._fields.index("image_urls")
_HIDDEN = GoodRow._fields.index("hidden")
_OF_FIELD = {"marketplace_product_id": "known_id", "image_url": "image_urls"}


class _Step(NamedTuple):
    """One column's part of reading a row; `name` is the file's name of it."""

    position: int
    place: int
    read: Callable[[str], Any]
    name: str


class Rows:
    """Reads the rows of one file; `notes` counts what a seller should know about."""

    def __init__(
        self, columns: Columns, prices: Prices, known_category: KnownCategory | None
    ) -> None:
        self.notes: Counter[str] = Counter()
        self._columns = columns
        self._prices = prices
        self._known_category = known_category
        self._width = len(columns.header)
        self._blank: list[Any] = [None] * len(GoodRow._fields)
        self._blank[_IMAGES] = ()
        self._arranged = columns.dialect.arrange is not None
        self._steps = [step for name in HEADER for step in self._steps_of(name)]

    def _steps_of(self, field: str) -> list[_Step]:
        """Return one step a column; a dialect that is arranged into our shape has one column a
        field.
        """
        places = self._columns.positions.get(field, ())
        named = [(place, self._columns.header[place]) for place in places]
        if self._arranged:
            at = HEADER.index(field)
            named = [(at, named[0][1])] if named else [(at, field)] if field == "hidden" else []
        place = GoodRow._fields.index(_OF_FIELD.get(field, field))
        return [_Step(position, place, self._reader(field), name) for position, name in named]

    def _reader(self, field: str) -> Callable[[str], Any]:
        readers: dict[str, Callable[[str], Any]] = {
            "marketplace_product_id": read_id,
            "name": self._name,
            "description": self._description,
            "price": self._price,
            "stock": lambda cell: read_stock(cell.strip()) if cell and not cell.isspace() else None,
            "sku": lambda cell: read_line(cell, SKU_LENGTH) or None,
            "source_url": lambda cell: read_link(cell) if cell and not cell.isspace() else None,
            "category": self._category,
            "brand": _read_brand,
            "image_url": read_links,
            "hidden": read_hidden,
        }
        return readers[field]

    def read(
        self, line: int, raw: list[str], values: Values | None = None
    ) -> GoodRow | BadRow | None:
        """Return one row; None for a blank one. `values`: those that a dialect made of it."""
        if values is not None:
            cells = [values[name] for name in HEADER]
        else:
            cells = raw + [""] * (self._width - len(raw)) if len(raw) < self._width else raw
        product = self._blank.copy()
        product[_LINE] = line
        wrong: list[tuple[_Step, Wrong]] = []
        for step in self._steps:
            position, place, read, _ = step
            try:
                if place == _IMAGES:
                    product[_IMAGES] += read(cells[position])
                else:
                    product[place] = read(cells[position])
            except Wrong as error:
                wrong.append((step, error))
        if wrong or len(raw) > self._width:
            if is_blank(raw):
                return None
            if errors := self._errors(raw, cells, wrong):
                return BadRow(line, errors, _stored(raw))
        self._note(product)
        return GoodRow(*product)

    def broken(self, line: int, raw: list[str], problem: tuple[str, str]) -> BadRow:
        """Return a row whose quotes are wrong."""
        return BadRow(line, (CellError(None, *problem),), _stored(self.restored(raw)))

    def restored(self, raw: list[str]) -> list[str]:
        """The cells as they were before we wrote them into a file of ours."""
        return (
            [restore(cell) if cell[:1] == "'" else cell for cell in raw]
            if self._columns.own
            else raw
        )

    def _note(self, product: list[Any]) -> None:
        if product[_STOCK] is None:
            self.notes["default_stock"] += 1
        if product[_HIDDEN]:
            self.notes["hidden"] += 1
        if product[_SKU] is None and product[_LINK] is None and product[_ID] is None:
            self.notes["no_key"] += 1

    def _errors(
        self, raw: list[str], cells: list[str], wrong: list[tuple[_Step, Wrong]]
    ) -> tuple[CellError, ...]:
        """Return the errors, in words, in the order of the columns."""
        positions, count = self._columns.positions, len(raw)
        errors = []
        if not is_blank(raw[self._width :]):
            message = f"has {count:,} cells, and the header has {self._width:,}"
            errors.append(CellError(None, "too_many_columns", message))
        if not self._arranged and any(count <= positions[name][0] for name in REQUIRED):
            message = f"ends after {count:,} of {self._width:,} columns"
            errors.append(CellError(None, "too_few_columns", message))
        for step, error in sorted(wrong, key=lambda pair: pair[0].position):
            cell = cells[step.position]
            if NUL in cell:
                errors.append(CellError(step.name, "control_character", "must not have NUL bytes"))
            elif UNDECODABLE.search(cell):
                message = "has bytes that are no text; save the file as CSV UTF-8"
                errors.append(CellError(step.name, "invalid_encoding", message))
            elif self._arranged or step.position < count or error.code != "required":
                errors.append(CellError(step.name, error.code, error.message))
        return tuple(errors)

    def _name(self, cell: str) -> str:
        if self._arranged and "&" in cell:
            cell = to_text(cell)
        name = read_line(cell, NAME_LENGTH)
        if not name:
            raise Wrong("required", "must not be empty")
        return name

    def _description(self, cell: str) -> str | None:
        if not self._columns.exported and ("<" in cell or "&" in cell):
            cell = to_text(cell)
        return read_prose(cell, DESCRIPTION_LENGTH) or None

    def _price(self, cell: str) -> Decimal:
        if not cell or cell.isspace():
            raise Wrong("required", "must not be empty")
        return self._prices.read(cell)

    def _category(self, cell: str) -> tuple[str, ...] | None:
        cell = cell.strip()
        if self._arranged and "&" in cell:
            cell = unescape(cell)
        if "\n" in cell or "\r" in cell:
            self.notes["several_categories"] += 1
            cell = cell.replace("\r", "\n").partition("\n")[0]
        path = read_path(cell) or None
        if path and self._known_category and not self._known_category(path):
            raise Wrong("unknown_category", "is not one of the categories of this marketplace")
        return path


@lru_cache(maxsize=4096)
def _read_brand(cell: str) -> str | None:
    return read_line(cell, BRAND_LENGTH) or None


def is_blank(cells: list[str]) -> bool:
    """Return whether all of them are empty."""
    return all(not cell or cell.isspace() for cell in cells)


def _stored(cells: list[str]) -> tuple[str, ...]:
    """Return cells as a report keeps them: all of them text, and not without end."""
    return tuple(printable(cell) for cell in cells[:COLUMNS])
