"""Vouchers: what is sent and what is returned."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.common import ID, INT32_MAX, NUMBER, STAMPS, described, read_only

_AMOUNT: dict[str, Any] = {"coerce": "money", "meta": {"example": "20000.00"}}
_TIMES: dict[str, Any] = {"coerce": "int64", "min": 1, "max": INT32_MAX}
_WHEN: dict[str, Any] = {"coerce": "time", "nullable": True}


def _ids(most: int, words: str) -> dict[str, Any]:
    return {
        "type": "list",
        "schema": ID,
        "minlength": 1,
        "maxlength": most,
        "nullable": True,
        "meta": {"description": words},
    }


#: What a new voucher says once and for all.
FIXED: dict[str, Any] = {
    "code": {
        "coerce": "line",
        "regex": r"(?:[A-Z0-9]{3,20})\Z",
        "required": True,
        "meta": {
            "description": "3 to 20 capitals and digits.",
            "example": "HEMAT10",
            "pattern": "^[A-Z0-9]{3,20}$",
        },
    },
    "gives": {
        "coerce": "line",
        "allowed": ["percent", "amount", "free_delivery"],
        "required": True,
        "meta": {"description": "Off things, or the price of delivery.", "example": "percent"},
    },
    "value": described(
        {"coerce": "money", "meta": {"example": "10.00"}, "required": True},
        "Per cent (to 100) or an amount; of free_delivery nothing.",
    ),
}
CHANGING: dict[str, Any] = {
    "name": {
        "coerce": "name",
        "minlength": 1,
        "maxlength": 100,
        "required": True,
        "meta": {"example": "Hemat 10 %"},
    },
    "max_discount": described({**_AMOUNT, "nullable": True}, "The most it gives."),
    "min_total": described(
        {**_AMOUNT, "default": "0"}, "Price of the things it fits, before any discount."
    ),
    "product_ids": _ids(1000, "Products it fits; null: all."),
    "category_ids": _ids(100, "Categories it fits, with those below; null: all."),
    "listed": described({"coerce": "boolean", "default": True}, "Offered in every quote."),
    "starts_at": described(_WHEN, "null: now."),
    "ends_at": described(_WHEN, "null: without end."),
    "quota": described({**_TIMES, "nullable": True}, "Uses of all buyers; null: without end."),
    "per_buyer": {**_TIMES, "default": 1},
    "active": described({"coerce": "boolean", "default": True}, "False closes it."),
}
_KEPT: dict[str, Any] = {
    "id": read_only(**ID),
    "store_id": read_only(**described({**ID, "nullable": True}, "null: the platform's.")),
    "used": read_only(**described(NUMBER, "Times it is used and not given back.")),
    **STAMPS,
}
VOUCHER = Named("Voucher", {**_KEPT, **FIXED, **CHANGING})
NEW = Named("NewVoucher", VOUCHER)
CHANGE = Named(
    "VoucherChange",
    {**_KEPT, **{name: read_only(**rule) for name, rule in FIXED.items()}, **CHANGING},
)
FILTERS: dict[str, Any] = {
    "active": {"coerce": "boolean", "meta": {"description": "Open ones, or closed ones."}},
}
OF_STORE: dict[str, Any] = {
    "store_id": {**ID, "meta": {"description": "For admins: whose."}},
}
