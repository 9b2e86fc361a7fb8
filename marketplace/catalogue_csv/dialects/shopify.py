"""Shopify's product export, in the headers it had (Handle, Body (HTML)) and those it has (URL
handle, Description).

https://help.shopify.com/en/manual/products/import-export/using-csv
"""

import re
from collections.abc import Sequence

from marketplace.catalogue_csv.dialects.groups import Groups
from marketplace.catalogue_csv.dialects.shape import (
    Cells,
    Dialect,
    Values,
    fields,
    grams,
    links,
    plain,
    stock,
)

_SHARED = frozenset(
    (
        *("title", "bodyhtml", "description", "vendor", "productcategory", "type"),
        *("status", "published", "publishedononlinestore"),
    )
)
_KNOWN = re.compile(
    r"(tags|googleshopping\w*|seo\w*|giftcard|\w*(compareat|unitprice|weight|tax|barcode|fulfillment)\w*|"
    r"costperitem|imageposition|imagealttext|option\d+linkedto|continueselling\w*|variantinventorypolicy|"
    r"variantgrams|requiresshipping|variantrequiresshipping|chargetax|included\w*|price(international|\w*region)\w*|"
    r"\w*metafields\w*|collection|variantcountryoforigin|\w*hscode)\Z"
).match


class _Rows(Groups):
    names, values = r"option(\d+)name", r"option(\d+)value"

    def key(self, cells: Cells) -> str:
        """Return the handle."""
        return self.layout.cell(cells, "handle", "urlhandle")

    def is_variant(self, cells: Cells) -> bool:
        """Return whether it is a variant: other rows are further images."""
        cell = self.layout.cell
        return bool(
            cell(cells, "variantprice", "price") or cell(cells, "variantsku", "sku", "option1value")
        )

    def picture(self, cells: Cells) -> str:
        """Return the image of the variant."""
        return self.layout.cell(cells, "variantimage", "variantimageurl")

    def gallery(self, filled: Cells, group: Sequence[Cells]) -> list[str]:
        """Return the images of all rows."""
        return [self.layout.cell(each, "imagesrc", "productimageurl") for each in group]

    def shared(self, place: int) -> bool:
        """Return whether it is a column of the product."""
        return self.layout.names[place] in _SHARED

    def read(self, cells: Cells, group: Sequence[Cells]) -> Values:
        """Read a row: the variant's image comes first."""
        cell = self.layout.cell
        pictures = [self.picture(cells), *self.gallery(cells, group)]
        category = cell(cells, "productcategory")
        published = cell(cells, "published", "publishedononlinestore").lower()
        hidden = cell(cells, "status").lower() not in ("", "active") or published == "false"
        return plain(
            {
                "name": cell(cells, "title"),
                "description": cell(cells, "bodyhtml", "description"),
                "price": cell(cells, "variantprice", "price"),
                "stock": stock(
                    self.notes,
                    cell(cells, "variantinventoryqty", "inventoryquantity"),
                    kept=self._kept(cells),
                ),
                "sku": cell(cells, "variantsku", "sku").removeprefix("'"),
                "category": cell(cells, "type") if category in ("", "Uncategorized") else category,
                "brand": cell(cells, "vendor"),
                "image_url": links(self.notes, self.layout, pictures),
                "hidden": "yes" if hidden else "no",
                "weight_grams": grams(cell(cells, "variantgrams", "weightvaluegrams")),
                "price_before": cell(cells, "variantcompareatprice", "compareatprice"),
                "variant_barcode": cell(cells, "variantbarcode", "barcode").removeprefix("'"),
            }
        )

    def _kept(self, cells: Cells) -> bool:
        """Return whether the inventory is tracked: if not, the column exists and is empty."""
        columns = [
            name
            for name in ("variantinventorytracker", "inventorytracker")
            if name in self.layout.places
        ]
        return not columns or bool(self.layout.cell(cells, *columns))


SHOPIFY = Dialect(
    "shopify",
    fields(
        name="title",
        price="variantprice price",
        sku="variantsku sku",
        stock="variantinventoryqty inventoryquantity variantinventorytracker inventorytracker",
        category="productcategory type",
        brand="vendor",
        description="bodyhtml description",
        image_url="imagesrc productimageurl variantimage variantimageurl",
        hidden="status published publishedononlinestore",
        weight_grams="variantgrams weightvaluegrams",
        price_before="variantcompareatprice compareatprice",
        variant_barcode="variantbarcode barcode",
        variant="handle urlhandle option#name option#value",
    ),
    (frozenset({"handle", "title", "variantprice"}), frozenset({"urlhandle", "title", "price"})),
    _KNOWN,
    _Rows,
    called={"name": "Title", "price": "Variant Price"},
)
