"""Stores: what is sent and what is returned."""

from marketplace.contract.validation import Named
from marketplace.schemas.common import ID, STAMPS, read_only

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
NEW = Named("NewStore", STORE)
CHANGE = Named("StoreChange", STORE)
