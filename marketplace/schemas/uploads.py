"""Private images: what is sent and what is returned."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.common import TIME, URL, described

ID: dict[str, Any] = {
    "type": "string",
    "meta": {"format": "uuid", "description": "What a later call names it by."},
}
#: How a later call names one.
NAMED: dict[str, Any] = {
    "coerce": "line",
    "regex": r"(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\Z",
    "meta": {"format": "uuid", "example": "6f1c0a52-8d0e-4f5b-9a55-0d3b4f3f6a11"},
}
FIELDS: dict[str, Any] = {
    "purpose": {
        "coerce": "line",
        "allowed": ["proof", "request", "qris"],
        "required": True,
        "meta": {
            "description": "`proof` of a transfer, `request` for a return, `qris` of a store.",
            "example": "proof",
        },
    },
}
UPLOAD = Named(
    "Upload",
    {
        "id": ID,
        "thumb_url": described(URL, "Good for ten minutes."),
        "expires_at": described(TIME, "Until when it has to be named."),
    },
)
SIGNED: dict[str, Any] = {
    "upload": {"coerce": "line", "regex": NAMED["regex"], "required": True},
    "size": {"coerce": "line", "allowed": ["thumb", "large"], "required": True},
    "expires": {"coerce": "int64", "min": 0, "required": True},
    "signature": {"coerce": "line", "maxlength": 64, "required": True},
}
