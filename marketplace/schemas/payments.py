"""Payments: what is sent and what is returned."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.common import (
    FLAG,
    ID,
    NUMBER,
    STAMPS,
    TEXT,
    TEXT_OR_NULL,
    TIME,
    described,
    list_of,
    of,
    one_of,
    optional,
)

STATES = ("opening", "open", "checking", "paid", "failed", "expired", "cancelled")
REASONS = ("not_received", "unreadable", "wrong_amount", "other")
_MONEY: dict[str, Any] = {"type": "string", "meta": {"example": "162000.00"}}
_AMOUNT: dict[str, Any] = {"coerce": "money", "meta": {"example": "162000.00"}}
ACCOUNT = Named("TransferAccount", {"bank": TEXT, "number": TEXT, "holder": TEXT})
STEPS = Named("PaymentSteps", {"title": TEXT, "steps": {"type": "list", "schema": TEXT}})
INSTRUCTIONS = Named(
    "PaymentInstructions",
    {
        "kind": one_of("va", "qris", "redirect", "transfer", words="What the buyer does."),
        "bank": optional(described(TEXT, "va: the bank of the virtual account.")),
        "number": optional(described(TEXT, "va: its number, to be copied.")),
        "holder": optional(described(TEXT_OR_NULL, "va: the name that is shown.")),
        "steps": optional(list_of(STEPS)),
        "qr": optional(described(TEXT_OR_NULL, "qris: the text to draw as a QR code.")),
        "image_url": optional(described(TEXT_OR_NULL, "qris: the provider's own image.")),
        "url": optional(described(TEXT, "redirect: the page to open.")),
        "app_url": optional(described(TEXT_OR_NULL, "redirect: opens a wallet's app.")),
        "token": optional(described(TEXT_OR_NULL, "redirect: for the provider's own SDK.")),
        "accounts": optional(list_of(ACCOUNT)),
        "amount": optional(_MONEY),
        "qris": optional(described(FLAG, "GET /api/payments/{id}/qris shows a code to pay by.")),
    },
)
PAYMENT = Named(
    "Payment",
    {
        "id": ID,
        "order_id": described({**ID, "nullable": True}, "Paid to the store of one order."),
        "method": TEXT,
        "channel": TEXT_OR_NULL,
        "state": one_of(*STATES, words="How far it is; `checking`: somebody looks at the proof."),
        "amount": _MONEY,
        "currency": TEXT,
        "expires_at": {**TIME, "nullable": True},
        "poll_after": described(
            {**NUMBER, "nullable": True}, "Seconds until it is worth asking again; null: never."
        ),
        "problem": described(TEXT_OR_NULL, "Money that came late, twice or wrong."),
        "refusal": described(TEXT_OR_NULL, "Why a transfer was not found."),
        "version": STAMPS["version"],
        "instructions": of(INSTRUCTIONS, nullable=True),
    },
)
CHANGE = Named(
    "PaymentChange",
    {
        "method": {
            "coerce": "line",
            "maxlength": 40,
            "required": True,
            "meta": {"example": "transfer"},
        },
        "channel": {"coerce": "line", "maxlength": 40, "nullable": True},
        "return_url": described(
            {"coerce": "line", "maxlength": 2048, "nullable": True},
            "Where a provider takes the buyer back to; its scheme stands in RETURN_URLS.",
        ),
    },
)
PROOF = Named(
    "PaymentProof",
    {
        "upload": {
            "coerce": "line",
            "regex": r"(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\Z",
            "required": True,
            "meta": {
                "description": "`id` of POST /api/uploads with purpose `proof`.",
                "format": "uuid",
                "example": "6f1c0a52-8d0e-4f5b-9a55-0d3b4f3f6a11",
            },
        },
        "bank": {"coerce": "name", "maxlength": 100, "nullable": True},
        "holder": {"coerce": "name", "maxlength": 100, "nullable": True},
        "amount": {**_AMOUNT, "nullable": True},
    },
)
CONFIRMATION = Named(
    "PaymentConfirmation",
    {
        "received": described({**_AMOUNT, "required": True}, "What arrived at the account."),
        "give_back": described(
            {"coerce": "boolean", "default": False},
            "Take less than was asked for, and send it back; the order stays unpaid.",
        ),
    },
)
REFUSAL = Named(
    "PaymentRefusal",
    {
        "reason": {
            "coerce": "line",
            "allowed": list(REASONS),
            "required": True,
            "meta": {"example": "not_received"},
        },
        "message": {"coerce": "trimmed_prose", "maxlength": 400, "nullable": True},
    },
)
AGAIN = Named(
    "PaymentAgain",
    {"received": described({**_AMOUNT, "required": True}, "What came once more: all goes home.")},
)
SETTLEMENT = Named(
    "PaymentSettlement",
    {
        "how": {
            "coerce": "line",
            "allowed": ["send_back", "noted"],
            "required": True,
            "meta": {
                "description": "`send_back` a wrong amount; `noted`: somebody has seen it.",
                "example": "send_back",
            },
        }
    },
)
LISTED = Named(
    "ListedPayment",
    {
        **PAYMENT,
        "checkout_id": ID,
        "proof_at": {**TIME, "nullable": True},
        "received": described(_MONEY, "What has come, in all."),
        "reversed": described(
            TEXT_OR_NULL,
            "What the provider says of money that it had paid: charged_back, refunded.",
        ),
        "settled": described(FLAG, "Somebody has looked at its problem."),
        "created_at": TIME,
        "updated_at": TIME,
    },
)
#: A provider reads the status alone.
TAKEN = Named("CallbackTaken", {})
FILTERS: dict[str, Any] = {
    "state": {
        "coerce": "line",
        "allowed": ["checking", "open"],
        "meta": {"description": "Left out without `problem`: `checking`."},
    },
    "problem": {
        "coerce": "boolean",
        "meta": {"description": "What came wrong, late or twice, or was taken back. Alone."},
    },
    "store_id": described(ID, "For admins: to this store's own account."),
}
