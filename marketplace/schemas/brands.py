"""Brands: what is sent and what is returned."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.common import ID, STAMPS, TEXT, described, read_only

BRAND = Named(
    "Brand",
    {
        "id": read_only(**ID),
        "name": {
            "coerce": "identity",
            "minlength": 1,
            "maxlength": 200,
            "check_with": "not_blank",
            "required": True,
            "meta": {"example": "Gayo Asli"},
        },
        "slug": read_only(**TEXT),
        **STAMPS,
    },
)
NEW = Named("NewBrand", BRAND)
CHANGE = Named("BrandChange", BRAND)

FILTERS: dict[str, Any] = {
    "search": {"coerce": "line", "maxlength": 200, "meta": {"description": "Part of the name."}},
}

REMOVE: dict[str, Any] = {"move_to": described(ID, "The brand that its products are moved to.")}
