"""WooCommerce's product export, in any language: variations name their parent, which may be
anywhere in the file.

https://woocommerce.com/document/product-csv-importer-exporter/
"""

import re
from collections.abc import Iterator

from marketplace.catalogue_csv.cells import write_path
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
from marketplace.catalogue_csv.dialects.woocommerce_words import english

#: Fields that a variation takes from its parent if its own are empty.
SHARED = (
    *("name", "description", "shortdescription", "categories", "brands", "images"),
    *("published", "visibilityincatalog"),
)
_LONG = frozenset({"description", "shortdescription", "images"})
#: Characters of parents that are remembered in full.
PARENTS_LENGTH = 8_000_000
#: A step of a list: within quotes, if it has a comma; the sign after it tells whether the path goes
#: on.
_STEP = re.compile(
    r'\s*(?:"((?:[^"]|"")*)"(?=\s*(?:[>,]|\Z))|((?:\\.|[^>,])*))\s*([>,]|\Z)', re.DOTALL
)
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
                name, [_comma(cells[place]) for place in self._values if place < len(cells)]
            )
        paths = listed(cell(cells, "categories"))
        brands = listed(cell(cells, "brands", "brand"))
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
                "category": write_path(paths[0]) if paths else "",
                "brand": brands[0][-1] if brands else "",
                "image_url": links(
                    self.notes,
                    self.layout,
                    (each.strip() for each in cell(cells, "images").split(",")),
                ),
                "hidden": "yes" if hidden else "no",
            }
        )

    def _stock(self, cells: Cells) -> str:
        """Return the number; without one, the value of `In stock?`."""
        said, there = self.layout.cell(cells, "stock"), self.layout.cell(cells, "instock").lower()
        if said.lower() == "parent":
            self.notes["parent_stock"] += 1
            return ""
        if not said and there:
            return "0" if there in ("0", "no", "outofstock") else "in stock"
        return stock(self.notes, said)

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


def listed(cell: str) -> list[list[str]]:
    """Return the paths of a list such as `Clothing > Hoodies, "Medallions, Rosettes" > Box`; a
    comma may be `\\,` instead.
    """
    paths: list[list[str]] = [[]]
    for quoted, bare, behind in _STEP.findall(cell):
        name = quoted.replace('""', '"').strip() if quoted else _comma(bare)
        if name:
            paths[-1].append(name)
        if behind == ",":
            paths.append([])
    return [path for path in paths if path]


def _comma(cell: str) -> str:
    return cell.strip().replace("\\,", ",")


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
    english=english,
    called={"name": "Name", "price": "Regular price"},
)
