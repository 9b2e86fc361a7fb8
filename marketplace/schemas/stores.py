"""Stores: what is sent and what is returned."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.common import (
    COUNT,
    FLAG,
    ID,
    STAMPS,
    TEXT_OR_NULL,
    TIME,
    URL,
    described,
    of,
    one_of,
    read_only,
)
from marketplace.schemas.users import AVATAR

_PHONE = r"^\+[1-9][0-9]{6,14}$"
#: What a seller says of their store when it is opened.
_WRITTEN: dict[str, Any] = {
    "name": {
        "coerce": "identity",
        "minlength": 1,
        "maxlength": 200,
        "check_with": "not_blank",
        "required": True,
        "meta": {"example": "Toko Sari"},
    },
    "description": {
        "coerce": "prose",
        "maxlength": 5000,
        "nullable": True,
        "meta": {"example": "Kopi dan teh dari kebun sendiri."},
    },
}
#: What they may say later.
_LATER: dict[str, Any] = {
    "city": {
        "coerce": "identity",
        "minlength": 1,
        "maxlength": 100,
        "check_with": "not_blank",
        "nullable": True,
        "meta": {"example": "Serang"},
    },
    "whatsapp": {
        "coerce": "line",
        "regex": r"(?:\+[1-9][0-9]{6,14})\Z",
        "nullable": True,
        "meta": {
            "description": "Number buyers may write to, as +6281234567890.",
            "example": "+6281234567890",
            "pattern": _PHONE,
        },
    },
    "closed_until": {
        "coerce": "time",
        "nullable": True,
        "meta": {"description": "A holiday: nothing is sold before. One that is over is null."},
    },
}
_STATE = one_of("pending", "active", "suspended", words="Only active stores sell; more may come.")
_CONTACT = Named(
    "StoreContact", {"whatsapp": described(TEXT_OR_NULL, "Number buyers may write to.")}
)
_LOGO: dict[str, Any] = of(AVATAR, nullable=True)
_LOGO_URL: dict[str, Any] = {**URL, "nullable": True}
_REASON = described(TEXT_OR_NULL, "Why it is not active: for its owner and admins.")
_JOINED: dict[str, Any] = {"type": "string", "meta": {"format": "date", "example": "2026-11-22"}}
_PRODUCTS = described(COUNT, "Products on sale, as the worker last counted them.")
#: Read-only fields that a PUT may send back as they came.
_READ: dict[str, Any] = {
    "id": read_only(**ID),
    "logo": read_only(**_LOGO),
    "logo_url": read_only(**_LOGO_URL),
    "state": read_only(**_STATE),
    "state_reason": read_only(**_REASON),
    "products": read_only(**_PRODUCTS),
    "joined": read_only(**_JOINED),
    "contact": read_only(**of(_CONTACT)),
    **STAMPS,
}
_SHOWN: dict[str, Any] = {
    "id": ID,
    "name": _WRITTEN["name"],
    "description": _WRITTEN["description"],
    "logo": _LOGO,
    "logo_url": _LOGO_URL,
    "city": TEXT_OR_NULL,
    "state": _STATE,
    "state_reason": _REASON,
    "closed_until": {**TIME, "nullable": True},
    "products": _PRODUCTS,
    "joined": _JOINED,
    "contact": of(_CONTACT),
    **STAMPS,
}
STORE = Named("Store", _SHOWN)
_SETUP = Named(
    "StoreSetup",
    {
        "email": described(FLAG, "The owner has confirmed their address."),
        "origin": described(FLAG, "It is said where parcels leave."),
        "delivery": described(FLAG, "There is a way of delivery."),
        "pay_account": described(FLAG, "There is an account buyers can pay to directly."),
        "can_sell": described(FLAG, "Buyers can buy here now."),
    },
)
OWN = Named(
    "OwnStore",
    {
        **_SHOWN,
        "whatsapp": TEXT_OR_NULL,
        "setup": described(of(_SETUP), "What there is of all that selling needs."),
    },
)
FILTERS: dict[str, Any] = {
    "search": {"coerce": "line", "maxlength": 200, "meta": {"description": "Part of the name."}},
    "city": {"coerce": "line", "maxlength": 100},
    "state": {
        "coerce": "line",
        "allowed": ["pending", "active", "suspended"],
        "meta": {"description": "For admins; everybody else sees active stores."},
    },
}
NEW = Named("NewStore", {**_WRITTEN, **_READ})
CHANGE = Named(
    "StoreChange",
    {**_WRITTEN, **_LATER, **_READ, "setup": read_only(**of(_SETUP))},
)
MANAGE = Named(
    "StoreStateChange",
    {
        "state": {
            "coerce": "line",
            "allowed": ["active", "suspended"],
            "meta": {"example": "suspended"},
        },
        "reason": {
            "coerce": "prose",
            "minlength": 1,
            "maxlength": 500,
            "nullable": True,
            "meta": {
                "description": "Needed to stop it; its owner reads it.",
                "example": "Barang tiruan.",
            },
        },
    },
)
LOGO_ANSWER = Named("LogoAnswer", {"logo": of(AVATAR)})
