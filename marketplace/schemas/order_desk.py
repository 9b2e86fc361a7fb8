"""The order desk: what is sent to move orders, and what became of many."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.common import ID, NUMBER, described, list_of, one_of

#: Orders that are moved by one call.
MOST = 100
_TOLD: dict[str, Any] = {"coerce": "name", "maxlength": 100, "nullable": True}
PARCEL_FIELDS: dict[str, Any] = {
    "courier": {**_TOLD, "meta": {"example": "jne"}},
    "service": {**_TOLD, "meta": {"example": "REG"}},
    "tracking_number": {
        **_TOLD,
        "meta": {
            "description": "Kept in capitals, without blanks. The same one again is the same "
            "parcel.",
            "example": "JX3456",
        },
    },
}
PIECES = Named(
    "OrderPieces",
    {
        "line_id": {**ID, "required": True},
        "quantity": {
            "coerce": "int64",
            "min": 1,
            "max": 1000,
            "required": True,
            "meta": {"format": "int32"},
        },
    },
)
_LINES = list_of(PIECES, minlength=1, maxlength=200)
SHIP = Named(
    "OrderShipping",
    {
        "lines": described(_LINES, "What is in the parcel; left out: all that is left."),
        **PARCEL_FIELDS,
    },
)
CANCELLATION = Named(
    "OrderCancelling",
    {
        "reason": {
            "coerce": "name",
            "minlength": 1,
            "maxlength": 500,
            "meta": {
                "description": "A code of `cancel.reasons`, or words.",
                "example": "changed_mind",
            },
        },
        "lines": described(_LINES, "For the store: the pieces that will not come."),
    },
)
ACCEPT_MANY = Named(
    "OrdersToAccept",
    {
        "ids": {
            "type": "list",
            "schema": ID,
            "minlength": 1,
            "maxlength": MOST,
            "required": True,
            "meta": {"example": [1]},
        }
    },
)
_TO_SHIP = Named("OrderToShip", {"id": {**ID, "required": True}, **PARCEL_FIELDS})
SHIP_MANY = Named(
    "OrdersToShip",
    {
        "orders": list_of(
            _TO_SHIP,
            minlength=1,
            maxlength=MOST,
            required=True,
            meta={"example": [{"id": 1, "courier": "jne", "tracking_number": "JX3456"}]},
        )
    },
)
_OUTCOME = Named(
    "OrderOutcome",
    {
        "id": ID,
        "outcome": one_of(
            "done",
            "unchanged",
            "not_found",
            "order_state",
            "cod_one_parcel",
            "too_many_units",
            words="What became of it; more may come.",
        ),
    },
)
OUTCOMES = Named(
    "OrderOutcomes",
    {"done": NUMBER, "unchanged": NUMBER, "failed": NUMBER, "rows": list_of(_OUTCOME)},
)
TRACKING = Named("ParcelChange", PARCEL_FIELDS)
RETURNED = Named(
    "ParcelReturned",
    {
        "outcome": {
            "coerce": "line",
            "allowed": ["refused", "undeliverable", "lost"],
            "required": True,
            "meta": {"example": "refused"},
        },
        "sellable": {
            "coerce": "boolean",
            "default": False,
            "meta": {"description": "Its pieces go back to stock; never those of a lost parcel."},
        },
    },
)
