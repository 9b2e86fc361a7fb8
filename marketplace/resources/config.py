"""The settings of this installation that an app needs before anybody signs in."""

from datetime import datetime, timezone
from typing import Any

import falcon

from marketplace.config.settings import Config as Settings
from marketplace.contract.operations import PUBLIC, operation
from marketplace.contract.pages import PER_PAGE_MAX
from marketplace.schemas import config as schemas
from marketplace.text.messages import LANGUAGES
from marketplace.workflows import addresses, carts
from marketplace.workflows.pricing import WHOLE


class Config:
    """/api/config"""

    def __init__(self, settings: Settings) -> None:
        self._settled = _settled(settings)

    @operation(
        "getConfig",
        "How this installation is set up",
        roles=PUBLIC,
        responses={200: schemas.CONFIG},
        max_age=300,
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return currency, languages, limits, features and app versions; call it at the app's
        start.
        """
        now = datetime.now(timezone.utc).replace(microsecond=0)
        resp.media = {**self._settled, "now": now}


def _settled(settings: Settings) -> dict[str, Any]:
    return {
        "currency": settings.currency,
        "currency_digits": 0 if settings.currency in WHOLE else 2,
        "country": settings.country,
        "languages": list(LANGUAGES),
        "methods": list(settings.payment_methods),
        "features": {
            "cod": "cod" in settings.payment_methods,
            "vouchers": True,
            "reviews": False,
            "chat": False,
        },
        "limits": {
            "pictures": settings.images_per_product,
            "picture_bytes": settings.image_max_bytes,
            "picture_pixels": settings.image_max_pixels,
            "body_bytes": settings.body_max_bytes,
            "import_bytes": settings.import_max_bytes,
            "per_page": PER_PAGE_MAX,
            "cart_lines": carts.MOST,
            "addresses": addresses.MOST,
        },
        "app": {
            name: dict(
                zip(
                    ("lowest", "newest"), settings.app_versions.get(name, (None, None)), strict=True
                )
            )
            for name in ("android", "ios")
        },
        "support": {
            "whatsapp": settings.support_whatsapp or None,
            "url": settings.support_url or None,
        },
    }
