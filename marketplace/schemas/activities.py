"""The activity log: filters and rows."""

from typing import Any

from marketplace.schemas.common import ID

FILTERS: dict[str, Any] = {
    "type": {"coerce": "line", "maxlength": 50, "meta": {"description": "login, create_product, ..."}},
    "from": {"coerce": "time", "meta": {"description": "Inclusive, UTC; a date or a time."}},
    "to": {"coerce": "time_end", "meta": {"description": "Inclusive, UTC; a date means to its end."}},
}

EXPORT: dict[str, Any] = {
    **FILTERS,
    "format": {"coerce": "line", "allowed": ["csv", "json"], "default": "csv"},
}

ACTIVITY: dict[str, Any] = {
    "id": ID,
    "type": {"type": "string"},
    "related_type": {"type": "string", "nullable": True},
    "related_id": {**ID, "nullable": True},
    "related_name": {"type": "string", "nullable": True},
    "details": {"type": "dict", "nullable": True},
    "ip": {"type": "string", "nullable": True},
    "device": {"type": "string", "nullable": True},
    "created_at": {"type": "string"},
}
