"""Magento's product export, and the files of its sample data."""

import re

from marketplace.catalogue_csv.cells import write_path
from marketplace.catalogue_csv.dialects.shape import (
    Cells,
    Dialect,
    Single,
    Values,
    fields,
    links,
    plain,
    sale,
    stock,
)

_BRAND = re.compile(r"(?:^|,)(?:manufacturer|brand)=([^,]+)")
_BUNDLES = frozenset({"configurable", "bundle", "grouped"})
#: The category of products that are in none.
_ROOT = "Default Category"


class _Rows(Single):
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
        pictures = [cell(cells, "baseimage"), *cell(cells, "additionalimages").split(",")]
        brand = _BRAND.search(cell(cells, "additionalattributes"))
        return plain(
            {
                "name": cell(cells, "name"),
                "description": cell(cells, "description", "shortdescription"),
                "price": sale(self.notes, price, cell(cells, "specialprice"), *dates),
                "stock": stock(
                    self.notes, cell(cells, "qty"), kept=cell(cells, "managestock") != "0"
                ),
                "sku": cell(cells, "sku"),
                "category": self._category(cells),
                "brand": cell(cells, "manufacturer", "brand")
                or (brand[1].strip() if brand else ""),
                "image_url": links(
                    self.notes, self.layout, (picture.strip() for picture in pictures)
                ),
                "hidden": "yes" if cell(cells, "productonline") == "2" else "no",
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
        variant="storeviewcode producttype",
    ),
    tuple(frozenset({"sku", "name", "price", sign}) for sign in _SIGNS),
    lambda name: True,
    _Rows,
)
