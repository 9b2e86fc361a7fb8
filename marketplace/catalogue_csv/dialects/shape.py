"""The parts of a dialect: how another system's columns and rows become ours."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import NamedTuple, Protocol

from marketplace.catalogue_csv import image_links
from marketplace.catalogue_csv.headers import HEADER

Cells = Sequence[str]
#: A row's cells by field of HEADER, as texts for rows.py.
Values = dict[str, str]
#: A stock that a machine wrote: its dot is a decimal sign, whatever follows it.
_PART = re.compile(r"(-?[0-9]+)(?:\.[0-9]+|,[0-9]{1,2})\Z").match
_IN_STOCK = "in stock"
#: Rows of one product that are held until the last of them is read, and characters in them.
GROUP_ROWS = 2_000
GROUP_LENGTH = 2_000_000


class Arranged(NamedTuple):
    """A row on its way: `cells` as a report shows them (with those of its parent row filled in),
    and their values.

    `values` None: the row only carries what others share.
    """

    line: int
    cells: list[str]
    values: Values | None


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


class Groups:
    """The rows of a dialect in which those of one product follow each other, the first with what
    they share.

    A dialect defines what belongs together (`key`), which rows are variants (`is_variant`), their
    options (`options`), and the values of a row once the shared cells are filled in (`read`).
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.notes: Counter[str] = Counter()
        self._key: str | None = None
        self._held: list[tuple[int, list[str]]] = []
        self._length = 0

    def key(self, cells: Cells) -> str:
        """Return what the rows of a product have in common; empty: the row belongs to the one
        above.
        """
        raise NotImplementedError

    def is_variant(self, cells: Cells) -> bool:
        """Return whether the row is something to buy."""
        raise NotImplementedError

    def options(self, cells: Cells) -> list[str]:
        """Return the option values of a variant, such as a colour and a size."""
        raise NotImplementedError

    def read(self, cells: Cells, group: Sequence[Cells]) -> Values:
        """Return the values of a row with the shared cells filled in; `group` has all rows of its
        product unchanged.
        """
        raise NotImplementedError

    def shared(self, place: int) -> bool:
        """Return whether an empty cell of this column takes the value of the first row."""
        raise NotImplementedError

    def survey(self, cells: Cells) -> None:
        """Nothing to see."""

    def take(self, line: int, cells: list[str]) -> Iterable[Arranged]:
        """Hold the row; yield those of the previous product, if this is the first of the next."""
        key = self.key(cells)
        done: list[Arranged] = []
        full = len(self._held) >= GROUP_ROWS or self._length > GROUP_LENGTH
        if self._held and key and key != self._key:
            done = self._release()
        elif full:
            head = self._held[0]
            done = self._release()[1:]
            self._held = [head]
        if key or not self._held:
            self._key = key
        self._held.append((line, cells))
        self._length += sum(map(len, cells))
        return done

    def rest(self) -> Iterable[Arranged]:
        """Yield the last product."""
        return self._release()

    def _release(self) -> list[Arranged]:
        held, self._held, self._length = self._held, [], 0
        if not held:
            return []
        group = [cells for _, cells in held]
        variants = [self.is_variant(cells) for cells in group]
        if not any(variants):
            variants[0] = True
        made = []
        skus: set[str] = set()
        for (line, cells), variant in zip(held, variants, strict=True):
            filled = self._filled(cells, group[0]) if variant else cells
            made.append(
                Arranged(
                    line, filled, self._values(filled, cells, group, skus) if variant else None
                )
            )
        return made

    def _values(
        self, filled: Cells, cells: Cells, group: Sequence[Cells], skus: set[str]
    ) -> Values:
        values = self.read(filled, group)
        options = self.options(cells)
        values["name"] = named(values["name"], options)
        if values["sku"] in skus:
            values["sku"] = "-".join([values["sku"], *options])
            self.notes["repeated_skus"] += 1
        elif values["sku"]:
            skus.add(values["sku"])
        return values

    def _filled(self, cells: list[str], head: list[str]) -> list[str]:
        """Return the row with the shared cells of the first, so that it can be read alone in a
        report.
        """
        if cells is head:
            return cells
        width = len(self.layout.names)
        longer = cells + [""] * (width - len(cells))
        for place, cell in enumerate(head[:width]):
            if not longer[place].strip() and self.shared(place):
                longer[place] = cell
        return longer


def fields(**columns: str) -> dict[str, str]:
    """Return folded headers by field, several with blanks between: fields(stock="qty quantity")."""
    return {name: field for field, names in columns.items() for name in names.split()}


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
