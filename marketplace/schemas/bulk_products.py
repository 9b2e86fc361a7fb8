"""Many products at once: what is sent and what became of each."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.common import ID, NUMBER, TEXT, described, list_of, one_of, optional
from marketplace.schemas.stock import MODES, MOST, NAMED_BY, PIECES, outcomes

_ID_OR_NULL: dict[str, Any] = {**ID, "nullable": True}
_FIELDS: dict[str, Any] = {"type": "dict"}

ROW = Named(
    "ProductRowChange",
    {
        **NAMED_BY,
        "expected_version": described(ID, "Only if this is the product's version now."),
        "expected_stock": described(PIECES, "Only if this is what can be sold now."),
        "price": {"coerce": "money"},
        "price_before": {
            "coerce": "money",
            "nullable": True,
            "meta": {"description": "The struck price, above the price."},
        },
        "stock": described(PIECES, "What can be sold."),
        "hidden": {"coerce": "boolean"},
        "category_id": _ID_OR_NULL,
        "brand_id": _ID_OR_NULL,
        "weight_grams": {"coerce": "int64", "min": 0, "max": 1_000_000, "nullable": True},
        "min_quantity": {"coerce": "int64", "min": 1, "max": 1000},
        "max_per_buyer": {"coerce": "int64", "min": 1, "max": 2**31 - 1, "nullable": True},
        "preorder_days": {"coerce": "int64", "min": 1, "max": 90, "nullable": True},
        "condition": {"coerce": "line", "allowed": ["new", "used"]},
    },
)
BATCH = Named(
    "ProductBatch",
    {
        **MODES,
        "rows": list_of(
            ROW,
            minlength=1,
            maxlength=MOST,
            required=True,
            meta={"example": [{"product_id": 2, "price": "235000.00", "expected_version": 1}]},
        ),
    },
)
_ERROR = Named(
    "RowError",
    {
        "pointer": TEXT,
        "code": TEXT,
        "product_id": ID,
        "variant_id": _ID_OR_NULL,
        "message": TEXT,
    },
)
DONE = outcomes(
    "ProductOutcomes",
    Named(
        "ProductOutcome",
        {
            "row": described(NUMBER, "Which one, from 0."),
            "outcome": one_of(
                "done",
                "unchanged",
                "not_found",
                "duplicate_row",
                "version_conflict",
                "precondition_failed",
                "invalid",
                words="What became of it; more may come.",
            ),
            "product_id": _ID_OR_NULL,
            "variant_id": _ID_OR_NULL,
            "version": described(
                {**_ID_OR_NULL, "meta": {"format": "int64"}}, "The product's, as it is now."
            ),
            "before": optional(described(_FIELDS, "The changed fields as they were.")),
            "after": optional(described(_FIELDS, "The changed fields as they are.")),
            "errors": optional(described(list_of(_ERROR), "Why it is invalid.")),
        },
    ),
)
