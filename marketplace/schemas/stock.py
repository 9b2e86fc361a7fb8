"""Stock: batches of it, lists of it, and why it changed."""

from typing import Any

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
    VARIANT_ID,
    described,
    list_of,
    one_of,
    optional,
)

#: Rows of a batch.
MOST = 1000
PIECES: dict[str, Any] = {"coerce": "int64", "min": 0, "max": 999_999_999}
_MONEY_OR_NULL = {**TEXT_OR_NULL, "meta": {"pattern": r"^[0-9]{1,13}\.[0-9]{2}$"}}
_ID_OR_NULL: dict[str, Any] = {**ID, "nullable": True}
_INT32: dict[str, Any] = {"type": "integer", "meta": {"format": "int32"}}
_COUNTED: dict[str, Any] = {**_INT32, "nullable": True}

#: How a batch is done; bulk changes of products take the same.
MODES: dict[str, Any] = {
    "mode": {
        "coerce": "line",
        "allowed": ["each", "all"],
        "default": "each",
        "meta": {"description": "each: every row by itself. all: all rows, or none."},
    },
    "dry_run": {
        "coerce": "boolean",
        "default": False,
        "meta": {"description": "Only return what would become of each row."},
    },
}
#: What a row of a batch is about.
NAMED_BY: dict[str, Any] = {
    "product_id": {**ID, "meta": {"description": "Or `sku`.", "example": 2}},
    "variant_id": described(VARIANT_ID, "Of a product with variants."),
    "sku": {
        "coerce": "key",
        "minlength": 1,
        "maxlength": 100,
        "meta": {"description": "Instead of the ids: of a product, or of one of its variants."},
    },
}
STORE_QUERY: dict[str, Any] = {"store_id": described(ID, "For admins: whose store.")}

ROW = Named(
    "StockChange",
    {
        **NAMED_BY,
        "stock": described(PIECES, "What can be sold. One of `stock`, `on_hand`, `change`."),
        "on_hand": described(PIECES, "What was counted, with what is held for orders."),
        "change": {
            "coerce": "int64",
            "min": -999_999_999,
            "max": 999_999_999,
            "meta": {"description": "More or fewer pieces. Goes with an Idempotency-Key."},
        },
        "expected_stock": described(PIECES, "Only if this is what can be sold now."),
    },
)
BATCH = Named(
    "StockBatch",
    {
        **MODES,
        "rows": list_of(
            ROW,
            minlength=1,
            maxlength=MOST,
            required=True,
            meta={"example": [{"product_id": 2, "stock": 40, "expected_stock": 15}]},
        ),
    },
)
OUTCOME = Named(
    "StockOutcome",
    {
        "row": described(NUMBER, "Which one, from 0."),
        "outcome": one_of(
            "done",
            "unchanged",
            "not_found",
            "duplicate_row",
            "precondition_failed",
            "not_enough_stock",
            "invalid",
            words="What became of it; more may come.",
        ),
        "product_id": _ID_OR_NULL,
        "variant_id": _ID_OR_NULL,
        "stock": described(_COUNTED, "What can be sold now; null if there is no such thing."),
        "reserved": described(_COUNTED, "What orders hold."),
    },
)
_SUMS: dict[str, Any] = {
    "dry_run": FLAG,
    "done": NUMBER,
    "unchanged": NUMBER,
    "failed": NUMBER,
}


def outcomes(name: str, row: Named) -> Named:
    """Return the schema of what became of a batch of such rows."""
    return Named(name, {**_SUMS, "rows": list_of(row)})


DONE = outcomes("StockOutcomes", OUTCOME)
FILTERS: dict[str, Any] = {
    **STORE_QUERY,
    "low": {
        "coerce": "int64",
        "min": 0,
        "max": 20,
        "meta": {
            "description": "Only what had at most so many pieces when it was last looked at "
            "(`as_of`, some minutes ago)."
        },
    },
    "product_id": ID,
}
_OPTION = Named("VariantOption", {"name": TEXT, "value": TEXT})
STOCKED = Named(
    "ListedStock",
    {
        "product_id": ID,
        "variant_id": _ID_OR_NULL,
        "name": TEXT,
        "options": list_of(_OPTION),
        "sku": TEXT_OR_NULL,
        "thumb_url": TEXT_OR_NULL,
        "placeholder": TEXT_OR_NULL,
        "price": {"type": "string", "meta": {"pattern": r"^[0-9]{1,13}\.[0-9]{2}$"}},
        "price_before": _MONEY_OR_NULL,
        "weight_grams": _COUNTED,
        "min_quantity": NUMBER,
        "hidden": FLAG,
        "stock": described(NUMBER, "What can be sold."),
        "reserved": described(NUMBER, "What orders hold."),
        "on_hand": described(COUNT, "Both together."),
    },
)
LISTED = pages.listed(
    "stock",
    STOCKED,
    as_of=optional(
        described({**TIME, "nullable": True}, "With `low`: since when the list is as it is.")
    ),
)

MOVEMENT_FILTERS: dict[str, Any] = {
    "variant_id": ID,
    **{name: pages.QUERY[name] for name in ("per_page", "cursor")},
}
MOVEMENT = Named(
    "StockMovement",
    {
        "id": ID,
        "created_at": TIME,
        "variant_id": _ID_OR_NULL,
        "kind": one_of(
            "opening",
            "set",
            "import",
            "hold",
            "release",
            "ship",
            "return",
            "turn",
            words="Why; opening: what stood there before the first change. More may come.",
        ),
        "change": described(_INT32, "By how many pieces what can be sold changed."),
        "change_reserved": described(_INT32, "By how many what orders hold changed."),
        "order_id": described(_ID_OR_NULL, "The order it was for."),
        "order_number": TEXT_OR_NULL,
        "by": one_of("store", "admin", "order", "system", words="Who did it; more may come."),
        "user_id": _ID_OR_NULL,
    },
)
MOVEMENTS = pages.listed("movements", MOVEMENT)
