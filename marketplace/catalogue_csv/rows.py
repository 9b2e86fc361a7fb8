"""The cells of a row to a product, or to all of its errors."""

import re
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from html import unescape
from typing import Any, NamedTuple

from marketplace.catalogue_csv import places
from marketplace.catalogue_csv.amounts import (
    SOME,
    read_amount,
    read_brand,
    read_option,
    read_weight,
)
from marketplace.catalogue_csv.cells import (
    read_hidden,
    read_id,
    read_key,
    read_link,
    read_path,
    read_prose,
    read_whole,
    refuse_broken,
)
from marketplace.catalogue_csv.columns import Columns, printable
from marketplace.catalogue_csv.dialects.shape import Kind, Values
from marketplace.catalogue_csv.encoding import NUL, UNDECODABLE
from marketplace.catalogue_csv.headers import HEADER, OPTIONS, REQUIRED
from marketplace.catalogue_csv.html_text import to_text
from marketplace.catalogue_csv.image_links import read_links
from marketplace.catalogue_csv.kinds import Kinds, Readers
from marketplace.catalogue_csv.model import (
    COLUMNS,
    DESCRIPTION_LENGTH,
    NAME_LENGTH,
    SKU_LENGTH,
    BadCell,
    BadRow,
    CellError,
    GoodRow,
)
from marketplace.catalogue_csv.prices import Prices, read_stock
from marketplace.catalogue_csv.spreadsheet import restore, unwrap
from marketplace.text.lines import is_seen
from marketplace.text.messages import say

#: Whether there is a category of this path, for a marketplace whose imports may not add any.
KnownCategory = Callable[[tuple[str, ...]], bool]
_KEYS = (places.SKU, places.LINK, places.ID)
_DECORATED = frozenset("'=")
_NUMBER = re.compile(r"'[0-9][0-9.,]*\s*\Z").match
_OF_FIELD = {
    "marketplace_product_id": "known_id",
    "image_url": "image_urls",
    "variant_barcode": "barcode",
}


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
        self._blank[places.IMAGES] = self._blank[places.OPTIONS] = self._blank[places.GALLERY] = ()
        self._arranged = columns.dialect.arrange is not None
        self._steps = [step for name in HEADER for step in self._steps_of(name)]
        self._before = next((step for step in self._steps if step.place == places.BEFORE), None)
        self._optioned = not self._arranged and any(
            value in columns.positions for _, value in OPTIONS
        )
        if self._optioned:
            self._blank += [None] * len(places.OPTION_FIELDS)
        self._kinds = Kinds(Readers(self._name, self._description, self._images))

    def _steps_of(self, field: str) -> list[_Step]:
        """Return one step a column; a dialect that is arranged into our shape has one column a
        field.
        """
        found = self._columns.positions.get(field, ())
        named = [(place, self._columns.header[place]) for place in found]
        if self._arranged:
            at = HEADER.index(field)
            made = field in ("hidden", "price_before")  # a dialect makes them of other columns
            named = [(at, named[0][1])] if named else [(at, field)] if made else []
        place = places.OPTION_FIELDS.get(field, -1)
        if place < 0:
            place = GoodRow._fields.index(_OF_FIELD.get(field, field))
        return [_Step(position, place, self._reader(field), name) for position, name in named]

    def _reader(self, field: str) -> Callable[[str], Any]:
        readers: dict[str, Callable[[str], Any]] = {
            "marketplace_product_id": read_id,
            "name": self._name,
            "description": self._description,
            "price": self._price,
            "stock": read_amount,
            "sku": lambda cell: read_key(cell, SKU_LENGTH),
            "source_url": lambda cell: read_link(cell) if cell and not cell.isspace() else None,
            "category": self._category,
            "brand": read_brand,
            "image_url": self._images,
            "hidden": read_hidden,
            "stock_seen": lambda cell: read_stock(cell.strip()) if cell.strip() else None,
            "variant_id": read_id,
            "weight_grams": read_weight,
            "price_before": self._price_before,
            "variant_hidden": read_hidden,
            "variant_barcode": lambda cell: read_key(cell, SKU_LENGTH),
            "variant_image": lambda cell: next(iter(self._images(cell)), None),
        }
        return readers.get(field, read_option)

    def read(
        self, line: int, raw: list[str], values: Values | None = None, kind: Kind | None = None
    ) -> GoodRow | BadRow | None:
        """Return one row; None for a blank one. `values`: those that a dialect made of it; `kind`:
        the row as a variant.
        """
        if values is not None:
            cells = [values[name] for name in HEADER]
        else:
            cells = raw + [""] * (self._width - len(raw)) if len(raw) < self._width else raw
        product = self._blank.copy()
        product[places.LINE] = line
        wrong: list[tuple[_Step, BadCell]] = []
        images = places.IMAGES
        for step in self._steps:
            position, place, read, _ = step
            try:
                if place == images:
                    product[images] += read(cells[position])
                else:
                    product[place] = read(cells[position])
            except BadCell as error:
                wrong.append((step, error))
        if self._before is not None and product[places.BEFORE] is not None:
            self._strike(product, self._before, wrong)
        if (kind is not None or self._optioned) and not wrong:
            self._vary(product, kind, wrong)
        if product[places.NAME] is None or product[places.PRICE] is None:
            self._require(product, wrong)
        if wrong or len(raw) > self._width:
            if is_blank(raw):
                return None
            if errors := self._errors(raw, cells, wrong):
                return BadRow(line, errors, _stored(raw))
        self._note(product)
        return GoodRow(*product[: places.ROW_LENGTH])

    def broken(self, line: int, raw: list[str], problem: tuple[str, str]) -> BadRow:
        """Return a row whose quotes are wrong."""
        return BadRow(line, (CellError(None, *problem),), _stored(self.restored(raw)))

    def restored(self, raw: list[str]) -> list[str]:
        """Return the cells as they were before an export or a spreadsheet decorated them."""
        return [self._bare(cell) if cell[:1] in _DECORATED else cell for cell in raw]

    def _bare(self, cell: str) -> str:
        """Remove the `'` that our exports, and those of other systems, put before a cell that a
        spreadsheet would run; people put it before a number to keep it unchanged.
        """
        if cell[0] == "=":
            return unwrap(cell)
        if self._columns.own:
            return restore(cell)
        if _NUMBER(cell):
            return cell[1:]
        return restore(cell) if self._arranged else cell

    def _require(self, product: list[Any], wrong: list[tuple[_Step, BadCell]]) -> None:
        """Refuse a row without a name or a price that has no key: it can only change an existing
        product.
        """
        if any(
            product[place] is not None
            for place in (places.ID, places.SKU, places.LINK, places.VARIANT)
        ):
            return
        said = {step.place for step, _ in wrong}
        for place, field in ((places.NAME, "name"), (places.PRICE, "price")):
            if product[place] is not None or place in said:
                continue
            step = next((step for step in self._steps if step.place == place), None)
            if step is not None:
                wrong.append((step, BadCell("required", "must not be empty")))
            else:
                column = self._columns.dialect.called[field]
                words = say(
                    "a new product needs {column}, and the file does not have it", column=column
                )
                wrong.append((_Step(self._width, place, str, ""), BadCell("required", words)))

    def _note(self, product: list[Any]) -> None:
        if product[places.STOCK] == SOME:
            product[places.STOCK], product[places.IN_STOCK] = None, True
            self.notes["in_stock"] += 1
        elif product[places.STOCK] is None:
            self.notes["default_stock"] += 1
        if product[places.HIDDEN]:
            self.notes["hidden"] += 1
        if (
            product[places.SKU] is None
            and product[places.LINK] is None
            and product[places.ID] is None
        ):
            self.notes["no_key"] += product[places.VARIANT] is None

    def _errors(
        self, raw: list[str], cells: list[str], wrong: list[tuple[_Step, BadCell]]
    ) -> tuple[CellError, ...]:
        """Return the errors, in words, in the order of the columns."""
        positions, count = self._columns.positions, len(raw)
        errors = []
        if not is_blank(raw[self._width :]):
            message = say(
                "has {count} cells, and the header has {width}", count=count, width=self._width
            )
            errors.append(CellError(None, "too_many_columns", message))
        missing = not self._arranged and any(
            name in positions and count <= positions[name][0] for name in REQUIRED
        )
        if missing and any(error.code == "required" for _, error in wrong):
            message = say("ends after {count} of {width} columns", count=count, width=self._width)
            errors.append(CellError(None, "too_few_columns", message))
        for step, error in sorted(wrong, key=lambda pair: pair[0].position):
            cell = cells[step.position] if step.position < len(cells) else ""
            if NUL in cell:
                errors.append(CellError(step.name, "control_character", "must not have NUL bytes"))
            elif UNDECODABLE.search(cell):
                words = say("has bytes that are no text; save the file as CSV UTF-8")
                errors.append(CellError(step.name, "invalid_encoding", words))
            elif not missing or step.position < count or error.code != "required":
                errors.append(CellError(step.name or None, error.code, error.message))
        return tuple(errors)

    def _strike(self, product: list[Any], step: _Step, wrong: list[tuple[_Step, BadCell]]) -> None:
        """Refuse a struck price that is not above the price; leave out that of another system."""
        if product[places.PRICE] is None or product[places.BEFORE] > product[places.PRICE]:
            return
        if self._arranged:
            product[places.BEFORE] = None
        else:
            wrong.append((step, BadCell("price_before_too_low", "must be above the price")))

    def _vary(
        self, product: list[Any], kind: Kind | None, wrong: list[tuple[_Step, BadCell]]
    ) -> None:
        try:
            if kind is not None:
                self._kinds.told(product, kind)
            else:
                self._kinds.own(product)
        except BadCell as error:
            place = self._columns.layout.places.get(kind.column if kind else "option1name")
            name = "" if place is None else self._columns.header[place]
            wrong.append((_Step(self._width, places.OPTIONS, str, name), error))

    def _name(self, cell: str) -> str | None:
        if self._arranged and "&" in cell:
            cell = to_text(cell)
        name = read_whole(cell, NAME_LENGTH)
        if name and not is_seen(name):
            raise BadCell("invisible_character", "has nothing that can be seen")
        return name or None

    def _description(self, cell: str) -> str | None:
        if not self._columns.exported and ("<" in cell or "&" in cell):
            cell = to_text(cell)
        return read_prose(cell, DESCRIPTION_LENGTH) or None

    def _price(self, cell: str) -> Decimal | None:
        if not cell or cell.isspace():
            return None
        try:
            return self._prices.read(cell)
        except BadCell:
            refuse_broken(cell.strip())
            raise

    def _price_before(self, cell: str) -> Decimal | None:
        try:
            return self._price(cell)
        except BadCell:
            if self._arranged:
                return None
            raise

    def _images(self, cell: str) -> tuple[str, ...]:
        base = "" if self._arranged else self._columns.layout.image_base
        return read_links(cell, base, self.notes, ours=self._columns.exported or self._arranged)

    def _category(self, cell: str) -> tuple[str, ...] | None:
        cell = cell.strip()
        if self._arranged and "&" in cell:
            cell = unescape(cell)
        if "\n" in cell or "\r" in cell:
            self.notes["several_categories"] += 1
            cell = cell.replace("\r", "\n").partition("\n")[0]
        path = read_path(cell) or None
        if path and self._known_category and not self._known_category(path):
            raise BadCell("unknown_category", "is not one of the categories of this marketplace")
        return path


def is_blank(cells: list[str]) -> bool:
    """Return whether all of them are empty."""
    return all(not cell or cell.isspace() for cell in cells)


def _stored(cells: list[str]) -> tuple[str, ...]:
    """Return cells as a report keeps them: all of them text, and not without end."""
    return tuple(printable(cell) for cell in cells[:COLUMNS])
