"""Suggestions: the typed text and its completions."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.common import REFERENCE, described, list_of

QUERY: dict[str, Any] = {
    "q": {
        "coerce": "words",
        "maxlength": 200,
        "required": True,
        "meta": {
            "description": "The typed text; the last word may be unfinished.",
            "example": "kopi ga",
        },
    },
}

SUGGESTIONS = Named(
    "Suggestions",
    {
        "products": described(
            list_of(REFERENCE), "Five at most, as in every list here; the likeliest first."
        ),
        "brands": list_of(REFERENCE),
        "categories": list_of(REFERENCE),
    },
)
