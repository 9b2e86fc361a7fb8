"""Stores: what is sent and what is answered."""

from typing import Any

from marketplace.schemas.common import ID, STAMPS, read_only

STORE: dict[str, Any] = {
    "id": read_only(**ID),
    "name": {"coerce": "line", "minlength": 1, "maxlength": 200, "check_with": "not_blank", "required": True},
    "description": {"coerce": "prose", "maxlength": 5000, "nullable": True},
    **STAMPS,
}
