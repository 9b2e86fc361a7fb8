"""Rendering of responses: JSON, with the address of uploads filled in."""

import re
from decimal import Decimal
from typing import Any

import falcon
import orjson

from marketplace.config.settings import Config
from marketplace.files.storage import URL_MARKER
from marketplace.web import bodies, problems

_MARKER = URL_MARKER.encode()
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}\Z")


class Rendering:
    """Middleware: turns `resp.media` into JSON, fills in the address of uploads, and leaves no body
    unread.
    """

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool
    ) -> None:
        """Serialise, fill in PUBLIC_URL; drain a refused request."""
        render(req, resp)
        if resp.status_code >= 400 and req.method not in ("GET", "HEAD", "OPTIONS"):
            bodies.drain(req)


def render(req: falcon.Request, resp: falcon.Response) -> None:
    """Bring `resp.data` to its final form. Doing it twice does no harm."""
    serialize(resp)
    if resp.data is not None and resp.data is not getattr(resp.context, "rendered", None):
        data = resp.data.replace(_MARKER, uploads_url(req))
        if resp.content_type in (falcon.MEDIA_JSON, problems.MEDIA_TYPE):
            data += b"\n"  # a terminal's prompt starts on a line of its own
        resp.data = resp.context.rendered = data


def serialize(resp: falcon.Response) -> None:
    """Turn `resp.media`, if there is any, into JSON. The address of uploads stays a marker."""
    if resp.media is not None:
        resp.data = orjson.dumps(
            resp.media, default=_default, option=orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS
        )
        if isinstance(resp.media, dict) and "version" in resp.media:
            resp.context.version = str(resp.media["version"])
        resp.media = None
        resp.content_type = falcon.MEDIA_JSON


def uploads_url(req: falcon.Request) -> bytes:
    """Return the address that uploads are served from, with the slash: UPLOADS_URL, PUBLIC_URL, or
    in development the request's host.
    """
    config: Config = req.context.config
    if config.uploads_url:
        return f"{config.uploads_url}/".encode()
    return f"{base_url(req)}/uploads/".encode()


def base_url(req: falcon.Request) -> str:
    """Return the address that this service is reached at: PUBLIC_URL, or in development the
    request's host.
    """
    config: Config = req.context.config
    host = req.netloc if _HOST.match(req.netloc) else f"{config.host}:{config.port}"
    return config.public_url or f"{req.scheme}://{host}"


def _default(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(type(value).__name__)
