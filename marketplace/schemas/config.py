"""What an app requests at its start: the settings of this installation."""

from marketplace.contract.validation import Named
from marketplace.schemas.common import (
    FLAG,
    NUMBER,
    TEXT,
    TEXT_OR_NULL,
    TIME,
    described,
    of,
)

_TEXTS = {"type": "list", "schema": TEXT}
_LIMIT = {**NUMBER, "meta": {"format": "int64"}}
VERSIONS = Named(
    "AppVersions",
    {
        "lowest": described(TEXT_OR_NULL, "Older ones should ask their user to update."),
        "newest": TEXT_OR_NULL,
    },
)
CONFIG = Named(
    "Config",
    {
        "currency": described(TEXT, "ISO 4217."),
        "currency_digits": described(NUMBER, "Decimals that amounts are shown with."),
        "country": described(TEXT, "ISO 3166-1, two letters."),
        "languages": described(_TEXTS, "Languages of messages, the default one first."),
        "now": described(TIME, "The server's clock."),
        "methods": described(_TEXTS, "Payment methods; empty where nothing is sold yet."),
        "features": of(
            Named("Features", dict.fromkeys(("cod", "vouchers", "reviews", "chat"), FLAG))
        ),
        "limits": of(
            Named(
                "Limits",
                {
                    "pictures": described(NUMBER, "Images a product may have."),
                    "picture_bytes": _LIMIT,
                    "picture_pixels": _LIMIT,
                    "body_bytes": described(_LIMIT, "Of a JSON body."),
                    "import_bytes": described(_LIMIT, "Of a CSV file."),
                    "per_page": described(NUMBER, "Rows of a page."),
                    "cart_lines": described(NUMBER, "Lines of a cart."),
                    "addresses": described(NUMBER, "Addresses of a user."),
                },
            )
        ),
        "app": of(Named("Apps", {"android": of(VERSIONS), "ios": of(VERSIONS)})),
        "support": of(Named("Support", {"whatsapp": TEXT_OR_NULL, "url": TEXT_OR_NULL})),
    },
)
