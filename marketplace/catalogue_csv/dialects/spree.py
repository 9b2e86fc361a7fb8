"""Spree's product export: the first row of a slug is the product, the rows below it with options
are its variants.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cached_property

from marketplace.catalogue_csv.cells import write_path
from marketplace.catalogue_csv.dialects.groups import Groups
from marketplace.catalogue_csv.dialects.shape import (
    Arranged,
    Cells,
    Dialect,
    Layout,
    Values,
    fields,
    grams,
    links,
    plain,
    stock,
)

_SHARED = re.compile(r"(name|description|status|category\d+|vendorname|brand|image\d+src)\Z").match
_KNOWN = re.compile(
    r"(meta\w*|tags|labels|taxcategory|shippingcategory|producttype|width|height|depth|dimensionsunit|"
    r"weightunit|availableon|discontinueon|inventorybackorderable|digital|"
    r"customfield\w*|image\d+alt|promotionable)\Z"
).match


class _Rows(Groups):
    names, values = r"option(\d+)name", r"option(\d+)value"

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._currencies: dict[str, None] = {}

    def survey(self, cells: Cells) -> None:
        """See which currencies there are: further prices of a variant are rows of their own."""
        self._currencies[self.layout.cell(cells, "currency").upper()] = None

    def take(self, line: int, cells: list[str]) -> Iterable[Arranged]:
        """Leave out rows that repeat another one in a currency that is not read."""
        currency = self.layout.cell(cells, "currency").upper()
        if currency and currency != self._currency:
            self.notes["other_currency"] += 1
            return [Arranged(line, cells, None)]
        return super().take(line, cells)

    @cached_property
    def _currency(self) -> str:
        """Return the file's first currency: rows in others have nothing but the price."""
        return next((currency for currency in self._currencies if currency), "")

    def key(self, cells: Cells) -> str:
        """Return the slug."""
        return self.layout.cell(cells, "slug")

    def is_variant(self, cells: Cells) -> bool:
        """Return whether it has options; the row above them is no variant, whatever its price."""
        return bool(self.options(cells))

    def picture(self, cells: Cells) -> str:
        """Return the first image of the variant's own row."""
        return next(iter(self.layout.numbered(cells, r"image(\d+)src")), "")

    def gallery(self, filled: Cells, group: Sequence[Cells]) -> list[str]:
        """Return the images of the product's row."""
        return self.layout.numbered(group[0], r"image(\d+)src")

    def shared(self, place: int) -> bool:
        """Return whether it is a column of the product; its images count if the variant has none of
        that number.
        """
        return bool(_SHARED(self.layout.names[place]))

    def read(self, cells: Cells, group: Sequence[Cells]) -> Values:
        """Return the first of the categories."""
        cell = self.layout.cell
        paths = self.layout.numbered(cells, r"category(\d+)")
        self.notes["several_categories"] += len(paths) > 1
        return plain(
            {
                "name": cell(cells, "name"),
                "description": cell(cells, "description"),
                "price": cell(cells, "price"),
                "stock": stock(
                    self.notes,
                    cell(cells, "inventorycount"),
                    kept=cell(cells, "trackinventory").lower() != "false",
                ),
                "sku": cell(cells, "sku"),
                "category": write_path(re.split(r"\s*->\s*", paths[0])) if paths else "",
                "brand": cell(cells, "brand", "vendorname"),
                "image_url": links(
                    self.notes, self.layout, self.layout.numbered(cells, r"image(\d+)src")
                ),
                "hidden": "no" if cell(cells, "status").lower() in ("", "active") else "yes",
                "weight_grams": grams(cell(cells, "weight"), cell(cells, "weightunit") or "kg"),
                "price_before": cell(cells, "compareatprice"),
                "variant_barcode": cell(cells, "barcode"),
            }
        )


SPREE = Dialect(
    "spree",
    fields(
        name="name",
        price="price currency",
        sku="sku",
        stock="inventorycount trackinventory",
        category="category#",
        brand="brand vendorname",
        description="description",
        image_url="image#src",
        hidden="status",
        weight_grams="weight",
        price_before="compareatprice",
        variant_barcode="barcode",
        variant="slug option#name option#value",
    ),
    tuple(
        frozenset({"slug", "sku", "name", "price", further})
        for further in (
            "inventorycount",
            "option1name",
            "category1",
            "shippingcategory",
            "compareatprice",
        )
    ),
    _KNOWN,
    _Rows,
)
