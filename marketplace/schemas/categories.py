"""Categories: what is sent and what is answered."""

from typing import Any

from marketplace.schemas.common import ID, STAMPS, read_only

_COUNT: dict[str, Any] = read_only(
    type="integer", meta={"description": "Products on sale in it and below it, as counted last."}
)

CATEGORY: dict[str, Any] = {
    "id": read_only(**ID),
    "name": {"coerce": "line", "minlength": 1, "maxlength": 200, "check_with": "not_blank", "required": True},
    "slug": read_only(type="string"),
    "parent_id": {**ID, "nullable": True, "meta": {"description": "null at the top."}},
    "path": read_only(
        type="list",
        schema={"type": "dict", "schema": {"id": ID, "name": {"type": "string"}}},
        meta={"description": "Those above it, the top first."},
    ),
    "product_count": _COUNT,
    "children": read_only(
        type="list",
        schema={
            "type": "dict",
            "schema": {"id": ID, "name": {"type": "string"}, "slug": {"type": "string"}, "product_count": _COUNT},
        },
    ),
    **STAMPS,
}

#: POST: without a parent it stands at the top.
NEW: dict[str, Any] = {**CATEGORY, "parent_id": {**CATEGORY["parent_id"], "default": None}}

#: PUT replaces both, so both are asked for: a forgotten parent would move it to the top.
CHANGE: dict[str, Any] = {**CATEGORY, "parent_id": {**CATEGORY["parent_id"], "required": True}}

TREE: dict[str, Any] = {
    "categories": {
        "type": "list",
        "schema": {
            "type": "dict",
            "schema": {
                "id": ID,
                "name": {"type": "string"},
                "slug": {"type": "string"},
                "parent_id": {**ID, "nullable": True},
                "product_count": _COUNT,
                "children": {
                    "type": "list",
                    "schema": {"type": "dict"},
                    "meta": {"description": "Categories of the same shape."},
                },
            },
        },
    },
}

REMOVE: dict[str, Any] = {
    "move_to": {**ID, "meta": {"description": "Where its products go, and the categories right below it."}},
}
