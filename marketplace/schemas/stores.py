"""Stores: what is sent and what is returned."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.common import ID, STAMPS, TEXT_OR_NULL, one_of, read_only

STORE = Named(
    "Store",
    {
        "id": read_only(**ID),
        "name": {
            "coerce": "identity",
            "minlength": 1,
            "maxlength": 200,
            "check_with": "not_blank",
            "required": True,
            "meta": {"example": "Toko Sari"},
        },
        "description": {
            "coerce": "prose",
            "maxlength": 5000,
            "nullable": True,
            "meta": {"example": "Kopi dan teh dari kebun sendiri."},
        },
        **STAMPS,
    },
)
LISTED = Named(
    "ListedStore",
    {
        **STORE,
        "city": TEXT_OR_NULL,
        "state": one_of("pending", "active", "suspended", words="Others than active: for admins."),
    },
)
FILTERS: dict[str, Any] = {
    "search": {"coerce": "line", "maxlength": 200, "meta": {"description": "Part of the name."}},
    "city": {"coerce": "line", "maxlength": 100},
    "state": {
        "coerce": "line",
        "allowed": ["pending", "active", "suspended"],
        "meta": {"description": "For admins; everybody else sees active stores."},
    },
}
NEW = Named("NewStore", STORE)
CHANGE = Named("StoreChange", STORE)
