"""How a store sends and is paid: what is sent and what is returned."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.addresses import PLACE
from marketplace.schemas.common import COUNT, ID, TEXT, TIME, described, of, read_only
from marketplace.schemas.stock import STORE_QUERY as QUERY

__all__ = ["CHANGE", "QUERY", "SETTINGS"]

_MINUTES: dict[str, Any] = {
    "coerce": "int64",
    "min": 0,
    "max": 10080,
    "nullable": True,
    "default": 30,
    "meta": {"description": "When a new order is accepted by itself; 0: at once, null: never."},
}
_PLACE: dict[str, Any] = {**PLACE, "text": read_only(**described(TEXT, "All of it in one line."))}
_WHERE = "Where parcels leave and come back to."
_COLLECTOR: dict[str, Any] = {
    "coerce": "line",
    "allowed": ["store", "platform"],
    "meta": {"description": "Who has the cash of a parcel paid on delivery; for admins to say."},
}
_READ: dict[str, Any] = {
    "store_id": read_only(**ID),
    "version": read_only(**COUNT),
    "updated_at": read_only(**TIME, nullable=True),
}
SETTINGS = Named(
    "StoreSettings",
    {
        "store_id": ID,
        "origin": described(of(Named("StoreOrigin", _PLACE), nullable=True), _WHERE),
        "taxable": {"coerce": "boolean"},
        "accept_after_minutes": {name: _MINUTES[name] for name in _MINUTES if name != "default"},
        "cod_collector": _COLLECTOR,
        "version": described(COUNT, "Rises with every change; 0: nothing was said yet."),
        "updated_at": {**TIME, "nullable": True},
    },
)
CHANGE = Named(
    "StoreSettingsChange",
    {
        "origin": described(of(Named("NewStoreOrigin", _PLACE), nullable=True), _WHERE),
        "taxable": {
            "coerce": "boolean",
            "default": False,
            "meta": {"description": "Whether its goods bear tax.", "example": False},
        },
        "accept_after_minutes": _MINUTES,
        "cod_collector": _COLLECTOR,
        **_READ,
    },
)
