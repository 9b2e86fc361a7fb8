"""Links: what is sent and returned."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.common import TIME, URL, described

#: The parameter of a call that a link opens.
QUERY: dict[str, Any] = {
    "link": {
        "coerce": "line",
        "maxlength": 200,
        "meta": {"description": "Of POST /api/links, instead of a token. Never made by a client."},
    }
}
WANTED = Named(
    "LinkWanted",
    {
        "path": {
            "coerce": "line",
            "minlength": 1,
            "maxlength": 3000,
            "required": True,
            "meta": {
                "description": "Of an invoice, a packing slip, several slips or the export of "
                "orders, with its query.",
                "example": "/api/orders/901/invoice",
            },
        }
    },
)
LINK = Named(
    "Link",
    {"url": described(URL, "Open it in a browser."), "expires_at": TIME},
)
