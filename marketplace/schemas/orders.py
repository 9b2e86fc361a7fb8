"""Orders: the filters of lists, the card of a list, and the page."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.carts import LINE_FIELDS, MONEY, OPTION, SELLER
from marketplace.schemas.common import (
    COUNT,
    FLAG,
    ID,
    NUMBER,
    TEXT,
    TEXT_OR_NULL,
    TIME,
    URL,
    described,
    list_of,
    of,
    one_of,
    optional,
)
from marketplace.schemas.refunds import REFUND
from marketplace.schemas.returns import RETURN

STAGES = ("unpaid", "new", "to_ship", "shipping", "delivered", "completed", "cancelled")
ACTIONS = (
    *("cancel", "confirm"),
    *("accept", "ship", "cancel_lines", "refuse_cancel", "delivered", "returned"),
    *("return", "refund"),
)
REQUESTS = ("cancel", "return", "dispute")
_TIME_OR_NULL: dict[str, Any] = {**TIME, "nullable": True}

# What a list is asked for ---------------------------------------------------------------------

_STAGE: dict[str, Any] = {
    "coerce": "names",
    "allowed": list(STAGES),
    "meta": {"description": "One or several, with commas between.", "example": "new,to_ship"},
}
_NUMBER: dict[str, Any] = {
    "coerce": "line",
    "maxlength": 50,
    "meta": {
        "description": "As people say it: with or without hyphens, O for 0, I and L for 1. Alone.",
        "example": "K8F3-2M94-1",
    },
}
_SORT: dict[str, Any] = {"coerce": "line", "maxlength": 50}
_FACETS: dict[str, Any] = {
    "coerce": "names",
    "allowed": ["stage"],
    "meta": {"description": "`stage` returns how many there are in each, up to 1,001."},
}
FILTERS: dict[str, Any] = {
    "stage": _STAGE,
    "number": _NUMBER,
    "store_id": described(ID, "For admins, with `stage`."),
    "cod_overdue": {
        "coerce": "boolean",
        "meta": {
            "description": "For admins: parcels paid on delivery that should have arrived. Alone."
        },
    },
    "sort_by": described(_SORT, "`newest`."),
    "facets": _FACETS,
}
STORE_FILTERS: dict[str, Any] = {
    "store_id": described(ID, "For admins: whose store."),
    "stage": _STAGE,
    "number": _NUMBER,
    "open_request": {
        "coerce": "line",
        "allowed": list(REQUESTS),
        "meta": {"description": "About which this is asked. Alone."},
    },
    "late": {
        "coerce": "boolean",
        "meta": {"description": "What should have been sent, the oldest deadline first. Alone."},
    },
    "product_id": described(ID, "With this product. Alone."),
    "sort_by": described(
        _SORT, "`newest`, or `ship_by`: what is to be sent (new, to_ship), most urgent first."
    ),
    "facets": _FACETS,
}

# Cards ----------------------------------------------------------------------------------------

FIRST_LINE = Named(
    "OrderFirstLine",
    {
        "product_id": ID,
        "variant_id": {**ID, "nullable": True},
        "name": TEXT,
        "options": list_of(OPTION),
        "thumb_url": {**URL, "nullable": True},
        "placeholder": TEXT_OR_NULL,
        "quantity": NUMBER,
        "price": MONEY,
        "total": MONEY,
    },
)
DEADLINE = Named(
    "OrderDeadline",
    {
        "what": one_of(
            "pay",
            "ship",
            "deliver",
            "complete",
            "answer_cancel",
            "answer_return",
            "send_back",
            "finish_return",
            words="What is to be done, or is done by itself, by then; more may come.",
        ),
        "at": TIME,
    },
)
_STAGE_SHOWN = one_of(*STAGES, words="Where it is; more may come.")
CARD_FIELDS: dict[str, Any] = {
    "id": ID,
    "number": {**TEXT, "meta": {"example": "K8F3-2M94-1"}},
    "checkout_id": ID,
    "stage": _STAGE_SHOWN,
    "store": of(SELLER),
    "buyer": optional(
        of(Named("OrderBuyer", {"name": described(TEXT, "A letter of it.")}), nullable=False)
    ),
    "first_line": of(FIRST_LINE),
    "more_lines": NUMBER,
    "units": described(NUMBER, "Pieces of all lines."),
    "total": MONEY,
    "currency": TEXT,
    "cod": described(FLAG, "Paid in cash when it arrives."),
    "courier": described(TEXT_OR_NULL, "Of the newest parcel."),
    "tracking_number": TEXT_OR_NULL,
    "open_request": one_of(*REQUESTS, words="What is asked; more may come.", nullable=True),
    "deadline": of(DEADLINE, nullable=True),
    "can": {
        "type": "list",
        "schema": one_of(*ACTIONS, words="Ignore one that you do not know."),
        "meta": {"description": "What the caller can do with it now."},
    },
    "placed_at": TIME,
    "version": {**COUNT, "min": 1},
}
CARD = Named("ListedOrder", CARD_FIELDS)
STAGE_COUNTS = Named(
    "OrderFacets",
    {"stage": of(Named("StageCounts", dict.fromkeys(STAGES, NUMBER)))},
)

# The page -------------------------------------------------------------------------------------

ORDER_LINE = Named(
    "OrderLine",
    {
        "id": ID,
        **LINE_FIELDS,
        "sku": TEXT_OR_NULL,
        "discount": described(MONEY, "What the store bears of it."),
        "subsidy": described(MONEY, "What the platform bears of it."),
        "tax": MONEY,
        "cancelled": described(NUMBER, "Pieces that will not be sent."),
        "shipped": NUMBER,
        "delivered": described(NUMBER, "Of the shipped."),
        "undelivered": described(NUMBER, "Of the shipped: refused, undeliverable or lost."),
        "returned": described(NUMBER, "Of the delivered: sent back."),
    },
)
ADDRESS = Named(
    "OrderAddress",
    {
        "recipient": TEXT,
        "phone": TEXT_OR_NULL,
        "text": TEXT,
        "note": described(TEXT_OR_NULL, "For the courier."),
        "masked": described(
            FLAG,
            "A store reads it whole from `new` until 30 days after completion; else a letter "
            "and the city.",
        ),
    },
)
TOTALS = Named(
    "OrderTotals",
    {
        "items": MONEY,
        "discount": described(MONEY, "What the store bears."),
        "subsidy": described(MONEY, "What the platform bears."),
        "delivery": MONEY,
        "tax": MONEY,
        "tax_included": described(FLAG, "Whether prices contain the tax; else it is on top."),
        "total": MONEY,
        "cancelled": described(MONEY, "Of the total, for pieces that will not come."),
        "paid": MONEY,
        "refunded": MONEY,
    },
)
ORDER_PAYMENT = Named(
    "OrderPayment",
    {
        "id": {**ID, "nullable": True},
        "method": TEXT,
        "state": described(TEXT_OR_NULL, "null: nothing is paid beforehand."),
    },
)
PARCEL = Named(
    "Parcel",
    {
        "id": ID,
        "courier": TEXT_OR_NULL,
        "service": TEXT_OR_NULL,
        "tracking_number": TEXT_OR_NULL,
        "tracking_url": TEXT_OR_NULL,
        "state": one_of("shipped", "delivered", "returned", "lost", words="More may come."),
        "outcome": one_of(
            "refused",
            "undeliverable",
            "lost",
            "assumed",
            words="How it ended; assumed: counted as delivered. More may come.",
            nullable=True,
        ),
        "lines": list_of(Named("ParcelLine", {"line_id": ID, "quantity": NUMBER})),
        "shipped_at": TIME,
        "delivered_at": _TIME_OR_NULL,
    },
)
MOMENT = Named(
    "TimelineMoment",
    {
        "at": TIME,
        "type": described(TEXT, "As events are called, or `checkpoint`."),
        "text": described(TEXT, "In the caller's language."),
        "by": one_of("buyer", "seller", "admin", "system", words="Who did it.", nullable=True),
        "shipment_id": {**ID, "nullable": True},
    },
)
CANCEL = Named(
    "OrderCancellation",
    {
        "how": one_of(
            "now", "ask", "no", words="Whether the caller can cancel it, or ask the store to."
        ),
        "reasons": list_of(Named("CancelReason", {"code": TEXT, "text": TEXT})),
    },
)
SALE = Named(
    "OrderSale",
    {
        "commission": MONEY,
        "commission_tax": MONEY,
        "net": described(MONEY, "total + subsidy - commission - its tax"),
    },
)
PAGE = Named(
    "Order",
    {
        **CARD_FIELDS,
        "lines": list_of(ORDER_LINE),
        "address": of(ADDRESS),
        "note": described(TEXT_OR_NULL, "From the buyer to the store."),
        "delivery": described(TEXT_OR_NULL, "How it is sent, as the buyer chose."),
        "totals": of(TOTALS),
        "payment": optional(described(of(ORDER_PAYMENT), "For the buyer and admins.")),
        "payment_status": TEXT,
        "fulfilment_status": TEXT,
        "cancel_reason": TEXT_OR_NULL,
        "cancelled_by": TEXT_OR_NULL,
        "shipments": list_of(PARCEL),
        "timeline": list_of(MOMENT),
        "cancel": of(CANCEL),
        "return_until": described(
            _TIME_OR_NULL, "Until when it can be sent back; null: not completed yet."
        ),
        "returns": described(list_of(RETURN), "Newest first, 20 at most."),
        "refunds": described(list_of(REFUND), "Newest first, 20 at most."),
        "sale": optional(described(of(SALE), "For the store and admins.")),
    },
)
