"""The dialects of files, and how a header reveals one."""

from collections.abc import Sequence

from marketplace.catalogue_csv.dialects.magento import MAGENTO
from marketplace.catalogue_csv.dialects.marketplace import INDONESIAN, MARKETPLACE
from marketplace.catalogue_csv.dialects.medusa import MEDUSA
from marketplace.catalogue_csv.dialects.shape import Dialect
from marketplace.catalogue_csv.dialects.shopify import SHOPIFY
from marketplace.catalogue_csv.dialects.spree import SPREE
from marketplace.catalogue_csv.dialects.templates import TEMPLATES
from marketplace.catalogue_csv.dialects.vendure import VENDURE
from marketplace.catalogue_csv.dialects.woocommerce import WOOCOMMERCE

#: In the order in which they are tried; ours is the last.
DIALECTS = (
    WOOCOMMERCE,
    SHOPIFY,
    MEDUSA,
    VENDURE,
    SPREE,
    MAGENTO,
    *TEMPLATES,
    INDONESIAN,
    MARKETPLACE,
)
NAMES = tuple(sorted(dialect.name for dialect in DIALECTS))


def of(names: Sequence[str], asked: str | None) -> Dialect:
    """Return the dialect of a file with these folded headers, or the requested one."""
    if asked is not None:
        return next(dialect for dialect in DIALECTS if dialect.name == asked)
    there = set(names)
    for dialect in DIALECTS:
        known = there | {dialect.english(name) for name in names}
        if any(sign <= known for sign in dialect.signs):
            return dialect
    return MARKETPLACE


__all__ = ["DIALECTS", "NAMES", "Dialect", "of"]
