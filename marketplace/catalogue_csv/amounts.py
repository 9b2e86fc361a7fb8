"""Cells that have words of people in place of a number, weights, and short names."""

from functools import lru_cache

from marketplace.catalogue_csv.cells import read_whole, refuse_broken
from marketplace.catalogue_csv.model import BRAND_LENGTH, OPTION_LENGTH, WEIGHT_LIMIT, BadCell
from marketplace.catalogue_csv.prices import read_stock
from marketplace.text.lines import folded, is_seen

#: A stock in words, without a number.
SOME = -1
_THERE = frozenset(
    (
        *(
            "in stock",
            "instock",
            "in_stock",
            "available",
            "ready",
            "ready stock",
            "readystock",
            "yes",
            "true",
        ),
        *(
            "ada",
            "tersedia",
            "ya",
            "stok tersedia",
            "ready stok",
            "backorder",
            "preorder",
            "pre order",
            "unlimited",
        ),
    )
)
_GONE = frozenset(
    (
        *(
            "out of stock",
            "outofstock",
            "out_of_stock",
            "sold out",
            "soldout",
            "unavailable",
            "no",
            "false",
        ),
        *("habis", "kosong", "tidak ada", "tidak tersedia", "tidak", "stok habis", "stok kosong"),
    )
)


def read_amount(cell: str) -> int | None:
    """Return the number, or the meaning of words in its place."""
    text = cell.strip()
    if not text:
        return None
    try:
        return read_stock(text)
    except BadCell:
        word = text.lower()
        if word in _THERE:
            return SOME
        if word in _GONE:
            return 0
        refuse_broken(text)
        raise


def read_weight(cell: str) -> int | None:
    """Return whole grams, or None for an empty cell."""
    text = cell.strip()
    if not text:
        return None
    try:
        weight = read_stock(text)
    except BadCell:
        weight = WEIGHT_LIMIT + 1
    if weight > WEIGHT_LIMIT:
        raise BadCell("invalid_weight", "must be a whole number of grams, at most 1,000,000")
    return weight


def read_option(cell: str) -> str | None:
    """Return the name or value of an option."""
    return read_whole(cell, OPTION_LENGTH) or None


@lru_cache(maxsize=4096)
def read_brand(cell: str) -> str | None:
    """Return the name of a brand, without blanks that follow each other."""
    brand = folded(read_whole(cell, BRAND_LENGTH))
    return brand if brand and is_seen(brand) else None
