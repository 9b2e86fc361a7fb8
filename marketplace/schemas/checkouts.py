"""Checkouts and quotes: what is sent and what is returned."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.carts import LINE_FIELDS, MONEY, MONEY_OR_NULL, SELLER, WANTED
from marketplace.schemas.common import (
    FLAG,
    ID,
    NUMBER,
    STAMPS,
    TEXT,
    TEXT_OR_NULL,
    TIME,
    URL,
    described,
    list_of,
    of,
    one_of,
)
from marketplace.schemas.payments import CHANGE, PAYMENT

_DAY: dict[str, Any] = {"type": "string", "meta": {"format": "date", "example": "2026-12-03"}}
SUMS: dict[str, Any] = {
    "items_total": MONEY,
    "discount_total": described(MONEY, "Vouchers of stores."),
    "subsidy_total": described(MONEY, "Vouchers of the platform."),
    "delivery_total": MONEY,
    "tax_total": MONEY,
    "total": MONEY,
}
LINE = Named("QuoteLine", {**LINE_FIELDS, "discount": MONEY, "subsidy": MONEY, "tax": MONEY})
DELIVERY_CHOICE = Named(
    "DeliveryChoice",
    {
        "key": described(TEXT, "Sent back as `orders[].delivery`; opaque."),
        "name": TEXT,
        "price": MONEY,
        "free_from": MONEY_OR_NULL,
        "arrives": of(Named("Arrival", {"from": _DAY, "to": _DAY}), nullable=True),
        "cod": FLAG,
    },
)
DELIVERY = Named("QuoteDelivery", {"chosen": TEXT_OR_NULL, "options": list_of(DELIVERY_CHOICE)})
ORDER = Named(
    "QuoteOrder",
    {
        "store": of(SELLER),
        "lines": list_of(LINE),
        "weight_grams": NUMBER,
        **SUMS,
        "delivery": of(DELIVERY),
    },
)
OFFER = Named(
    "VoucherOffer",
    {
        "code": TEXT,
        "name": TEXT,
        "applied": FLAG,
        "discount": MONEY,
        "reason": one_of(
            "min_total",
            "used_up",
            "used",
            "other_products",
            "nothing_left",
            words="Why it gives nothing; more may come.",
            nullable=True,
        ),
        "missing": described(MONEY_OR_NULL, "How much more makes it good."),
    },
)
METHOD = Named(
    "PaymentMethod",
    {
        "method": TEXT,
        "channel": TEXT_OR_NULL,
        "group": TEXT,
        "name": TEXT,
        "min": MONEY_OR_NULL,
        "max": MONEY_OR_NULL,
        "within_minutes": described({**NUMBER, "nullable": True}, "Time to pay."),
        "available": FLAG,
        "reason": one_of(
            "delivery_option",
            "cod_limit",
            "refused_parcels",
            "store_account",
            "total_zero",
            "amount_too_small",
            "amount_too_large",
            "silent",
            words="Why it is not available; more may come.",
            nullable=True,
        ),
    },
)
QUOTE_PROBLEM = Named(
    "QuoteProblem",
    {
        "code": described(TEXT, "A code of a problem, or of a line; more may come."),
        "store_id": {**ID, "nullable": True},
        "product_id": {**ID, "nullable": True},
        "variant_id": {**ID, "nullable": True},
    },
)
QUOTE = Named(
    "Quote",
    {
        "currency": TEXT,
        "address": of(
            Named(
                "QuoteAddress",
                {
                    "id": ID,
                    "label": TEXT_OR_NULL,
                    "recipient": TEXT,
                    "phone": TEXT,
                    "text": TEXT,
                },
            ),
            nullable=True,
        ),
        **SUMS,
        "tax_included": FLAG,
        "units": NUMBER,
        "orders": list_of(ORDER),
        "vouchers": list_of(OFFER),
        "payment_methods": list_of(METHOD),
        "problems": list_of(QUOTE_PROBLEM),
    },
)
WANTED_LINE = Named("WantedLine", WANTED)
WANTED_ORDER = Named(
    "WantedOrder",
    {
        "store_id": {**ID, "required": True},
        "delivery": described(
            {"coerce": "line", "maxlength": 40, "nullable": True},
            "`key` of an option; left out: the first.",
        ),
        "note": {"coerce": "trimmed_prose", "maxlength": 500, "nullable": True},
    },
)
ASK: dict[str, Any] = {
    "address_id": described({**ID, "nullable": True}, "Left out: the default one."),
    "lines": {
        "type": "list",
        "schema": of(WANTED_LINE),
        "minlength": 1,
        "maxlength": 100,
        "nullable": True,
        "default": None,
        "meta": {"description": "Left out: the whole cart. Lines of the cart, but for `buy_now`."},
    },
    "buy_now": described(
        {"coerce": "boolean", "default": False}, "`lines` stand beside the cart, which stays."
    ),
    "orders": {
        "type": "list",
        "schema": of(WANTED_ORDER),
        "maxlength": 20,
        "default": [],
    },
    "vouchers": {
        "type": "list",
        "schema": {"coerce": "line", "maxlength": 20},
        "maxlength": 5,
        "default": [],
        "meta": {"description": "Codes.", "example": ["HEMATDP"]},
    },
}
QUOTE_ASKED = Named("QuoteRequest", ASK)
PLACE = Named(
    "NewCheckout",
    {
        **ASK,
        "expected_total": described(
            {"coerce": "money", "required": True, "meta": {"example": "162000.00"}},
            "`total` of the quote that the buyer has seen.",
        ),
        "payment": {
            "type": "dict",
            "schema": CHANGE,
            "nullable": True,
            "default": None,
            "meta": {"description": "Left out where there is nothing to pay."},
        },
    },
)
FIRST_LINE = Named(
    "FirstLine", {"name": TEXT, "thumb_url": {**URL, "nullable": True}, "quantity": NUMBER}
)
STAGES = ("unpaid", "new", "to_ship", "shipping", "delivered", "completed", "cancelled")
PLACED_ORDER = Named(
    "CheckoutOrder",
    {
        "id": ID,
        "number": TEXT,
        "store": of(SELLER),
        "stage": one_of(*STAGES, words="How far it is."),
        "first_line": of(FIRST_LINE),
        "more_lines": NUMBER,
        "total": MONEY,
    },
)
CHECKOUT = Named(
    "Checkout",
    {
        "id": ID,
        "number": described(TEXT, "What people call it; can be read over the telephone."),
        "state": one_of("unpaid", "settled", "cancelled", words="settled: the stores may act."),
        "method": TEXT,
        "channel": TEXT_OR_NULL,
        "currency": TEXT,
        "total": MONEY,
        "units": NUMBER,
        "placed_at": TIME,
        "pay_by": {**TIME, "nullable": True},
        "orders": list_of(PLACED_ORDER),
        "payments": list_of(PAYMENT),
        "can": {
            "type": "list",
            "schema": TEXT,
            "meta": {"description": "Buttons: pay, change_method, cancel; more may come."},
        },
        "version": STAMPS["version"],
    },
)
FILTERS: dict[str, Any] = {
    "state": {"coerce": "line", "allowed": ["unpaid", "settled", "cancelled"]},
    "number": {
        "coerce": "line",
        "maxlength": 50,
        "meta": {
            "description": "Of it or of one of its orders, with or without hyphens. Alone.",
            "example": "K8F3-2M94",
        },
    },
    "buyer_id": described(ID, "For admins: whose."),
}
CANCELLATION = Named(
    "Cancellation",
    {
        "reason": {
            "coerce": "name",
            "maxlength": 500,
            "nullable": True,
            "meta": {"example": "changed_mind"},
        }
    },
)
