"""Accounts: what is sent and what is answered."""

from typing import Any

from marketplace.schemas.common import ID, STAMPS, read_only

_NAME: dict[str, Any] = {"coerce": "line", "minlength": 1, "maxlength": 200, "check_with": "not_blank"}
_EMAIL: dict[str, Any] = {"coerce": "email"}
_PASSWORD: dict[str, Any] = {
    "coerce": "secret",
    "minlength": 8,
    "maxlength": 128,
    "meta": {"description": "8 to 128 characters of any script."},
}
_PRESENT: dict[str, Any] = {"coerce": "secret", "minlength": 1, "maxlength": 128}
_PHONE: dict[str, Any] = {"coerce": "line", "maxlength": 32, "nullable": True}
_ADDRESS: dict[str, Any] = {"coerce": "prose", "maxlength": 1000, "nullable": True}
_DEVICE: dict[str, Any] = {"coerce": "line", "maxlength": 200, "nullable": True}

REGISTER: dict[str, Any] = {
    "name": {**_NAME, "required": True},
    "email": {**_EMAIL, "required": True},
    "password": {**_PASSWORD, "required": True},
    "role": {"coerce": "line", "allowed": ["buyer", "seller"], "default": "buyer"},
    "phone": _PHONE,
    "device_name": _DEVICE,
}

LOGIN: dict[str, Any] = {
    "email": {"coerce": "line", "maxlength": 254, "required": True},
    "password": {**_PRESENT, "required": True},
    "device_name": _DEVICE,
}

REFRESH: dict[str, Any] = {"refresh_token": {"coerce": "secret", "minlength": 1, "maxlength": 200, "required": True}}

AVATAR: dict[str, Any] = {
    "url": {"type": "string"},
    "width": {"type": "integer"},
    "height": {"type": "integer"},
    "placeholder": {"type": "string"},
    "variants": {"type": "list", "schema": {"type": "dict"}},
}

TOKENS: dict[str, Any] = {
    "access_token": {"type": "string"},
    "refresh_token": {"type": "string"},
    "token_type": {"type": "string", "allowed": ["Bearer"]},
    "expires_in": {"type": "integer", "meta": {"description": "Seconds the access token lives."}},
    "user": {
        "type": "dict",
        "schema": {
            "id": ID,
            "name": {"type": "string"},
            "email": {"type": "string"},
            "role": {"type": "string", "allowed": ["buyer", "seller", "admin"]},
            "store_id": {**ID, "nullable": True},
            "avatar": {"type": "dict", "schema": AVATAR, "nullable": True},
        },
    },
}

SESSION: dict[str, Any] = {
    "id": ID,
    "device_name": {"type": "string", "nullable": True},
    "user_agent": {"type": "string", "nullable": True},
    "ip": {"type": "string", "nullable": True},
    "created_at": {"type": "string"},
    "last_used_at": {"type": "string"},
    "expires_at": {"type": "string"},
    "current": {"type": "boolean", "meta": {"description": "The device that asks."}},
}

PROFILE: dict[str, Any] = {
    "id": read_only(**ID),
    "name": {**_NAME, "required": True},
    "email": _EMAIL,
    "email_verified": read_only(type="boolean"),
    "phone": _PHONE,
    "address": _ADDRESS,
    "role": read_only(type="string", allowed=["buyer", "seller", "admin"]),
    "store_id": read_only(**ID, nullable=True),
    "avatar": read_only(type="dict", schema=AVATAR, nullable=True),
    "suspended": read_only(type="boolean"),
    **STAMPS,
}

#: PUT of the profile: the profile as GET answers it, edited, and what a change of address or password needs.
CHANGE: dict[str, Any] = {
    **PROFILE,
    "current_password": {**_PRESENT, "meta": {"description": "Needed to change email or password."}},
    "password": _PASSWORD,
}

MANAGE: dict[str, Any] = {
    **{name: read_only(**rule) for name, rule in PROFILE.items()},
    "role": {"coerce": "line", "allowed": ["buyer", "seller"]},
    "suspended": {"coerce": "boolean"},
}

SEARCH: dict[str, Any] = {
    "search": {"coerce": "line", "maxlength": 200, "meta": {"description": "Part of the name or address."}},
    "role": {"coerce": "line", "allowed": ["buyer", "seller", "admin"]},
    "suspended": {"coerce": "boolean"},
}
