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

_ID_OR_NULL: dict[str, Any] = {**ID, "nullable": True}
FILTERS: dict[str, Any] = {
    "way": {
        "coerce": "line",
        "allowed": ["bank", "store"],
        "meta": {"description": "For admins, with `state`: who has to send it."},
    },
    "state": {
        "coerce": "line",
        "allowed": ["due", "needs_bank"],
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
        "reason": TEXT,
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
