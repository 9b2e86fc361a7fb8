"""Facets: the choices of a list, and how many products each has."""

from typing import Any

from marketplace.contract import pages
from marketplace.contract.validation import Named
from marketplace.schemas import products
from marketplace.schemas.common import COUNT, FLAG, ID, TEXT, described, list_of, of, optional

NAMES = ("category", "brand", "price", "in_stock")

QUERY: dict[str, Any] = {
    "facets": {
        "coerce": "names",
        "allowed": list(NAMES),
        "meta": {
            "description": "Some of category, brand, price and in_stock, with commas between: "
            "returns `facets` too.",
            "example": "brand,price",
        },
    },
}

_AMOUNT: dict[str, Any] = {"type": "string", "meta": {"example": "50000.00"}}
_CHOICE = Named("Choice", {"id": ID, "name": TEXT, "count": COUNT})
_RANGE = Named(
    "PriceRange", {"from": _AMOUNT, "to": described(_AMOUNT, "Not in it any more."), "count": COUNT}
)
_PRICES = Named(
    "Prices",
    {
        "min": {**_AMOUNT, "nullable": True},
        "max": {**_AMOUNT, "nullable": True},
        "ranges": list_of(_RANGE),
    },
)
_STOCK = Named("StockCounts", {"available": COUNT, "sold_out": COUNT})

FACETS = Named(
    "Facets",
    {
        "exact": described(
            FLAG, "false: there are at least so many; only some thousands have been counted."
        ),
        "category": optional(
            described(list_of(_CHOICE), "The children of the chosen category, the largest first.")
        ),
        "brand": optional(list_of(_CHOICE)),
        "price": optional(of(_PRICES)),
        "in_stock": optional(of(_STOCK)),
    },
)
#: A page of products, with them where they are asked for.
PAGE = pages.listed("products", products.LISTED, facets=optional(of(FACETS)))
