"""The change feed: what it is asked and what it answers."""

from typing import Any

from marketplace.contract.pages import PER_PAGE_MAX, QUERY
from marketplace.contract.validation import Named
from marketplace.schemas.brands import BRAND
from marketplace.schemas.categories import CATEGORY
from marketplace.schemas.common import ID, NUMBER, TEXT, TIME, described, list_of, of, optional
from marketplace.schemas.products import PRODUCT
from marketplace.schemas.stores import STORE

#: What may be asked for, as in URLs, and what one of it is called in an answer.
TYPES = {"brands": "brand", "categories": "category", "products": "product", "stores": "store"}

FILTERS: dict[str, Any] = {
    "types": {
        "coerce": "names",
        "allowed": list(TYPES),
        "default": list(TYPES),
        "meta": {"description": "What to tell of, with commas between; all of it if not given."},
    },
    "per_page": {
        **QUERY["per_page"],
        "default": PER_PAGE_MAX,
        "meta": {"description": "Things a page, at most."},
    },
    "cursor": {
        **QUERY["cursor"],
        "meta": {
            "description": "`next_cursor` of the answer before, with the same types; without one "
            "from the start."
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


def _state(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    words = f"The {name} as it is now; only where `type` is {name} and it is not deleted."
    return optional(described(of(schema), words))


#: One thing. Of product, store, category and brand it has the one that `type` names, and none where
#: it is deleted.
CHANGE = Named(
    "Change",
    {
        "type": described(TEXT, "product, store, category or brand; more may come."),
        "id": ID,
        "deleted": {
            "type": "boolean",
            "meta": {"description": "Deleted, or hidden: to be forgotten. It may be shown again."},
        },
        "changed_at": TIME,
        "product": _state("product", PRODUCT),
        "store": _state("store", STORE),
        "category": _state("category", CATEGORY_STATE),
        "brand": _state("brand", BRAND),
    },
)

CHANGES = Named(
    "ChangePage",
    {
        "changes": described(
            list_of(CHANGE), "Each thing once in a pass, in the order they were last written in."
        ),
        "next_cursor": described(TEXT, "To be kept, also at the end."),
        "has_next": {
            "type": "boolean",
            "meta": {"description": "Whether to ask again at once. False ends a pass."},
        },
        "delay_seconds": described(
            NUMBER,
            "For how long a change has been withheld by a transaction still open; 0 when none is.",
        ),
    },
)
