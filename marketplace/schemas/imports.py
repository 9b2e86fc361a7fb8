"""Imports: what may be sent beside the file, and what is answered."""

from typing import Any

from marketplace.catalog_csv import FILE_CODES
from marketplace.schemas.common import COUNT, ID, NUMBER, TEXT, TEXT_OR_NULL, TIME, described, of, one_of
from marketplace.validation import Named

_TIME_OR_NULL: dict[str, Any] = {**TIME, "nullable": True}
_NAMES: dict[str, Any] = {"type": "list", "schema": TEXT}

#: In the query, or as text parts beside the file.
OPTIONS: dict[str, Any] = {
    "default_stock": {
        "coerce": "int64",
        "min": 0,
        "max": 1_000_000_000,
        "meta": {"description": "Stock of rows whose file gives none; 0 if not said."},
    },
    "store_id": described(ID, "For admins: whose products they are."),
}

FILTERS: dict[str, Any] = {
    "store_id": described(ID, "For admins: the imports of one store."),
}

#: Why an import fails: the file cannot be read, or what the worker met.
ERROR_CODES = (*FILE_CODES, "file_missing", "session_ended", "unavailable", "internal_error")

_LISTED: dict[str, Any] = {
    "id": ID,
    "store_id": ID,
    "user_id": described(ID, "Who sent the file."),
    "state": one_of("queued", "reading", "applying", "done", "failed", words="`done` and `failed` are for good."),
    "file_name": TEXT_OR_NULL,
    "file_bytes": COUNT,
    "default_stock": NUMBER,
    "rows_read": COUNT,
    "rows_valid": COUNT,
    "rows_created": described(COUNT, "Rows that became products."),
    "rows_skipped": described(COUNT, "Rows whose SKU or link the store had already."),
    "rows_bad": described(COUNT, "Rows refused; errors.csv says why."),
    "progress": described({**NUMBER, "max": 100}, "Per cent."),
    "error_code": one_of(*ERROR_CODES, words="Why the import as a whole failed; more may come.", nullable=True),
    "error_message": TEXT_OR_NULL,
    "created_at": TIME,
    "started_at": _TIME_OR_NULL,
    "finished_at": _TIME_OR_NULL,
}
LISTED = Named("ListedCatalogImport", _LISTED)

COLUMNS = Named(
    "ImportColumns",
    {
        "header": _NAMES,
        "encoding": TEXT,
        "delimiter": TEXT,
        "used": {"type": "dict", "valuesrules": _NAMES},
        "ignored": _NAMES,
        "unknown": _NAMES,
        "own_header": {"type": "boolean"},
        "stock_column": {"type": "boolean", "meta": {"description": "False: every product got default_stock."}},
        "default_stock": NUMBER,
        "decimal_signs": _NAMES,
        "currencies": _NAMES,
        "notes": {"type": "dict", "valuesrules": COUNT},
    },
)

IMPORT = Named(
    "CatalogImport",
    {**_LISTED, "columns": described(of(COLUMNS, nullable=True), "How the file was read; null until it is.")},
)
