"""Sizes, colours and grinds of some products of the demo."""

from decimal import Decimal
from itertools import product
from typing import Any, NamedTuple


class Kinds(NamedTuple):
    """What a product can be chosen by, and what some choices cost beyond its price."""

    options: dict[str, tuple[str, ...]]
    more: dict[str, Decimal]


#: By the name of the product.
KINDS = {
    "Kemeja Batik Kawung Lengan Pendek Pria": Kinds(
        {"Ukuran": ("M", "L", "XL", "XXL")}, {"XXL": Decimal(10_000)}
    ),
    "Sepatu Kanvas Tinggi Harian": Kinds(
        {"Warna": ("Hitam", "Putih"), "Ukuran": ("38", "39", "40", "41", "42")}, {}
    ),
    "Biji Kopi Arabika Gayo 250 g": Kinds({"Giling": ("Biji utuh", "Kasar", "Halus")}, {}),
}


def varied(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a product as a seller sends it: with options and variants, if it comes in several.

    Its stock is shared out among them; each SKU is the product's with the place of the variant.
    """
    kinds = KINDS.get(fields["name"])
    if kinds is None:
        return fields
    choices = list(product(*kinds.options.values()))
    each, rest = divmod(fields["stock"], len(choices))
    variants = [
        {
            "options": list(choice),
            "price": fields["price"] + sum((kinds.more.get(value, 0) for value in choice), 0),
            "stock": each + (place <= rest),
            "sku": f"{fields['sku']}-{place}",
        }
        for place, choice in enumerate(choices, 1)
    ]
    whole = {key: value for key, value in fields.items() if key not in ("price", "stock", "sku")}
    return {**whole, "options": list(kinds.options), "variants": variants}
