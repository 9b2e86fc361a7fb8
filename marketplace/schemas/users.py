"""Accounts: what is sent and what is returned."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.common import (
    FLAG,
    ID,
    NUMBER,
    ROLE,
    STAMPS,
    TEXT,
    TEXT_OR_NULL,
    TIME,
    URL,
    described,
    list_of,
    of,
    optional,
    read_only,
)
from marketplace.schemas.products import VARIANT

_NAME: dict[str, Any] = {
    "coerce": "identity",
    "minlength": 1,
    "maxlength": 200,
    "check_with": "not_blank",
    "meta": {"example": "Sari"},
}
_EMAIL: dict[str, Any] = {"coerce": "email", "meta": {"example": "sari@example.com"}}
_PASSWORD: dict[str, Any] = {
    "coerce": "secret",
    "minlength": 8,
    "maxlength": 128,
    "meta": {
        "description": "8 to 128 characters of any script.",
        "example": "kopi-susu-tanpa-gula",
    },
}
_PRESENT: dict[str, Any] = {"coerce": "secret", "minlength": 1, "maxlength": 128}
_PHONE: dict[str, Any] = {
    "coerce": "line",
    "maxlength": 32,
    "nullable": True,
    "meta": {"example": "0812 3456 7890"},
}
_ADDRESS: dict[str, Any] = {"coerce": "prose", "maxlength": 1000, "nullable": True}
_DEVICE: dict[str, Any] = {
    "coerce": "line",
    "maxlength": 200,
    "nullable": True,
    "meta": {"example": "Pixel 9"},
}
#: The same in the words of the legacy Android app.
_USER_ROLE: dict[str, Any] = {
    "type": "string",
    "allowed": ["pembeli", "penjual", "admin"],
    "meta": {"description": "The role in the words of the legacy Android app."},
}
_CLIENT_TYPE: dict[str, Any] = {
    "coerce": "line",
    "allowed": ["mobile"],
    "meta": {
        "description": "Sent by the legacy Android app, which cannot refresh: it gets an "
        "auth_token of weeks."
    },
}
_FOR_FIRST_APP = "By register, and if client_type was sent."

_REGISTER: dict[str, Any] = {
    "name": {**_NAME, "required": True},
    "email": {**_EMAIL, "required": True},
    "password": {**_PASSWORD, "required": True},
    "role": {"coerce": "line", "allowed": ["buyer", "seller"], "default": "buyer"},
    "phone": _PHONE,
    "device_name": _DEVICE,
    "client_type": _CLIENT_TYPE,
}
REGISTER = Named("Registration", _REGISTER)

LOGIN = Named(
    "Credentials",
    {
        "email": {
            "coerce": "address",
            "maxlength": 254,
            "required": True,
            "meta": {"example": "sari@example.com"},
        },
        "password": {**_PRESENT, "required": True, "meta": {"example": "kopi-susu-tanpa-gula"}},
        "device_name": _DEVICE,
        "client_type": _CLIENT_TYPE,
    },
)

REFRESH = Named(
    "RefreshRequest",
    {
        "refresh_token": {
            "coerce": "secret",
            "minlength": 1,
            "maxlength": 200,
            "required": True,
            "meta": {"example": "s3cR3tOfTheSession.0n3t1m3p4rt"},
        }
    },
)

_CODE: dict[str, Any] = {
    "coerce": "secret",
    "minlength": 1,
    "maxlength": 200,
    "required": True,
    "meta": {"description": "The code from the mail.", "example": "Zk3vQ0m2yUuTq8sXb1r9Aw"},
}
FORGOTTEN = Named("ForgottenPassword", {"email": LOGIN["email"]})
RESET = Named("PasswordReset", {"token": _CODE, "password": {**_PASSWORD, "required": True}})
VERIFY = Named("EmailVerification", {"token": _CODE})

AVATAR = Named(
    "Avatar",
    {
        "url": URL,
        "width": NUMBER,
        "height": NUMBER,
        "placeholder": described(TEXT, "thumbhash, base64."),
        "variants": list_of(VARIANT),
    },
)
AVATAR_ANSWER = Named("AvatarAnswer", {"avatar": of(AVATAR)})

SIGNED_IN = Named(
    "SignedInUser",
    {
        "id": ID,
        "name": TEXT,
        "email": TEXT,
        "role": ROLE,
        "user_role": optional(described(_USER_ROLE, _FOR_FIRST_APP)),
        "store_id": {**ID, "nullable": True},
        "avatar": of(AVATAR, nullable=True),
    },
)

TOKENS = Named(
    "Tokens",
    {
        "access_token": TEXT,
        "refresh_token": TEXT,
        "token_type": {"type": "string", "allowed": ["Bearer"]},
        "expires_in": described(NUMBER, "Seconds the access token lives."),
        "user": of(SIGNED_IN),
        "message": optional(described(TEXT, f"For the user, in Indonesian. {_FOR_FIRST_APP}")),
        "auth_token": optional(
            described(TEXT, f"An access token that lives as long as its session. {_FOR_FIRST_APP}")
        ),
        "user_role": optional(described(_USER_ROLE, _FOR_FIRST_APP)),
    },
)

SESSION = Named(
    "Session",
    {
        "id": ID,
        "device_name": TEXT_OR_NULL,
        "user_agent": TEXT_OR_NULL,
        "ip": TEXT_OR_NULL,
        "created_at": TIME,
        "last_used_at": TIME,
        "expires_at": TIME,
        "current": {"type": "boolean", "meta": {"description": "The device of this request."}},
    },
)
SESSIONS = Named("Sessions", {"sessions": list_of(SESSION)})

PROFILE = Named(
    "Profile",
    {
        "id": read_only(**ID),
        "name": {**_NAME, "required": True},
        "email": _EMAIL,
        "email_verified": read_only(**FLAG),
        "phone": _PHONE,
        "address": _ADDRESS,
        "role": read_only(**ROLE),
        "user_role": read_only(**_USER_ROLE),
        "store_id": read_only(**ID, nullable=True),
        "avatar": read_only(**of(AVATAR, nullable=True)),
        "suspended": read_only(**FLAG),
        **STAMPS,
    },
)

#: PUT of the profile: the profile as GET returns it, edited, and what a change of address or
#: password needs.
CHANGE = Named(
    "ProfileChange",
    {
        **PROFILE,
        "email": {
            "coerce": "email",
            "meta": {"description": "A new one needs current_password."},
        },
        "current_password": {
            **_PRESENT,
            "meta": {"description": "Needed to change email or password."},
        },
        "password": {
            **_PASSWORD,
            "meta": {"description": "A new one: 8 to 128 characters of any script."},
        },
    },
)

LEAVE = Named(
    "AccountDeletion",
    {
        "current_password": {
            **_PRESENT,
            "required": True,
            "meta": {"description": "It cannot be taken back.", "example": "kopi-susu-tanpa-gula"},
        }
    },
)

MANAGE = Named(
    "UserChange",
    {
        **{name: read_only(**rule) for name, rule in PROFILE.items()},
        "role": {"coerce": "line", "allowed": ["buyer", "seller"], "meta": {"example": "seller"}},
        "suspended": {"coerce": "boolean"},
    },
)

SEARCH: dict[str, Any] = {
    "search": {
        "coerce": "line",
        "maxlength": 200,
        "meta": {"description": "Part of the name or address."},
    },
    "role": ROLE,
    "suspended": {"coerce": "boolean"},
}
