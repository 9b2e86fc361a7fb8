"""Magento's product export, and the files of its sample data."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

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
    links,
    plain,
    sale,
    stock,
    struck,
    unique,
)

_BRAND = re.compile(r"(?:^|,)(?:manufacturer|brand)=([^,]+)")
#: Characters of configurable products that are remembered.
PARENTS_LENGTH = 8_000_000
_BUNDLES = frozenset({"configurable", "bundle", "grouped"})
#: The category of products that are in none.
_ROOT = "Default Category"


class _Parent(NamedTuple):
    """A configurable product, of which simple ones are the kinds."""

    row: int
    name: str
    description: str
    images: str


class _Rows(Single):
    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._parents: dict[str, tuple[_Parent, tuple[tuple[str, str], ...]]] = {}
        self._room = PARENTS_LENGTH
        self._row = 0

    def survey(self, cells: Cells) -> None:
        """Remember configurable products by the SKUs of their variations."""
        cell = self.layout.cell
        self._row += 1
        said = cell(cells, "configurablevariations")
        if not said or cell(cells, "storeviewcode"):
            return
        description = cell(cells, "description", "shortdescription")
        parent = _Parent(self._row, cell(cells, "name"), description, ",".join(self._images(cells)))
        labels = _pairs(cell(cells, "configurablevariationlabels"), ",")
        self._room -= len(said) + sum(len(each) for each in parent[1:])
        if self._room <= 0:
            self.notes["parents_shortened"] += 1
            return
        for variation in said.split("|"):
            pairs = _pairs(variation, ",")
            sku = pairs.pop("sku", "")
            names = unique(labels.get(code) or code for code in pairs)
            options = tuple(zip(names, pairs.values(), strict=True))
            if sku and options:
                self._parents[sku] = parent, options

    def take(self, line: int, cells: list[str]) -> Iterator[Arranged]:
        """Yield the row, as a kind of the configurable product that names it."""
        values = self.read(cells)
        kind = None
        if values is not None and (found := self._parents.get(values["sku"])):
            kind = self._kind(*found, values, self.layout.cell(cells, "baseimage"))
        yield Arranged(line, cells, values, kind)

    def _kind(
        self, parent: _Parent, options: tuple[tuple[str, str], ...], values: Values, image: str
    ) -> Kind:
        said = parent.description
        return Kind(
            group=f"{parent.row:012d}",
            options=options,
            name=parent.name or values["name"],
            column="configurablevariations",
            description=said if said != values["description"] else "",
            gallery=links(Counter(), self.layout, parent.images.split(",")) if image else "",
            image=links(Counter(), self.layout, [image]) if image else "",
        )

    def _images(self, cells: Cells) -> list[str]:
        cell = self.layout.cell
        found = [cell(cells, "baseimage"), *cell(cells, "additionalimages").split(",")]
        return [picture.strip() for picture in found if picture.strip()]

    def read(self, cells: Cells) -> Values | None:
        """Rows of another store view are translations, and configurable products only group simple
        ones.
        """
        cell = self.layout.cell
        price = cell(cells, "price")
        kind = cell(cells, "producttype").lower()
        if cell(cells, "storeviewcode") or kind in _BUNDLES:
            self.notes["grouped"] += kind in ("bundle", "grouped")
            return None
        dates = cell(cells, "specialpricefromdate"), cell(cells, "specialpricetodate")
        sold = sale(self.notes, price, cell(cells, "specialprice"), *dates)
        brand = _BRAND.search(cell(cells, "additionalattributes"))
        return plain(
            {
                "name": cell(cells, "name"),
                "description": cell(cells, "description", "shortdescription"),
                "price": sold,
                "stock": stock(
                    self.notes, cell(cells, "qty"), kept=cell(cells, "managestock") != "0"
                ),
                "sku": cell(cells, "sku"),
                "category": self._category(cells),
                "brand": cell(cells, "manufacturer", "brand")
                or (brand[1].strip() if brand else ""),
                "image_url": links(self.notes, self.layout, self._images(cells)),
                "hidden": "yes" if cell(cells, "productonline") == "2" else "no",
                "price_before": struck(sold, price),
            }
        )

    def _category(self, cells: Cells) -> str:
        """Return the category of `Default Category/Gear/Bags,Default Category/New`: the deepest; or
        a line for each step, two deep.
        """
        steps = [
            step.strip()
            for step in self.layout.cell(cells, "category").splitlines()
            if step.strip()
        ]
        if steps:
            self.notes["several_categories"] += len(steps) > 2
            return write_path(steps[:2])
        said = self.layout.cell(cells, "categories").split(",")
        paths: list[list[str]] = [path.strip().split("/") for path in said if path.strip()]
        paths = [path[1:] if path[0] == _ROOT else path for path in paths]
        self.notes["several_categories"] += len([path for path in paths if path]) > 1
        return write_path(sorted(paths, key=len)[-1] if paths else [])


def _pairs(cell: str, between: str) -> dict[str, str]:
    """Return what `size=XS,color=Black` says."""
    pairs = (each.partition("=") for each in cell.split(between))
    return {name.strip(): value.strip() for name, _, value in pairs if value.strip()}


_SIGNS = ("attributeset", "attributesetcode", "producttype", "productwebsites")
MAGENTO = Dialect(
    "magento",
    fields(
        name="name",
        price="price specialprice specialpricefromdate specialpricetodate",
        sku="sku",
        stock="qty managestock",
        category="category categories",
        brand="manufacturer brand additionalattributes",
        description="description shortdescription",
        image_url="baseimage additionalimages",
        hidden="productonline",
        variant="storeviewcode producttype configurablevariations configurablevariationlabels",
    ),
    tuple(frozenset({"sku", "name", "price", sign}) for sign in _SIGNS),
    lambda name: True,
    _Rows,
)
