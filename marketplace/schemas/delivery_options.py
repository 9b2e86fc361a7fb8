"""Ways in which stores send: what is sent and what is returned."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.addresses import AREA_CODE
from marketplace.schemas.common import ID, INT32_MAX, STAMPS, described, list_of, of, read_only

PRICINGS = ("flat", "weight", "table", "pickup")
_AMOUNT: dict[str, Any] = {"coerce": "money", "meta": {"example": "9000.00"}}
_GRAMS: dict[str, Any] = {"coerce": "int64", "min": 1, "max": INT32_MAX}
_DAYS: dict[str, Any] = {"coerce": "int64", "min": 0, "max": 90, "nullable": True}
_AREA: dict[str, Any] = {
    **AREA_CODE,
    "meta": {**AREA_CODE["meta"], "description": "A country, or the start of an area code."},
}
RATE = Named(
    "DeliveryRate",
    {
        "area": {**_AREA, "required": True},
        "up_to_grams": {**_GRAMS, "required": True},
        "price": {**_AMOUNT, "required": True},
    },
)
#: What everybody sees of an option.
FIELDS: dict[str, Any] = {
    "id": read_only(**ID),
    "name": {
        "coerce": "name",
        "minlength": 1,
        "maxlength": 100,
        "required": True,
        "meta": {"example": "JNE Reguler"},
    },
    "pricing": {
        "coerce": "line",
        "allowed": list(PRICINGS),
        "required": True,
        "meta": {
            "description": "`flat`: `price`; `weight`: `price` and `per_kg` for each kilogram "
            "begun; `table`: `rates`; `pickup`: nothing.",
            "example": "flat",
        },
    },
    "price": {**_AMOUNT, "default": "0"},
    "per_kg": {**_AMOUNT, "default": "0"},
    "free_from": described(
        {**_AMOUNT, "nullable": True}, "Price of the things from which it costs nothing."
    ),
    "max_grams": described({**_GRAMS, "nullable": True}, "The heaviest parcel."),
    "areas": {
        "type": "list",
        "schema": _AREA,
        "maxlength": 600,
        "default": [],
        "meta": {"description": "Where it goes to; none: everywhere."},
    },
    "cod": described({"coerce": "boolean", "default": False}, "It can be paid on delivery."),
    "days_min": described(_DAYS, "Days on the road, at the best; with days_max."),
    "days_max": described(_DAYS, "Days on the road, at the latest."),
    "position": {"coerce": "int64", "min": 0, "max": 10_000, "default": 0},
}
OFFERED = Named("OfferedDelivery", FIELDS)
OFFERED_LIST = Named("OfferedDeliveries", {"delivery_options": list_of(OFFERED)})
OPTION = Named(
    "DeliveryOption",
    {
        **FIELDS,
        "active": {"coerce": "boolean", "default": True},
        "rates": {
            "type": "list",
            "schema": of(RATE),
            "maxlength": 1000,
            "default": [],
            "meta": {
                "description": "Of `table`: the longest start of the area code wins, then the "
                "smallest weight that fits."
            },
        },
        **STAMPS,
    },
)
#: A request's rate has no other fields.
WANTED_RATE = Named("WantedDeliveryRate", RATE)
_WANTED: dict[str, Any] = {**OPTION, "rates": {**OPTION["rates"], "schema": of(WANTED_RATE)}}
NEW = Named("NewDeliveryOption", _WANTED)
CHANGE = Named("DeliveryOptionChange", _WANTED)
LIST = Named("DeliveryOptions", {"delivery_options": list_of(OPTION)})
OF_STORE: dict[str, Any] = {
    "store_id": {**ID, "meta": {"description": "For admins: whose."}},
}
