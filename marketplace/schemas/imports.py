"""Imports: what may be sent beside the file, and what is returned."""

from typing import Any

from marketplace.catalogue_csv import DIALECTS, FILE_CODES, NOTES
from marketplace.contract import pages
from marketplace.contract.validation import Named
from marketplace.schemas.common import (
    COUNT,
    FLAG,
    ID,
    NUMBER,
    TEXT,
    TEXT_OR_NULL,
    TIME,
    described,
    of,
    one_of,
)

_TIME_OR_NULL: dict[str, Any] = {**TIME, "nullable": True}
_NAMES: dict[str, Any] = {"type": "list", "schema": TEXT}

_MARK: dict[str, Any] = {
    "coerce": "boolean",
    "default": False,
    "meta": {
        "description": "Begin the CSV with a byte order mark, by which Excel knows it as UTF-8."
    },
}

#: In the query, or as text parts beside the file.
OPTIONS: dict[str, Any] = {
    "default_stock": {
        "coerce": "int64",
        "min": 0,
        "max": 1_000_000_000,
        "meta": {"description": "Stock of new products whose row gives none; 0 if not given."},
    },
    "dry_run": described(
        {"coerce": "boolean"}, "Report what would be done and keep the rows; `apply` then does it."
    ),
    "mode": {
        "coerce": "line",
        "allowed": ["skip_bad", "atomic"],
        "meta": {
            "description": "`skip_bad` takes the good rows, `atomic` all rows or none. skip_bad "
            "if not given."
        },
    },
    "on_match": {
        "coerce": "line",
        "allowed": ["update", "skip"],
        "meta": {"description": "What happens to existing products. update if not given."},
    },
    "dialect": {
        "coerce": "line",
        "allowed": list(DIALECTS),
        "meta": {"description": "The kind of file; detected by the header if not given."},
    },
    "decimal": {
        "coerce": "line",
        "allowed": [".", ","],
        "meta": {
            "description": "The decimal sign of prices; detected by the file's other prices "
            "if not given."
        },
    },
    "columns": {
        "coerce": "columns",
        "meta": {
            "description": "Which column is which, as a JSON object: our name of it (or its "
            "dialect's) to what the file calls it, of pictures to a list of them. "
            'The header tells of others. Such as `{"name": "Judul", "price": "Ongkos"}`.'
        },
    },
    "image_base": {
        "coerce": "link",
        "maxlength": 1000,
        "meta": {
            "description": "Where pictures stand that the file has the names of alone; without it "
            "they are left out."
        },
    },
    "variants": {
        "coerce": "line",
        "allowed": ["auto", "together", "separate"],
        "meta": {
            "description": "What rows of variants become: `together` one product, `separate` a "
            "product each. `auto`, if not given: together, unless one of them matches a product "
            "without variants; then they stay as an earlier import has made them."
        },
    },
    "store_id": described(ID, "For admins: whose products they are."),
}

FILTERS: dict[str, Any] = {
    "store_id": described(ID, "For admins: the imports of one store."),
}

EXPORT: dict[str, Any] = {
    "format": {
        "coerce": "line",
        "allowed": ["csv", "jsonl"],
        "default": "csv",
        "meta": {
            "description": "`csv` imports again unchanged; `jsonl` has one product a line as the "
            "API returns it."
        },
    },
    "bom": _MARK,
    "store_id": described(ID, "For admins: whose products."),
}

REPORT: dict[str, Any] = {"bom": _MARK}

OUTCOMES = ("changed", "added", "unchanged")
CHANGE_FILTERS: dict[str, Any] = {
    "outcome": {
        "coerce": "line",
        "allowed": list(OUTCOMES),
        "meta": {"description": "Only rows with this outcome."},
    },
}
_FIELDS: dict[str, Any] = {"type": "dict"}
CHANGE = Named(
    "ImportChange",
    {
        "line": described(COUNT, "First line of the row in the file."),
        "outcome": one_of(*OUTCOMES, words="What became of it, or would in a dry run."),
        "product_id": described(
            {**ID, "nullable": True}, "Its product; null for one that a dry run would make."
        ),
        "variant_id": described(
            {**ID, "nullable": True}, "Its variant; null for the product itself."
        ),
        "before": described(
            _FIELDS,
            "Of the fields that differ. A description is cut off after 500 characters, `images` "
            "has the first ten links. What all variants of a product share is told in its first "
            "row.",
        ),
        "after": described(_FIELDS, "The same fields; of an added row its name, price and stock."),
    },
)
CHANGES = pages.listed_by_cursor("changes", CHANGE)

#: Why an import fails: the file cannot be read, or a failure of the worker.
ERROR_CODES = (
    *FILE_CODES,
    "bad_rows",
    "too_many_rows",
    "file_missing",
    "session_ended",
    "unavailable",
    "internal_error",
)

_LISTED: dict[str, Any] = {
    "id": ID,
    "store_id": ID,
    "user_id": described(ID, "Who sent the file."),
    "state": one_of(
        "queued",
        "reading",
        "applying",
        "done",
        "failed",
        "cancelled",
        words="`done`, `failed` and `cancelled` are final, except that a dry run in `done` "
        "may be applied.",
    ),
    "mode": one_of("skip_bad", "atomic", words="Takes the good rows, or all rows or none."),
    "dry_run": {
        **FLAG,
        "meta": {"description": "Whether nothing is written; false once it is applied."},
    },
    "on_match": one_of("update", "skip", words="What happens to existing products."),
    "file_name": TEXT_OR_NULL,
    "file_bytes": COUNT,
    "default_stock": NUMBER,
    "rows_total": described(
        {**COUNT, "nullable": True}, "Rows of the file; null until it is surveyed."
    ),
    "rows_read": COUNT,
    "rows_valid": described(
        COUNT, "Good rows: created, updated, unchanged, skipped, or still to come."
    ),
    "rows_shared": described(
        COUNT, "Rows that are no products: parents of variants, further images, bundles."
    ),
    "rows_created": described(COUNT, "Rows that became products, or would in a dry run."),
    "rows_updated": described(COUNT, "Rows that changed a product, or would."),
    "rows_unchanged": described(COUNT, "Rows whose product had these values already."),
    "rows_skipped": described(
        COUNT, "Rows left out: on_match=skip, or the same as an earlier row of the file."
    ),
    "rows_bad": described(COUNT, "Rows refused; errors.csv says why."),
    "progress": described({**NUMBER, "max": 100}, "Per cent."),
    "error_code": one_of(
        *ERROR_CODES, words="Why the import as a whole failed; more may come.", nullable=True
    ),
    "error_message": TEXT_OR_NULL,
    "created_at": TIME,
    "started_at": _TIME_OR_NULL,
    "finished_at": _TIME_OR_NULL,
}
LISTED = Named("ListedCatalogImport", _LISTED)

_SIGNS = Named(
    "ImportPrices",
    {
        "decimal_sign": described(
            TEXT_OR_NULL, "The file's decimal sign; null if it has none, or both."
        ),
        "decided_by": one_of(
            "asked",
            "decimals",
            "thousands",
            "no_decimals",
            "both",
            words="How the sign was detected.",
        ),
        "three_digits": described(COUNT, "Prices such as 1.299, which the sign decides."),
    },
)
_SAID = "; ".join(f"`{code}` {words}" for code, words in NOTES.items())

COLUMNS = Named(
    "ImportColumns",
    {
        "header": _NAMES,
        "dialect": one_of(*DIALECTS, words="The detected kind of file."),
        "encoding": TEXT,
        "delimiter": TEXT,
        "used": {"type": "dict", "valuesrules": _NAMES},
        "ignored": _NAMES,
        "unknown": _NAMES,
        "own_header": {"type": "boolean"},
        "stock_column": {
            "type": "boolean",
            "meta": {"description": "False: every product got default_stock."},
        },
        "prices": of(_SIGNS),
        "currencies": described(_NAMES, "The currencies that prices name; nothing is converted."),
        "notes": {
            "type": "dict",
            "valuesrules": COUNT,
            "meta": {"description": "What else to know, with how many rows: " + _SAID + "."},
        },
    },
)

_NEW = Named(
    "ImportNews",
    {"count": COUNT, "first": _NAMES},
)
PLAN = Named(
    "ImportPlan",
    {
        "new_categories": described(
            of(_NEW), "How many, and the first hundred, from the top down."
        ),
        "new_brands": described(of(_NEW), "How many, and the names of the first hundred."),
    },
)
WISHED = Named("ImportWishes", {"count": COUNT, "first": _NAMES})
_MS: dict[str, Any] = {**COUNT, "nullable": True}
TIMINGS = Named(
    "ImportTimings",
    {
        "waited_ms": described(_MS, "Until the worker took the file."),
        "reading_ms": described(_MS, "Until its last row was read."),
        "applying_ms": described(_MS, "From then, or from when a dry run was applied, to the end."),
        "locked_ms": described(_MS, "The longest that one transaction held its locks on products."),
    },
)

IMPORT = Named(
    "CatalogImport",
    {
        **_LISTED,
        "variants": one_of("auto", "together", "separate", words="What rows of variants become."),
        "columns": described(
            of(COLUMNS, nullable=True), "How the file was read; null before that."
        ),
        "plan": described(of(PLAN, nullable=True), "What a dry run would add beside products."),
        "wished_categories": described(
            of(WISHED, nullable=True),
            "Categories that the file names and might not make: their rows went to the nearest "
            "one above.",
        ),
        "report_kept": described(FLAG, "Whether errors.csv still has the rows that were refused."),
        "timings": of(TIMINGS),
    },
)
