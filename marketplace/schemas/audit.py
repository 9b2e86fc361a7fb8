"""The audit trail: filters and entries."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.activities import FILTERS as ACTIVITY_FILTERS
from marketplace.schemas.common import ID, TEXT, TEXT_OR_NULL, TIME, described

_ID_OR_NULL: dict[str, Any] = {**ID, "nullable": True}
_COLUMNS: dict[str, Any] = {"type": "dict", "nullable": True}
TYPES = [
    "brand",
    "category",
    "delivery_option",
    "import",
    "product",
    "product_image",
    "store",
    "synonym",
    "user",
    "voucher",
]

FILTERS: dict[str, Any] = {
    "type": {"coerce": "line", "allowed": TYPES},
    "id": described(ID, "Of the thing, with `type`."),
    "store_id": described(ID, "For admins: the entries of one store."),
    "user_id": described(ID, "Who did it."),
    "action": {"coerce": "line", "allowed": ["create", "update", "delete", "import"]},
    "request_id": {
        "coerce": "line",
        "maxlength": 64,
        "meta": {"description": "X-Request-ID of the request."},
    },
    "from": ACTIVITY_FILTERS["from"],
    "to": ACTIVITY_FILTERS["to"],
}

ENTRY = Named(
    "AuditEntry",
    {
        "id": ID,
        "created_at": TIME,
        "user_id": described(_ID_OR_NULL, "Who did it; null if the operator did it by hand."),
        "role": TEXT_OR_NULL,
        "store_id": described(_ID_OR_NULL, "The store it belongs to; null if it belongs to none."),
        "action": described(TEXT, "create, update, delete or import."),
        "type": described(TEXT, "The kind of thing; more may come."),
        "thing_id": described(_ID_OR_NULL, "Which one; null for an entry about several."),
        "before": described(_COLUMNS, "The changed fields before; null for a new thing."),
        "after": described(_COLUMNS, "The changed fields after; null for a deleted thing."),
        "request_id": TEXT_OR_NULL,
    },
)
