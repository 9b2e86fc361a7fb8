"""The activity log: filters and rows."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.common import ID, TEXT_OR_NULL, TIME, list_of, one_of

FILTERS: dict[str, Any] = {
    "type": {
        "coerce": "line",
        "maxlength": 50,
        "meta": {"description": "login, create_product, ..."},
    },
    "from": {"coerce": "time", "meta": {"description": "Inclusive, UTC; a date or a time."}},
    "to": {
        "coerce": "time_end",
        "meta": {"description": "Inclusive, UTC; a date counts to its end."},
    },
}

EXPORT: dict[str, Any] = {
    **FILTERS,
    "format": {"coerce": "line", "allowed": ["csv", "json"], "default": "csv"},
}

#: The logged types, in the order of an account's life.
TYPES = (
    "register",
    "login",
    "logout",
    "view_profile",
    "update_profile",
    "upload_avatar",
    "delete_avatar",
    "open_store",
    "update_store",
    "upload_logo",
    "delete_logo",
    "update_store_settings",
    "view_product",
    "create_product",
    "update_product",
    "delete_product",
    "update_products",
    "set_stock",
    "upload_image",
    "update_image",
    "delete_image",
    "import_csv",
    "export_activities",
    "export_products",
    "export_orders",
    "export_profile",
    "create_category",
    "update_category",
    "delete_category",
    "create_brand",
    "update_brand",
    "delete_brand",
    "manage_user",
    "manage_store",
)
RELATED = ("session", "user", "store", "product", "import", "category", "brand")

ACTIVITY = Named(
    "Activity",
    {
        "id": ID,
        "type": one_of(*TYPES, words="What was done; more may come."),
        "related_type": one_of(
            *RELATED, words="The kind of thing it was done to; more may come.", nullable=True
        ),
        "related_id": {**ID, "nullable": True},
        "related_name": TEXT_OR_NULL,
        "details": {
            "type": "dict",
            "nullable": True,
            "meta": {"description": "Further details."},
        },
        "ip": TEXT_OR_NULL,
        "device": TEXT_OR_NULL,
        "created_at": TIME,
    },
)
EXPORTED = Named("ActivityExport", {"activities": list_of(ACTIVITY)})
