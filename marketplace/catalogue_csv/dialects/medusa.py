"""Medusa's product export and import templates, of both its versions: one row a variant, its
product's columns first.
"""

import re
from collections.abc import Sequence

from marketplace.catalogue_csv.dialects.groups import Groups
from marketplace.catalogue_csv.dialects.shape import (
    Cells,
    Dialect,
    Layout,
    Values,
    fields,
    grams,
    is_option,
    links,
    named,
    plain,
    stock,
)

_KNOWN = re.compile(
    r"(product(subtitle|externalid|collectionid|typeid|\w+at|discountable|height|hscode|isgiftcard|length|material|"
    r"midcode|origincountry|tags?\d*|width|saleschannel\d+(id|name|description)?|shippingprofileid|profile\w*|"
    r"variantmetadata|metadata)|variant(upc|hscode|midcode|allowbackorder|\w+at|height|"
    r"length|material|metadata|origincountry|productid|variantrank|width|price\w+))\Z"
).match
_PRICE = re.compile(r"(?:variant)?price(?:[a-z]*?)([a-z]{3})\Z").match


class _Rows(Groups):
    names, values = r"(?:variant)?option(\d+)name", r"(?:variant)?option(\d+)value"
    unnamed = "Variant"

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._price = price_of(layout)

    def key(self, cells: Cells) -> str:
        """Return the handle, or the product's id."""
        return self.layout.cell(cells, "producthandle", "productid")

    def is_variant(self, cells: Cells) -> bool:
        """Return true: every row is one."""
        return True

    def chosen(self, group: Sequence[Cells], variants: Sequence[bool]) -> list[dict[str, str]]:
        """Return the options; variants that have none differ by their titles."""
        chosen = super().chosen(group, variants)
        if len(group) > 1 and not any(chosen):
            titles = [self.layout.cell(cells, "varianttitle") for cells in group]
            return [{self.unnamed: title} if is_option(title) else {} for title in titles]
        return chosen

    def product_name(self, filled: Cells, values: Values) -> str:
        """Return the title of the product, without that of the variant."""
        return self.layout.cell(filled, "producttitle")

    def shared(self, place: int) -> bool:
        """Return whether it is a column of the product."""
        return self.layout.names[place].startswith("product")

    def read(self, cells: Cells, group: Sequence[Cells]) -> Values:
        """Read a row. The title of a variant replaces its options if it has none
        and is not alone.
        """
        cell, numbered = self.layout.cell, self.layout.numbered
        name = cell(cells, "producttitle")
        if len(group) > 1 and not self.options(cells):
            name = named(name, [cell(cells, "varianttitle")])
        category = cell(cells, "productcategory1name", "productcategories") or "".join(
            numbered(cells, r"productcategory(\d+)name")[:1]
        )
        pictures = [
            cell(cells, "productthumbnail"),
            *numbered(cells, r"(?:product)?image(\d+)(?:url)?"),
        ]
        kept = cell(cells, "variantmanageinventory").lower() != "false"
        return plain(
            {
                "name": name,
                "description": cell(cells, "productdescription"),
                "price": cell(cells, self._price) if self._price else "",
                "stock": stock(self.notes, cell(cells, "variantinventoryquantity"), kept=kept),
                "sku": cell(cells, "variantsku"),
                "category": category
                or cell(cells, "productcollectiontitle", "producttype", "producttypevalue"),
                "image_url": links(self.notes, self.layout, pictures),
                "hidden": "no"
                if cell(cells, "productstatus").lower() in ("", "published")
                else "yes",
                "weight_grams": grams(cell(cells, "variantweight", "productweight")),
                "variant_barcode": cell(cells, "variantbarcode", "variantean"),
            }
        )


def price_of(layout: Layout) -> str | None:
    """Return the column of prices that is read: the installation's currency, else dollars, euros,
    or the first there is.
    """
    found = {hit[1].upper(): name for name in layout.names if (hit := _PRICE(name))}
    for currency in (layout.currency, "USD", "EUR"):
        if currency in found:
            return found[currency]
    return next(iter(found.values()), None)


def _chosen(layout: Layout) -> dict[str, str]:
    price = price_of(layout)
    return {price: "price"} if price else {}


MEDUSA = Dialect(
    "medusa",
    fields(
        name="producttitle",
        sku="variantsku",
        stock="variantinventoryquantity variantmanageinventory",
        category="productcategory#name productcategories productcollectiontitle producttype "
        "producttypevalue",
        description="productdescription",
        image_url="productthumbnail productimage# productimage#url image#url",
        hidden="productstatus",
        weight_grams="variantweight productweight",
        variant_barcode="variantbarcode variantean",
        variant="productid producthandle variantid varianttitle variantoption#name "
        "variantoption#value option#name "
        "option#value",
    ),
    (frozenset({"producthandle", "producttitle"}),),
    _KNOWN,
    _Rows,
    choose=_chosen,
    called={"name": "Product Title", "price": "Variant Price EUR"},
)
