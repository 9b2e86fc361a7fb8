"""Folders of files, served unchanged."""

from pathlib import Path
from typing import Any

import falcon
from falcon.routing import StaticRoute

from marketplace.web import headers

_METHODS = ("GET", "HEAD", "OPTIONS")


class Files:
    """A sink that serves the files of a folder to GET and HEAD, with an ETag and a max-age."""

    def __init__(self, prefix: str, folder: Path, *, keep: str) -> None:
        self._route = StaticRoute(prefix, folder)
        self._keep = keep

    def __call__(self, req: falcon.Request, resp: falcon.Response, **params: Any) -> None:
        """Respond with one file, or 404."""
        if req.method == "OPTIONS":
            headers.allow(resp, _METHODS)
        elif req.method not in _METHODS:
            raise falcon.HTTPMethodNotAllowed(_METHODS)
        else:
            self._route(req, resp)
            resp.set_header("Cache-Control", self._keep)
