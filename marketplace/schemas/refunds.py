"""Refunds: what lists show, and what people say about them."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.carts import MONEY
from marketplace.schemas.common import (
    COUNT,
    ID,
    NUMBER,
    TEXT,
    TEXT_OR_NULL,
    TIME,
    described,
    list_of,
    of,
    one_of,
)
from marketplace.schemas.order_desk import PIECES

_ID_OR_NULL: dict[str, Any] = {**ID, "nullable": True}
FILTERS: dict[str, Any] = {
    "way": {
        "coerce": "line",
        "allowed": ["bank", "store", "provider"],
        "meta": {"description": "For admins, with `state`: who has to send it."},
    },
    "state": {
        "coerce": "line",
        "allowed": ["due", "needs_bank", "sending", "sent"],
        "meta": {"description": "For admins, with `way`: the longest waiting first."},
    },
}
_LINE = Named("RefundLine", {"line_id": ID, "quantity": NUMBER, "amount": MONEY})
_ACCOUNT = Named("RefundAccount", {"bank": TEXT_OR_NULL, "number": TEXT, "holder": TEXT_OR_NULL})
REFUND = Named(
    "Refund",
    {
        "id": ID,
        "order_id": described(_ID_OR_NULL, "null: of a payment that paid nothing."),
        "amount": MONEY,
        "currency": TEXT,
        "reason": described(
            TEXT,
            "cancelled, out_of_stock, lines, undelivered, return, goodwill, late_payment, twice, "
            "mismatch, surplus, or a reason of the cancellation.",
        ),
        "bearer": one_of("store", "platform", words="Who bears it."),
        "way": one_of("provider", "bank", "store", words="Who sends it; more may come."),
        "state": one_of(
            "on_its_way",
            "needs_bank",
            "done",
            "given_up",
            "due",
            "sending",
            "sent",
            words="The buyer reads the first four, store and admins all but the first.",
        ),
        "by": described({**TIME, "nullable": True}, "When it should have arrived."),
        "bank": described(
            of(_ACCOUNT, nullable=True),
            "Whole for admins; four digits for the buyer; null for the store.",
        ),
        "reference": described(TEXT_OR_NULL, "What whoever sent it calls it."),
        "problem": described(
            TEXT_OR_NULL,
            "Why it could not be sent, while an account is wanted; admins read it always.",
        ),
        "lines": list_of(_LINE),
        "version": {**COUNT, "min": 1},
        "created_at": TIME,
    },
)
BANK = Named(
    "RefundBank",
    {
        "bank": {
            "coerce": "name",
            "minlength": 1,
            "maxlength": 100,
            "required": True,
            "meta": {"example": "BCA"},
        },
        "number": {
            "coerce": "key",
            "regex": r"(?:[0-9]{5,34})\Z",
            "required": True,
            "meta": {"description": "5 to 34 digits.", "example": "1234567890"},
        },
        "holder": {
            "coerce": "name",
            "minlength": 1,
            "maxlength": 200,
            "required": True,
            "meta": {"example": "Siti"},
        },
    },
)
DONE = Named(
    "RefundDone",
    {
        "reference": {
            "coerce": "name",
            "maxlength": 200,
            "nullable": True,
            "meta": {"description": "Of the transfer.", "example": "BCA 30/11 0042"},
        }
    },
)
_WHY: dict[str, Any] = {
    "coerce": "name",
    "minlength": 1,
    "maxlength": 400,
    "required": True,
}
FAILURE = Named(
    "RefundFailure",
    {
        "reason": described(
            {**_WHY, "meta": {"example": "The account is closed"}}, "Its buyer reads it."
        )
    },
)
GIVEN_UP = Named(
    "RefundGivenUp",
    {
        "message": described(
            {**_WHY, "meta": {"example": "Nobody has answered"}}, "Why nobody can be paid."
        )
    },
)
#: Reasons of a refund that somebody promises by hand.
REASONS = ("lines", "goodwill")
NEW = Named(
    "NewRefund",
    {
        "lines": described(
            list_of(PIECES, minlength=1, maxlength=200),
            "Pieces that have left; their part of commission and vouchers goes back with them.",
        ),
        "amount": described(
            {"coerce": "money", "meta": {"example": "5000.00"}},
            "Or a sum: the sale and its commission stand.",
        ),
        "reason": {
            "coerce": "line",
            "allowed": list(REASONS),
            "meta": {"description": "Left out: by what is given.", "example": "goodwill"},
        },
        "bearer": {
            "coerce": "line",
            "allowed": ["store", "platform"],
            "default": "store",
            "meta": {"description": "`platform`: by an admin, and only a sum.", "example": "store"},
        },
    },
)
