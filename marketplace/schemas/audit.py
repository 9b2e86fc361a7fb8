"""The audit trail: filters and entries."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.activities import FILTERS as ACTIVITY_FILTERS
from marketplace.schemas.common import ID, TEXT, TEXT_OR_NULL, TIME, described

_ID_OR_NULL: dict[str, Any] = {**ID, "nullable": True}
_COLUMNS: dict[str, Any] = {"type": "dict", "nullable": True}
TYPES = ["brand", "category", "import", "product", "product_image", "store", "user"]

FILTERS: dict[str, Any] = {
    "type": {"coerce": "line", "allowed": TYPES},
    "id": described(ID, "Of the thing, with `type`."),
    "store_id": described(ID, "For admins: what concerns one store."),
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
        "user_id": described(_ID_OR_NULL, "Who did it; null where it was the operator's hand."),
        "role": TEXT_OR_NULL,
        "store_id": described(_ID_OR_NULL, "Whose thing it is; null for what belongs to no store."),
        "action": described(TEXT, "create, update, delete or import."),
        "type": described(TEXT, "The kind of thing; more may come."),
        "thing_id": described(_ID_OR_NULL, "Which one; null for an entry about several."),
        "before": described(_COLUMNS, "What changed, as it was; null for what is new."),
        "after": described(_COLUMNS, "What changed, as it is now; null for what is gone."),
        "request_id": TEXT_OR_NULL,
    },
)
