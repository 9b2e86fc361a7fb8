"""Returns and disputes: what is asked for, what is answered, what is shown."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.carts import MONEY
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
from marketplace.schemas.order_desk import PIECES

STATES = ("open", "approved", "sent_back", "done", "rejected", "withdrawn")
REASONS = ("damaged", "wrong", "not_as_described", "missing", "changed_mind")
STEPS = ("approved", "rejected", "sent_back", "withdrawn", "done")
ACTIONS = ("approve", "reject", "receive", "send_back", "withdraw", "dispute", "decide")
#: Images of a return.
MOST_IMAGES = 10
_UUID = r"(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\Z"
_MESSAGE: dict[str, Any] = {"coerce": "trimmed_prose", "maxlength": 2000, "nullable": True}
FILTERS: dict[str, Any] = {
    "state": {
        "coerce": "line",
        "allowed": list(STATES),
        "meta": {"description": "For a store, and for admins with `store_id`."},
    },
    "disputed": {
        "coerce": "boolean",
        "meta": {"description": "For admins: what they have to decide, oldest first. Alone."},
    },
    "store_id": described(ID, "For admins: of which store."),
}
NEW = Named(
    "NewReturn",
    {
        "lines": list_of(
            PIECES,
            minlength=1,
            maxlength=200,
            required=True,
            meta={"example": [{"line_id": 5001, "quantity": 1}]},
        ),
        "reason": {
            "coerce": "line",
            "allowed": list(REASONS),
            "required": True,
            "meta": {"example": "damaged"},
        },
        "message": described(_MESSAGE, "What is wrong, in the buyer's words."),
        "uploads": {
            "type": "list",
            "schema": {"coerce": "line", "regex": _UUID, "meta": {"format": "uuid"}},
            "maxlength": MOST_IMAGES,
            "meta": {"description": "`id` of POST /api/uploads with purpose `request`."},
        },
        "keep_goods": {
            "coerce": "boolean",
            "default": False,
            "meta": {"description": "The buyer wants money back and keeps the pieces."},
        },
    },
)
_DECISION = Named(
    "ReturnDecision",
    {
        "amount": described(
            {"coerce": "money", "required": True, "meta": {"example": "500.00"}},
            "What the buyer gets; 0: nothing.",
        ),
        "bearer": {
            "coerce": "line",
            "allowed": ["store", "platform"],
            "required": True,
            "meta": {"example": "platform"},
        },
    },
)
CHANGE = Named(
    "ReturnChange",
    {
        "state": {
            "coerce": "line",
            "allowed": list(STEPS),
            "meta": {"description": "The step that is made.", "example": "approved"},
        },
        "disputed": {
            "coerce": "boolean",
            "allowed": [True],
            "meta": {"description": "Ask an admin to decide."},
        },
        "decision": described(of(_DECISION), "By an admin, of what is disputed."),
        "message": described(_MESSAGE, "From the store or the admin; it is the `reply`."),
        "tracking_number": {
            "coerce": "name",
            "maxlength": 100,
            "nullable": True,
            "meta": {"description": "Of the parcel that goes back.", "example": "JX3456"},
        },
        "sellable": {
            "coerce": "boolean",
            "meta": {
                "description": "With `done`, where pieces came back: whether they are stock again."
            },
        },
    },
)
_LINE = Named("ReturnLine", {"line_id": ID, "quantity": NUMBER})
_REFUND = Named(
    "ReturnRefund",
    {
        "id": ID,
        "amount": MONEY,
        "state": one_of(
            "on_its_way", "needs_bank", "done", "given_up", words="How far it is; more may come."
        ),
    },
)
_IMAGE = Named("ReturnImage", {"id": TEXT, "url": URL, "thumb_url": URL})
RETURN = Named(
    "Return",
    {
        "id": ID,
        "order_id": ID,
        "order_number": TEXT,
        "state": one_of(*STATES, words="How far it is; more may come."),
        "disputed": described(FLAG, "An admin decides, or has decided."),
        "reason": one_of(*REASONS, words="Why; more may come."),
        "message": described(TEXT_OR_NULL, "From the buyer."),
        "reply": described(TEXT_OR_NULL, "From the store or an admin."),
        "lines": list_of(_LINE),
        "amount": described(MONEY, "What is asked for."),
        "currency": TEXT,
        "keep_goods": described(FLAG, "Nothing is sent back."),
        "tracking_number": TEXT_OR_NULL,
        "bearer": one_of("store", "platform", words="Who bears what is given.", nullable=True),
        "refund": described(of(_REFUND, nullable=True), "What is given back."),
        "deadline_at": described({**TIME, "nullable": True}, "When silence decides."),
        "can": {
            "type": "list",
            "schema": one_of(*ACTIONS, words="Ignore one that you do not know."),
            "meta": {"description": "What the caller can do with it now."},
        },
        "images": optional(
            described(list_of(_IMAGE), "Of one return alone: addresses good for ten minutes.")
        ),
        "version": {**COUNT, "min": 1},
        "created_at": TIME,
        "updated_at": TIME,
    },
)
