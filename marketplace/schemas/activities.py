"""The activity log: filters and rows."""

from typing import Any

from marketplace.schemas.common import ID, TEXT, TEXT_OR_NULL, TIME, described
from marketplace.validation import Named

FILTERS: dict[str, Any] = {
    "type": {"coerce": "line", "maxlength": 50, "meta": {"description": "login, create_product, ..."}},
    "from": {"coerce": "time", "meta": {"description": "Inclusive, UTC; a date or a time."}},
    "to": {"coerce": "time_end", "meta": {"description": "Inclusive, UTC; a date means to its end."}},
}

EXPORT: dict[str, Any] = {
    **FILTERS,
    "format": {"coerce": "line", "allowed": ["csv", "json"], "default": "csv"},
}

ACTIVITY = Named(
    "Activity",
    {
        "id": ID,
        "type": described(TEXT, "register, login, create_product, ...; more may come."),
        "related_type": TEXT_OR_NULL,
        "related_id": {**ID, "nullable": True},
        "related_name": TEXT_OR_NULL,
        "details": {"type": "dict", "nullable": True, "meta": {"description": "What else is worth knowing."}},
        "ip": TEXT_OR_NULL,
        "device": TEXT_OR_NULL,
        "created_at": TIME,
    },
)
