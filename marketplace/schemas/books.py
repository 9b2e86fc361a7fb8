"""The books: a store's balance, and entries that an admin makes."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.carts import MONEY
from marketplace.schemas.common import ID, TEXT, TEXT_OR_NULL, TIME, described, list_of
from marketplace.schemas.payments import ACCOUNT

_AMOUNT: dict[str, Any] = {"coerce": "money", "required": True, "meta": {"example": "21000.00"}}
_NOTE: dict[str, Any] = {"coerce": "name", "maxlength": 300, "nullable": True}
STORE_QUERY: dict[str, Any] = {"store_id": described(ID, "For admins: whose store.")}
BALANCE = Named(
    "StoreBalance",
    {
        "store_id": ID,
        "balance": described(
            {**MONEY, "meta": {"example": "-21000.00"}}, "Below 0: the store owes it."
        ),
        "currency": TEXT,
        "updated_at": {**TIME, "nullable": True},
        "top_up_accounts": described(
            list_of(ACCOUNT), "Where the store pays what it owes; empty if it owes nothing."
        ),
    },
)
TOP_UP = Named(
    "TopUp",
    {
        "amount": _AMOUNT,
        "reference": {
            "coerce": "name",
            "minlength": 1,
            "maxlength": 150,
            "required": True,
            "meta": {"description": "Of the transfer at the bank.", "example": "BCA 30/11"},
        },
        "note": _NOTE,
    },
)
_ACCOUNTS = ["payable", "expense_fee", "cod_receivable", "bank"]
_SIDE: dict[str, Any] = {"coerce": "line", "allowed": _ACCOUNTS}
ENTRY = Named(
    "LedgerEntry",
    {
        "kind": {
            "coerce": "line",
            "allowed": ["cod_handed_in", "adjustment"],
            "required": True,
            "meta": {"example": "cod_handed_in"},
        },
        "amount": _AMOUNT,
        "debit": described(_SIDE, "Needed for an adjustment; cod_handed_in has bank."),
        "credit": described(_SIDE, "Needed for an adjustment; cod_handed_in has cod_receivable."),
        "store_id": described(
            {**ID, "nullable": True}, "Exactly where an account is payable: whose."
        ),
        "note": described(_NOTE, "Needed for an adjustment."),
    },
)
POSTED = Named("PostedEntry", {"id": ID})
_ID_OR_NULL: dict[str, Any] = {**ID, "nullable": True}
BOOKED = Named(
    "BookedEntry",
    {
        "id": ID,
        "kind": TEXT,
        "source": described(TEXT, "What of: `order 901`, or who made it and by which key."),
        "order_id": _ID_OR_NULL,
        "user_id": described(_ID_OR_NULL, "Who acted; null: the worker."),
        "note": TEXT_OR_NULL,
        "created_at": TIME,
        "postings": list_of(
            Named(
                "Posting",
                {
                    "account": TEXT,
                    "store_id": described(_ID_OR_NULL, "Of a payable: whose."),
                    "provider": described(TEXT_OR_NULL, "Of a provider: which."),
                    "amount": described(MONEY, "Debit above 0, credit below; they sum to 0."),
                },
            )
        ),
    },
)
