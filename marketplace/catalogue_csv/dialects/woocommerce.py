"""WooCommerce's product export, in any language: variations name their parent, which may be
anywhere in the file.

https://woocommerce.com/document/product-csv-importer-exporter/
"""

import re
from collections import Counter
from collections.abc import Iterator

from marketplace.catalogue_csv.cells import write_path
from marketplace.catalogue_csv.dialects.shape import (
    Arranged,
    Cells,
    Dialect,
    Kind,
    Layout,
    Single,
    Values,
    fields,
    grams,
    links,
    named,
    plain,
    sale,
    stock,
    struck,
    unique,
)
from marketplace.catalogue_csv.dialects.woocommerce_words import english
from marketplace.catalogue_csv.options import ANY

#: Fields that a variation takes from its parent if its own are empty.
SHARED = (
    *("name", "description", "shortdescription", "categories", "brands", "images"),
    *("published", "visibilityincatalog"),
)
#: Columns of the weight; their header has the unit.
_WEIGHTS = {"weightkg": "kg", "weightg": "g", "weightlbs": "lbs", "weightoz": "oz"}
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
        names = layout.by_number(r"attribute(\d+)name")
        values = layout.by_number(r"attribute(\d+)values")
        self._attributes = [(names[n], values[n]) for n in sorted(names) if n in values]
        self._weight = next((name for name in _WEIGHTS if name in layout.places), "")
        self._groups: dict[str, int] = {}
        self._options: dict[str, dict[str, None]] = {}
        self._row = 0

    def survey(self, cells: Cells) -> None:
        """Remember parents, which of them have variations, and by what these differ."""
        kinds = self._kinds(cells)
        self._row += 1
        if "variation" in kinds:
            parent = self.layout.cell(cells, "parent").lower()
            self._wanted.add(parent)
            self._groups.setdefault(parent, self._row)
            self._options.setdefault(parent, {}).update(dict.fromkeys(self._chosen(cells)))
        elif "variable" in kinds:
            said = {name: self.layout.cell(cells, name) for name in SHARED}
            if self._room <= 0:
                said = {name: "" if name in _LONG else cell for name, cell in said.items()}
                self.notes["parents_shortened"] += 1
            self._room -= sum(map(len, said.values()))
            for key in self._keys(cells):
                self._parents[key] = said
                self._groups[key] = self._row

    def take(self, line: int, cells: list[str]) -> Iterator[Arranged]:
        """Yield the row; a variation with its parent's values."""
        kinds = self._kinds(cells)
        if "variation" in kinds:
            filled = self._filled(cells)
            values = self._read(filled, True)
            yield Arranged(line, filled, values, self._kind(cells, filled, values))
        elif self._only_carries(cells, kinds):
            yield Arranged(line, cells, None)
        else:
            yield Arranged(line, cells, self._read(cells, False))

    def _chosen(self, cells: Cells) -> dict[str, str]:
        """Return the options of a variation by their names."""
        pairs = [
            (cells[name].strip() or "Attribute", _comma(cells[value]))
            for name, value in self._attributes
            if max(name, value) < len(cells) and cells[value].strip()
        ]
        called = unique(name for name, _ in pairs)
        return dict(zip(called, (value for _, value in pairs), strict=True))

    def _kind(self, cells: Cells, filled: Cells, values: Values) -> Kind | None:
        """Return a variation as one kind of its parent, which may not be in the file."""
        key = self.layout.cell(cells, "parent").lower()
        names = self._options.get(key)
        if not names:
            return None
        chosen, said = self._chosen(cells), self._parents.get(key, {})
        image = next((each for each in self.layout.cell(cells, "images").split(",")), "").strip()
        gallery = said.get("images", "").split(",") if image else []
        own = said.get("description") or said.get("shortdescription") or ""
        hidden = said.get("published") in ("0", "-1") or said.get("visibilityincatalog") == "hidden"
        return Kind(
            group=f"{self._groups[key]:012d}",
            options=tuple((name, chosen.get(name, ANY)) for name in names),
            name=said.get("name") or self.layout.cell(filled, "name"),
            column="attribute1values",
            description=own if own != values["description"] else "",
            gallery=links(Counter(), self.layout, (each.strip() for each in gallery)),
            image=links(Counter(), self.layout, [image]) if image else "",
            hidden=values["hidden"] == "yes" and not hidden,
        )

    def _read(self, cells: Cells, variation: bool) -> Values:
        cell = self.layout.cell
        regular, reduced = cell(cells, "regularprice"), cell(cells, "saleprice")
        dates = cell(cells, "datesalepricestarts"), cell(cells, "datesalepriceends")
        name = cell(cells, "name")
        if variation:
            name = named(
                name, [_comma(cells[place]) for place in self._values if place < len(cells)]
            )
        price = sale(self.notes, regular, reduced, *dates)
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
                "price": price,
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
                "weight_grams": grams(cell(cells, self._weight), _WEIGHTS.get(self._weight, "")),
                "price_before": struck(price, regular),
                "variant_barcode": cell(cells, "gtinupceanorisbn"),
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
        weight_grams=" ".join(_WEIGHTS),
        variant_barcode="gtinupceanorisbn",
        variant="id type parent attribute#name attribute#values",
    ),
    (frozenset({"type", "name", "regularprice"}),),
    _KNOWN,
    _Rows,
    english=english,
    called={"name": "Name", "price": "Regular price"},
)
