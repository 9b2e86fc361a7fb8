"""The change feed: its parameters and its response."""

from typing import Any

from marketplace.contract.pages import PER_PAGE_MAX, QUERY
from marketplace.contract.validation import Named
from marketplace.schemas.brands import BRAND
from marketplace.schemas.categories import CATEGORY
from marketplace.schemas.common import ID, NUMBER, TEXT, TIME, described, list_of, of, optional
from marketplace.schemas.products import PRODUCT
from marketplace.schemas.stores import STORE

#: The types that may be requested, as in URLs, and the name of one of them in a response.
TYPES = {"brands": "brand", "categories": "category", "products": "product", "stores": "store"}

FILTERS: dict[str, Any] = {
    "types": {
        "coerce": "names",
        "allowed": list(TYPES),
        "default": list(TYPES),
        "meta": {"description": "The types to return, with commas between; all if not given."},
    },
    "per_page": {
        **QUERY["per_page"],
        "default": PER_PAGE_MAX,
        "meta": {"description": "Things a page, at most."},
    },
    "cursor": {
        **QUERY["cursor"],
        "meta": {
            "description": "`next_cursor` of the previous response, with the same types; without "
            "one from the start."
        },
    },
}

#: Without its place in the tree and the counts, which change while the category does not.
CATEGORY_STATE = Named(
    "CategoryState",
    {
        name: CATEGORY[name]
        for name in ("id", "name", "slug", "parent_id", "version", "created_at", "updated_at")
    },
)


#: What of a store an app that keeps a copy needs; its page has the rest.
STORE_STATE = Named(
    "StoreState",
    {
        name: STORE[name]
        for name in ("id", "name", "description", "version", "created_at", "updated_at")
    },
)


def _state(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    words = f"The {name} in its present state; only if `type` is {name} and it is not deleted."
    return optional(described(of(schema), words))


#: One thing. It has the one of product, store, category and brand that `type` names, and none if it
#: is deleted.
CHANGE = Named(
    "Change",
    {
        "type": described(TEXT, "product, store, category or brand; more may come."),
        "id": ID,
        "deleted": {
            "type": "boolean",
            "meta": {"description": "Deleted, or hidden: remove it. It may be shown again."},
        },
        "changed_at": TIME,
        "product": _state("product", PRODUCT),
        "store": _state("store", STORE_STATE),
        "category": _state("category", CATEGORY_STATE),
        "brand": _state("brand", BRAND),
    },
)

CHANGES = Named(
    "ChangePage",
    {
        "changes": described(
            list_of(CHANGE), "Each thing once in a pass, in the order of their last writes."
        ),
        "next_cursor": described(TEXT, "Keep it, also at the end."),
        "has_next": {
            "type": "boolean",
            "meta": {"description": "Whether to call again at once. False ends a pass."},
        },
        "delay_seconds": described(
            NUMBER,
            "For how long an open transaction has withheld a change; 0 if none does.",
        ),
    },
)
