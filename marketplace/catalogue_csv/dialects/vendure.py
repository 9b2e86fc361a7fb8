"""Vendure's import format: a row without a name is a further variant of the product above it.

https://docs.vendure.io/guides/developer-guide/importing-data/
"""

import re
from collections.abc import Sequence

from marketplace.catalogue_csv.cells import write_path
from marketplace.catalogue_csv.dialects.groups import Groups
from marketplace.catalogue_csv.dialects.shape import (
    Cells,
    Dialect,
    Values,
    fields,
    is_option,
    links,
    plain,
    stock,
    unique,
)

_SHARED = frozenset(["name", "slug", "description", "facets", "assets"])
_KNOWN = re.compile(r"(taxcategory|product\w*|variant\w*)\Z").match
#: Each shop names its facets as it likes.
_CATEGORIES = frozenset(
    ["category", "categories", "collection", "kategori", "kategorie", "categoría", "catégorie"]
)
_BRANDS = frozenset(
    [
        "brand",
        "brands",
        "manufacturer",
        "vendor",
        "make",
        "merek",
        "merk",
        "marke",
        "marca",
        "marque",
    ]
)


class _Rows(Groups):
    def key(self, cells: Cells) -> str:
        """Return the slug or the name; neither is in the rows of further variants."""
        return self.layout.cell(cells, "slug", "name")

    def is_variant(self, cells: Cells) -> bool:
        """Return true: every row is one."""
        return True

    def options(self, cells: Cells) -> list[str]:
        """Return the options of `13 inch|8GB`."""
        return [option.strip() for option in self.layout.cell(cells, "optionvalues").split("|")]

    def chosen(self, group: Sequence[Cells], variants: Sequence[bool]) -> list[dict[str, str]]:
        """Return the options, by the names of `screen size|RAM`."""
        said = (self.layout.cell(cells, "optiongroups") for cells in group)
        names = next((cell for cell in said if cell), "").split("|")
        rows = [self.options(cells) for cells in group]
        most = max(map(len, rows))
        called = [name.strip() or self.unnamed for name in names[:most]]
        called = unique(called + [self.unnamed] * (most - len(called)))
        return [
            {name: cell for name, cell in zip(called, row, strict=False) if is_option(cell)}
            for row in rows
        ]

    def picture(self, cells: Cells) -> str:
        """Return the first image of the variant."""
        return self.layout.cell(cells, "variantassets").partition("|")[0].strip()

    def gallery(self, filled: Cells, group: Sequence[Cells]) -> list[str]:
        """Return the images of the product."""
        return [each.strip() for each in self.layout.cell(filled, "assets").split("|")]

    def shared(self, place: int) -> bool:
        """Return whether it is a column of the product."""
        return self.layout.names[place] in _SHARED

    def read(self, cells: Cells, group: Sequence[Cells]) -> Values:
        """Read a row: category and brand are facets,
        `category:Electronics|category:Computers|brand:Apple`.
        """
        cell = self.layout.cell
        path = _values(cell(cells, "facets"), _CATEGORIES)
        brands = _values(f"{cell(cells, 'variantfacets')}|{cell(cells, 'facets')}", _BRANDS)
        kept = cell(cells, "trackinventory").lower() != "false"
        pictures = f"{cell(cells, 'variantassets')}|{cell(cells, 'assets')}".split("|")
        return plain(
            {
                "name": cell(cells, "name"),
                "description": cell(cells, "description"),
                "price": cell(cells, "price"),
                "stock": stock(self.notes, cell(cells, "stockonhand"), kept=kept),
                "sku": cell(cells, "sku"),
                "category": write_path(path),
                "brand": brands[0] if brands else "",
                "image_url": links(
                    self.notes, self.layout, (picture.strip() for picture in pictures)
                ),
            }
        )


def _values(facets: str, kinds: frozenset[str]) -> list[str]:
    """Return the values of these kinds of facets in `Brand:Apple|Type:Phone`, in its order."""
    pairs = [facet.partition(":")[::2] for facet in facets.split("|")]
    return [
        value.strip() for kind, value in pairs if kind.strip().lower() in kinds and value.strip()
    ]


VENDURE = Dialect(
    "vendure",
    fields(
        name="name",
        price="price",
        sku="sku",
        stock="stockonhand trackinventory",
        category="facets",
        brand="variantfacets",
        description="description",
        image_url="assets variantassets",
        variant="slug optiongroups optionvalues",
    ),
    (frozenset({"name", "slug", "optionvalues"}), frozenset({"name", "slug", "stockonhand"})),
    _KNOWN,
    _Rows,
    also={"brand": "category"},
)
