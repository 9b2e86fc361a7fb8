"""Categories: what is sent and what is returned."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.common import (
    COUNT,
    ID,
    REFERENCE,
    STAMPS,
    TEXT,
    described,
    list_of,
    read_only,
)

_PRODUCTS: dict[str, Any] = described(
    COUNT, "Products on sale in it and below it, as last counted."
)
_PARENT: dict[str, Any] = described({**ID, "nullable": True}, "null at the top.")

CHILD = Named("ChildCategory", {"id": ID, "name": TEXT, "slug": TEXT, "product_count": _PRODUCTS})

CATEGORY = Named(
    "Category",
    {
        "id": read_only(**ID),
        "name": {
            "coerce": "identity",
            "minlength": 1,
            "maxlength": 200,
            "check_with": "not_blank",
            "required": True,
            "meta": {"example": "Kopi"},
        },
        "slug": read_only(**TEXT),
        "parent_id": _PARENT,
        "path": read_only(**described(list_of(REFERENCE), "Its ancestors, the top first.")),
        "product_count": read_only(**_PRODUCTS),
        "children": read_only(**described(list_of(CHILD), "Those right below it, at most 1,000.")),
        **STAMPS,
    },
)

#: POST: without a parent it is at the top.
NEW = Named("NewCategory", {**CATEGORY, "parent_id": {**_PARENT, "default": None}})

#: PUT replaces both, so both are required: a forgotten parent would move it to the top.
CHANGE = Named("CategoryChange", {**CATEGORY, "parent_id": {**_PARENT, "required": True}})

NODE = Named(
    "CategoryNode",
    {"id": ID, "name": TEXT, "slug": TEXT, "parent_id": _PARENT, "product_count": _PRODUCTS},
)
NODE["children"] = list_of(NODE)

TREE = Named(
    "CategoryTree",
    {
        "categories": list_of(NODE),
        "complete": described(
            {"type": "boolean"},
            "False where the tree is too large for one response: its lower levels are left out.",
        ),
    },
)

REMOVE: dict[str, Any] = {
    "move_to": described(ID, "Where its products and child categories go."),
}
