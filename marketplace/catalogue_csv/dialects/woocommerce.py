"""WooCommerce's product export: variations name their parent, which may stand anywhere in the file.

https://woocommerce.com/document/product-csv-importer-exporter/
"""

import re
from collections.abc import Iterator

from marketplace.catalogue_csv.dialects.shape import (
    Arranged,
    Cells,
    Dialect,
    Layout,
    Single,
    Values,
    fields,
    links,
    named,
    plain,
    sale,
    stock,
)

#: Fields that a variation takes from its parent if its own are empty.
SHARED = (
    *("name", "description", "shortdescription", "categories", "brands", "images"),
    *("published", "visibilityincatalog"),
)
_LONG = frozenset({"description", "shortdescription", "images"})
#: Characters of parents that are remembered in full.
PARENTS_LENGTH = 8_000_000
_COMMA = re.compile(r"(?<!\\),")
_KNOWN = re.compile(
    r"(isfeatured|tax(status|class)|lowstockamount|backordersallowed|soldindividually|(weight|length|width|height)\w*|"
    r"allowcustomerreviews|purchasenote|tags|shippingclass|download\w*|groupedproducts|upsells|crosssells|externalurl|"
    r"buttontext|position|attribute\d+(visible|global|default)|meta\w*|gtin\w*|costofgoods)\Z"
).match


class _Rows(Single):
    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._parents: dict[str, dict[str, str]] = {}
        self._wanted: set[str] = set()
        self._room = PARENTS_LENGTH
        self._values = layout.places_of(r"attribute(\d+)values")

    def survey(self, cells: Cells) -> None:
        """Remember parents, and which of them have variations."""
        kinds = self._kinds(cells)
        if "variation" in kinds:
            self._wanted.add(self.layout.cell(cells, "parent").lower())
        elif "variable" in kinds:
            said = {name: self.layout.cell(cells, name) for name in SHARED}
            if self._room <= 0:
                said = {name: "" if name in _LONG else cell for name, cell in said.items()}
                self.notes["parents_shortened"] += 1
            self._room -= sum(map(len, said.values()))
            for key in self._keys(cells):
                self._parents[key] = said

    def take(self, line: int, cells: list[str]) -> Iterator[Arranged]:
        """Yield the row; a variation with its parent's values."""
        kinds = self._kinds(cells)
        if "variation" in kinds:
            cells = self._filled(cells)
        elif self._only_carries(cells, kinds):
            yield Arranged(line, cells, None)
            return
        yield Arranged(line, cells, self._read(cells, "variation" in kinds))

    def _read(self, cells: Cells, variation: bool) -> Values:
        cell = self.layout.cell
        regular, reduced = cell(cells, "regularprice"), cell(cells, "saleprice")
        dates = cell(cells, "datesalepricestarts"), cell(cells, "datesalepriceends")
        name = cell(cells, "name")
        if variation:
            name = named(
                name, [cells[place].strip() for place in self._values if place < len(cells)]
            )
        paths = [
            path.strip().replace("\\,", ",")
            for path in _COMMA.split(cell(cells, "categories"))
            if path.strip()
        ]
        self.notes["several_categories"] += len(paths) > 1
        hidden = (
            cell(cells, "published") in ("0", "-1")
            or cell(cells, "visibilityincatalog") == "hidden"
        )
        return plain(
            {
                "name": name,
                "description": cell(cells, "description", "shortdescription"),
                "price": sale(self.notes, regular, reduced, *dates),
                "stock": self._stock(cells),
                "sku": cell(cells, "sku"),
                "category": paths[0] if paths else "",
                "brand": cell(cells, "brands", "brand")
                .partition(",")[0]
                .rpartition(">")[2]
                .strip(),
                "image_url": links(
                    self.notes, (each.strip() for each in cell(cells, "images").split(","))
                ),
                "hidden": "yes" if hidden else "no",
            }
        )

    def _stock(self, cells: Cells) -> str:
        said = stock(self.notes, self.layout.cell(cells, "stock"))
        return (
            said if said or self.layout.cell(cells, "instock").lower() not in ("0", "no") else "0"
        )

    def _only_carries(self, cells: Cells, kinds: set[str]) -> bool:
        """Return whether the row is a parent of variations, or bundles others and has no price of
        its own.
        """
        if self.layout.cell(cells, "regularprice", "saleprice"):
            return "variable" in kinds and not self._wanted.isdisjoint(self._keys(cells))
        if "grouped" in kinds:
            self.notes["grouped"] += 1
        return "variable" in kinds or "grouped" in kinds

    def _filled(self, cells: list[str]) -> list[str]:
        said = self._parents.get(self.layout.cell(cells, "parent").lower())
        if said is None:
            return cells
        longer = cells + [""] * (len(self.layout.names) - len(cells))
        for name, cell in said.items():
            place = self.layout.places.get(name)
            if place is not None and not longer[place].strip():
                longer[place] = cell
        return longer

    def _kinds(self, cells: Cells) -> set[str]:
        return {kind.strip().lower() for kind in self.layout.cell(cells, "type").split(",")}

    def _keys(self, cells: Cells) -> list[str]:
        sku, number = self.layout.cell(cells, "sku"), self.layout.cell(cells, "id")
        return [key.lower() for key in (sku, f"id:{number}" if number else "") if key]


WOOCOMMERCE = Dialect(
    "woocommerce",
    fields(
        name="name",
        price="regularprice saleprice datesalepricestarts datesalepriceends",
        sku="sku",
        stock="stock instock",
        category="categories",
        brand="brands brand",
        description="description shortdescription",
        image_url="images",
        hidden="published visibilityincatalog",
        variant="id type parent attribute#name attribute#values",
    ),
    (frozenset({"type", "name", "regularprice"}),),
    _KNOWN,
    _Rows,
)
