"""Brands: what is sent and what is answered."""

from typing import Any

from marketplace.schemas.common import ID, STAMPS, read_only

BRAND: dict[str, Any] = {
    "id": read_only(**ID),
    "name": {"coerce": "line", "minlength": 1, "maxlength": 200, "check_with": "not_blank", "required": True},
    "slug": read_only(type="string"),
    **STAMPS,
}

FILTERS: dict[str, Any] = {
    "search": {"coerce": "line", "maxlength": 200, "meta": {"description": "Part of the name."}},
}

REMOVE: dict[str, Any] = {"move_to": {**ID, "meta": {"description": "The brand its products are given to."}}}
