"""The account that buyers pay a store directly to."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.common import TEXT_OR_NULL, URL, described, read_only
from marketplace.schemas.uploads import NAMED


def _text(example: str) -> dict[str, Any]:
    return {
        "coerce": "name",
        "minlength": 1,
        "maxlength": 100,
        "nullable": True,
        "required": True,
        "meta": {"example": example},
    }


_QRIS_URL = described({**URL, "nullable": True}, "Of the code; good for ten minutes.")
ACCOUNT = Named(
    "PayAccount",
    {
        **dict.fromkeys(("bank", "number", "holder"), TEXT_OR_NULL),
        "qris_upload": TEXT_OR_NULL,
        "qris_url": _QRIS_URL,
    },
)
CHANGE = Named(
    "PayAccountChange",
    {
        "bank": _text("BCA"),
        "number": _text("1234567890"),
        "holder": _text("Sari Puspita"),
        "qris_upload": {
            **NAMED,
            "nullable": True,
            "default": None,
            "meta": {
                **NAMED["meta"],
                "description": "`id` of POST /api/uploads with purpose `qris`; null: no code.",
            },
        },
        "qris_url": read_only(**_QRIS_URL),
        "current_password": {
            "coerce": "secret",
            "minlength": 1,
            "maxlength": 128,
            "required": True,
            "meta": {"example": "kopi-susu-tanpa-gula"},
        },
    },
)
