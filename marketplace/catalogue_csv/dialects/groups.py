"""Rows of one product that follow each other, for dialects that write products so."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property

from marketplace.catalogue_csv.dialects.shape import (
    Arranged,
    Cells,
    Kind,
    Layout,
    Values,
    group_of_line,
    is_option,
    links,
    named,
    unique,
)
from marketplace.catalogue_csv.options import ANY

#: Rows of one product that are held until the last of them is read, and characters in them.
GROUP_ROWS = 2_000
GROUP_LENGTH = 2_000_000


class Groups:
    """The rows of a dialect in which those of one product follow each other, the first with what
    they share.

    A dialect defines what belongs together (`key`), which rows are variants (`is_variant`), the
    columns of their options (`names`, `values`: patterns with a number), and the values of a row
    once the shared cells are filled in (`read`).
    """

    names = values = r"([0-9]+)#"
    #: What an option is called that the file has no name of.
    unnamed = "Option"

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.notes: Counter[str] = Counter()
        self._names = layout.by_number(self.names)
        self._values_at = sorted(layout.by_number(self.values).items())
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
        return [
            cell
            for _, place in self._values_at
            if place < len(cells) and (cell := cells[place].strip())
        ]

    def chosen(self, group: Sequence[Cells], variants: Sequence[bool]) -> list[dict[str, str]]:
        """Return for each row of a product its options, by their names."""
        chosen = [
            {
                number: cell
                for number, place in self._values_at
                if place < len(cells) and is_option(cell := cells[place].strip())
            }
            if variant
            else {}
            for cells, variant in zip(group, variants, strict=True)
        ]
        numbers = sorted({number for each in chosen for number in each})
        called = unique(self._called(number, group, len(numbers)) for number in numbers)
        named = dict(zip(numbers, called, strict=True))
        return [{named[number]: cell for number, cell in each.items()} for each in chosen]

    def _called(self, number: int, group: Sequence[Cells], count: int) -> str:
        place = self._names.get(number)
        if place is not None:
            for cells in group:
                if place < len(cells) and (cell := cells[place].strip()):
                    return cell
        return self.unnamed if count == 1 else f"{self.unnamed} {number}"

    def product_name(self, filled: Cells, values: Values) -> str:
        """Return the name of the product of a row."""
        return values["name"]

    def picture(self, cells: Cells) -> str:
        """Return the image of the variant alone."""
        return ""

    def gallery(self, filled: Cells, group: Sequence[Cells]) -> list[str]:
        """Return the images of the product, where a variant has one of its own."""
        return []

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
        chosen = self.chosen(group, variants)
        names = dict.fromkeys(name for each in chosen for name in each)
        for (line, cells), variant, options in zip(held, variants, chosen, strict=True):
            if not variant:
                made.append(Arranged(line, cells, None))
                continue
            filled = self._filled(cells, group[0])
            values = self.read(filled, group)
            kind = None
            if names:
                image = self.picture(cells)
                kind = Kind(
                    group=group_of_line(held[0][0]),
                    options=tuple((name, options.get(name, ANY)) for name in names),
                    name=self.product_name(filled, values),
                    column=self._column,
                    gallery=self._links(self.gallery(filled, group)) if image else "",
                    image=self._links([image]) if image else "",
                )
            made.append(Arranged(line, filled, self._finished(values, cells, skus), kind))
        return made

    @cached_property
    def _column(self) -> str:
        """The first column of options, for errors."""
        return self.layout.names[self._values_at[0][1]] if self._values_at else "options"

    def _links(self, found: Iterable[str]) -> str:
        """Return links as one cell; what is no link is counted where the row is read."""
        return links(Counter(), self.layout, found)

    def _finished(self, values: Values, cells: Cells, skus: set[str]) -> Values:
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
