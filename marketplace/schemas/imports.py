"""Imports: what may be sent beside the file, and what is answered."""

from typing import Any

from marketplace.schemas.common import ID

_TIME: dict[str, Any] = {"type": "string", "meta": {"format": "date-time"}}
_TIME_OR_NULL: dict[str, Any] = {**_TIME, "nullable": True}
_COUNT: dict[str, Any] = {"type": "integer", "min": 0}
_NAMES: dict[str, Any] = {"type": "list", "schema": {"type": "string"}}

#: In the query, or as text parts beside the file.
OPTIONS: dict[str, Any] = {
    "default_stock": {
        "coerce": "int64",
        "min": 0,
        "max": 1_000_000_000,
        "meta": {"description": "Stock of rows whose file gives none; 0 if not said."},
    },
    "store_id": {**ID, "meta": {"description": "For admins: whose products they are."}},
}

FILTERS: dict[str, Any] = {
    "store_id": {**ID, "meta": {"description": "For admins: the imports of one store."}},
}

LISTED: dict[str, Any] = {
    "id": ID,
    "store_id": ID,
    "user_id": {**ID, "meta": {"description": "Who sent the file."}},
    "state": {"type": "string", "allowed": ["queued", "reading", "applying", "done", "failed"]},
    "file_name": {"type": "string", "nullable": True},
    "file_bytes": _COUNT,
    "default_stock": _COUNT,
    "rows_read": _COUNT,
    "rows_valid": _COUNT,
    "rows_created": {**_COUNT, "meta": {"description": "Rows that became products."}},
    "rows_skipped": {**_COUNT, "meta": {"description": "Rows whose SKU or link the store had already."}},
    "rows_bad": {**_COUNT, "meta": {"description": "Rows refused; errors.csv says why."}},
    "progress": {"type": "integer", "min": 0, "max": 100, "meta": {"description": "Per cent."}},
    "error_code": {"type": "string", "nullable": True, "meta": {"description": "Why the import as a whole failed."}},
    "error_message": {"type": "string", "nullable": True},
    "created_at": _TIME,
    "started_at": _TIME_OR_NULL,
    "finished_at": _TIME_OR_NULL,
}

IMPORT: dict[str, Any] = {
    **LISTED,
    "columns": {
        "type": "dict",
        "nullable": True,
        "allow_unknown": True,
        "schema": {
            "header": _NAMES,
            "encoding": {"type": "string"},
            "delimiter": {"type": "string"},
            "used": {"type": "dict", "valuesrules": _NAMES},
            "ignored": _NAMES,
            "unknown": _NAMES,
            "own_header": {"type": "boolean"},
            "stock_column": {"type": "boolean", "meta": {"description": "False: every product got default_stock."}},
            "default_stock": _COUNT,
            "decimal_signs": _NAMES,
            "currencies": _NAMES,
            "notes": {"type": "dict", "valuesrules": _COUNT},
        },
        "meta": {"description": "How the file was read; null until it is."},
    },
}
