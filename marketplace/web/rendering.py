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


def finish(req: falcon.Request, resp: falcon.Response) -> None:
    """Turn `resp.media` into JSON, fill in the address of uploads, and leave no body of a refused
    request unread.
    """
    render(req, resp)
    if req.method not in ("GET", "HEAD", "OPTIONS") and resp.status_code >= 400:
        bodies.drain(req)


def render(req: falcon.Request, resp: falcon.Response) -> None:
    """Bring `resp.data` to its final form. Doing it twice does no harm."""
    serialize(resp)
    data = resp.data
    if data is None or data is resp.context.rendered:
        return
    if _MARKER in data:
        data = data.replace(_MARKER, uploads_url(req))
    if resp.content_type in (falcon.MEDIA_JSON, problems.MEDIA_TYPE):
        data += b"\n"  # a terminal's prompt starts on a line of its own
    resp.data = resp.context.rendered = data


def serialize(resp: falcon.Response) -> None:
    """Turn `resp.media`, if there is any, into JSON. The address of uploads stays a marker."""
    media = resp.media
    if media is not None:
        resp.data = orjson.dumps(
            media, default=_default, option=orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS
        )
        if isinstance(media, dict) and "version" in media:
            resp.context.version = str(media["version"])
        resp.media = None
        resp.content_type = falcon.MEDIA_JSON


def uploads_url(req: falcon.Request) -> bytes:
    """Return the address that uploads are served from, with the slash: UPLOADS_URL, PUBLIC_URL, or
    in development the request's host.
    """
    state = req.context
    known: bytes | None = state.uploads
    if known is None:
        known = f"{state.config.uploads_url or f'{base_url(req)}/uploads'}/".encode()
        state.uploads = known
    return known


def base_url(req: falcon.Request) -> str:
    """Return the address that this service is reached at: PUBLIC_URL, or in development the
    request's host.
    """
    config: Config = req.context.config
    if config.public_url:
        return config.public_url
    host = req.netloc if _HOST.match(req.netloc) else f"{config.host}:{config.port}"
    return f"{req.scheme}://{host}"


def _default(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(type(value).__name__)
