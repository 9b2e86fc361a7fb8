"""The account that buyers pay a store directly to."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.common import TEXT_OR_NULL


def _text(example: str) -> dict[str, Any]:
    return {
        "coerce": "name",
        "minlength": 1,
        "maxlength": 100,
        "nullable": True,
        "required": True,
        "meta": {"example": example},
    }


ACCOUNT = Named("PayAccount", dict.fromkeys(("bank", "number", "holder"), TEXT_OR_NULL))
CHANGE = Named(
    "PayAccountChange",
    {
        "bank": _text("BCA"),
        "number": _text("1234567890"),
        "holder": _text("Sari Puspita"),
        "current_password": {
            "coerce": "secret",
            "minlength": 1,
            "maxlength": 128,
            "required": True,
            "meta": {"example": "kopi-susu-tanpa-gula"},
        },
    },
)
