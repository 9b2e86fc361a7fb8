"""Addresses of private files that are good for ten minutes, to whoever has them."""

import hmac
import time
from typing import Any
from urllib.parse import urlencode

import falcon

from marketplace.config.settings import Config
from marketplace.contract.errors import Problem
from marketplace.web import rendering

SECONDS = 600
PATH = "/api/uploads/file"


def address(req: falcon.Request, upload_id: str, size: str) -> str:
    """Return where one size of a private image is served for ten minutes from now."""
    config: Config = req.context.config
    expires = int(time.time()) + SECONDS
    query = {
        "upload": upload_id,
        "size": size,
        "expires": expires,
        "signature": _sign(config.secret_keys[0], upload_id, size, expires),
    }
    return f"{rendering.base_url(req)}{PATH}?{urlencode(query)}"


def redirect(req: falcon.Request, resp: falcon.Response, upload_id: str | None) -> None:
    """Redirect to a private image at such an address. Raises 404 where there is none."""
    if upload_id is None:
        raise Problem("not_found", "There is no such image.")
    resp.status = falcon.HTTP_302
    resp.location = address(req, upload_id, "large")


def is_good(config: Config, query: dict[str, Any]) -> bool:
    """Return whether an address is one of ours, and its time is not over."""
    if query["expires"] < time.time():
        return False
    given = query["signature"]
    return any(
        hmac.compare_digest(given, _sign(key, query["upload"], query["size"], query["expires"]))
        for key in config.secret_keys
    )


def _sign(key: str, upload_id: str, size: str, expires: int) -> str:
    said = f"upload\0{upload_id}\0{size}\0{expires}"
    return hmac.digest(key.encode(), said.encode(), "sha256").hex()
