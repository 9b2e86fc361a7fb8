"""The parts of a dialect: how another system's columns and rows become ours."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from types import MappingProxyType
from typing import NamedTuple, Protocol

from marketplace.catalogue_csv import image_links
from marketplace.catalogue_csv.headers import HEADER
from marketplace.catalogue_csv.model import WEIGHT_LIMIT

Cells = Sequence[str]
#: A row's cells by field of HEADER, as texts for rows.py.
Values = dict[str, str]
#: A stock that a machine wrote: its dot is a decimal sign, whatever follows it.
_PART = re.compile(r"(-?[0-9]+)(?:\.[0-9]+|,[0-9]{1,2})\Z").match
_IN_STOCK = "in stock"
_WEIGHT = re.compile(r"([0-9]{1,9}(?:[.,][0-9]{1,9})?) ?([a-z]*)\Z").match
_GRAMS: dict[str, Decimal | int] = {
    "": 1,
    **dict.fromkeys(("g", "gr", "gram", "grams"), 1),
    **dict.fromkeys(("kg", "kgs", "kilogram", "kilograms"), 1000),
    **dict.fromkeys(("lb", "lbs", "pound", "pounds"), Decimal("453.59237")),
    **dict.fromkeys(("oz", "ounce", "ounces"), Decimal("28.349523")),
}


class Kind(NamedTuple):
    """A row as one kind of a product: the rows of one `group` are its variants.

    `name` is that of the product, `description` too ("": that of the row); `gallery` are links to
    the images of the product, where `image` is one of the variant alone. `column` has the options,
    for errors. `hidden`: whether the variant is, where its product may not be.
    """

    group: str
    options: tuple[tuple[str, str], ...]
    name: str
    column: str
    description: str = ""
    gallery: str = ""
    image: str = ""
    hidden: bool | None = None


class Arranged(NamedTuple):
    """A row on its way: `cells` as a report shows them (with those of its parent row filled in),
    their values, and what it is as a variant.

    `values` None: the row only carries what others share.
    """

    line: int
    cells: list[str]
    values: Values | None
    kind: Kind | None = None


class Arranger(Protocol):
    """Brings the rows of one file into our shape; made anew for each reading of it."""

    notes: Counter[str]

    def survey(self, cells: Cells) -> None:
        """See each row once before `take` gets the first: for what comes further down."""

    def take(self, line: int, cells: list[str]) -> Iterable[Arranged]:
        """Take a row; yield those that are complete with it."""

    def rest(self) -> Iterable[Arranged]:
        """Yield those that are complete with the end of the file."""


class Layout(NamedTuple):
    """The columns of one file. `places` has the position of each folded header, `names` the folded
    headers.

    `currency` is the installation's; `image_base` is the address of images that the file only
    names.
    """

    names: tuple[str, ...]
    places: Mapping[str, int]
    currency: str
    image_base: str = ""

    def cell(self, cells: Cells, *names: str) -> str:
        """Return the first of these columns that is not empty; empty if all are."""
        for name in names:
            place = self.places.get(name)
            if place is not None and place < len(cells) and (cell := cells[place].strip()):
                return cell
        return ""

    def numbered(self, cells: Cells, pattern: str) -> list[str]:
        """Return the cells of columns such as `image1src`, `image2src`, by their number, without
        the empty ones.
        """
        return [cell for place in self.places_of(pattern) if (cell := self._at(cells, place))]

    def places_of(self, pattern: str) -> list[int]:
        """Return the positions of columns whose folded header is a pattern with a number in it, by
        that number.
        """
        match = re.compile(pattern + r"\Z").match
        found = [
            (int(hit[1]), place) for name, place in self.places.items() if (hit := match(name))
        ]
        return [place for _, place in sorted(found)]

    def by_number(self, pattern: str) -> dict[int, int]:
        """Return the positions of columns by the number in their folded header."""
        match = re.compile(pattern + r"\Z").match
        return {int(hit[1]): place for name, place in self.places.items() if (hit := match(name))}

    def _at(self, cells: Cells, place: int) -> str:
        return cells[place].strip() if place < len(cells) else ""


class Dialect(NamedTuple):
    """A kind of file.

    `fields` maps folded headers to our fields, `signs` are sets of headers that reveal the dialect,
    `ignored` tells which known columns mean nothing to us. `weak` headers count only if no other
    column holds their field; `choose` returns columns that depend on the others; `also` names
    fields that share the column of another one. `english` maps a folded header of another language
    to the one in `fields`; `called` has the dialect's names of the columns that a product needs.

    Without `arrange` each row is a product by itself, under our own fields.
    """

    name: str
    fields: Mapping[str, str]
    signs: tuple[frozenset[str], ...]
    ignored: Callable[[str], object] = lambda name: False
    arrange: Callable[[Layout], Arranger] | None = None
    weak: frozenset[str] = frozenset()
    choose: Callable[[Layout], Mapping[str, str]] = lambda layout: {}
    also: Mapping[str, str] = MappingProxyType({})
    english: Callable[[str], str] = lambda name: name
    called: Mapping[str, str] = MappingProxyType({"name": "name", "price": "price"})

    def field_of(self, name: str) -> str | None:
        """Return the field of a folded header, also of numbered ones (`image1src`
        by `image#src`).
        """
        return self.fields.get(name) or self.fields.get(re.sub("[0-9]+", "#", name))


class Single:
    """The rows of a dialect in which each row is a product; `read` makes values of it, or None."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.notes: Counter[str] = Counter()

    def survey(self, cells: Cells) -> None:
        """Nothing to see."""

    def take(self, line: int, cells: list[str]) -> Iterator[Arranged]:
        """Yield the row itself."""
        yield Arranged(line, cells, self.read(cells))

    def rest(self) -> Iterable[Arranged]:
        """Nothing is held back."""
        return ()

    def read(self, cells: Cells) -> Values | None:
        """Return the row's values."""
        raise NotImplementedError


def fields(**columns: str) -> dict[str, str]:
    """Return folded headers by field, several with blanks between: fields(stock="qty quantity")."""
    return {name: field for field, names in columns.items() for name in names.split()}


def group_of_line(line: int) -> str:
    """Return what the rows of a product have in common that begins in this line."""
    return f"{line:012d}"


def is_option(cell: str) -> bool:
    """Return whether a variant has this value: one that is alone has a default in its place."""
    return bool(cell) and not cell.lower().startswith("default")


def unique(names: Iterable[str]) -> list[str]:
    """Return names of options, each once."""
    seen: dict[str, None] = {}
    for name in names:
        number, other = 2, name
        while other in seen:
            number, other = number + 1, f"{name} {number}"
        seen[other] = None
    return list(seen)


def grams(cell: str, unit: str = "") -> str:
    """Return a weight in whole grams; empty if there is none or it cannot be read. `unit`: of
    a number alone.
    """
    found = _WEIGHT(cell.strip().lower())
    factor = _GRAMS.get(found[2] or unit.lower()) if found else None
    if found is None or factor is None:
        return ""
    weight = Decimal(found[1].replace(",", ".")) * factor
    whole = int(weight.quantize(Decimal(1), ROUND_HALF_UP))
    return str(whole) if 0 < whole <= WEIGHT_LIMIT else ""


def struck(price: str, before: str) -> str:
    """Return the price before a sale; empty if there is no sale."""
    return before if before != price else ""


def named(name: str, options: Sequence[str]) -> str:
    """Return a variant's name: that of the product and its option values, unless they are in it
    already.
    """
    wanted = [option for option in options if option and not option.lower().startswith("default")]
    if not wanted or not name or all(_stands_in(name, option) for option in wanted):
        return name
    return f"{name} - {', '.join(wanted)}"


def _stands_in(name: str, option: str) -> bool:
    """Return whether it is there as a word of its own: S is not in Kaos."""
    return re.search(rf"(?<!\w){re.escape(option)}(?!\w)", name, re.IGNORECASE) is not None


def links(notes: Counter[str], layout: Layout, found: Iterable[str]) -> str:
    """Return the links among images, each once, as one cell; images without one are counted."""
    return image_links.joined(found, layout.image_base, notes)


def stock(notes: Counter[str], cell: str, *, kept: bool = True) -> str:
    """Return a stock of another system: oversold is zero, and fractions are cut off.

    `kept`: whether the system counts this product; one that it does not count can always be bought.
    """
    if not kept and cell.strip("-0.,") == "":
        return _IN_STOCK
    part = _PART(cell)
    if part:
        notes["part_stock"] += bool(cell[part.end(1) :].strip(".,0"))
        cell = part[1]
    if cell.startswith("-") and cell.strip("-0.,"):
        notes["negative_stock"] += 1
        return "0"
    return cell


def sale(notes: Counter[str], regular: str, reduced: str, begins: str = "", ends: str = "") -> str:
    """Return the price a buyer pays today: the sale price if there is one and its days, if it has
    any, are now.
    """
    today = date.today().isoformat()
    if not reduced or (begins and begins[:10] > today) or (ends and ends[:10] < today):
        return regular
    if reduced != regular:
        notes["sale_prices"] += 1
    return reduced


def plain(values: Mapping[str, str]) -> Values:
    """Return values for every field of the header."""
    return {name: values.get(name, "") for name in HEADER}
