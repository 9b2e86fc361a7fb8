"""Compresses what the cache before the application keeps: once for all who will read it."""

import gzip
from typing import Any

import falcon

from marketplace.contract.operations import Operation
from marketplace.web import etags

#: What the shipped nginx asks for where it will keep the answer; it unpacks it for who does not
#: take gzip. No client's header: what clients accept is between them and nginx.
HEADER = "X-Cache-Encoding"
LEAST = 1000  # bytes; below it packing does not pay
LEVEL = 1  # most of the gain for a tenth of the work


class Compression:
    """Middleware: gzip for the cache, where it asks for it. Everything else is compressed by
    nginx, or by nobody.
    """

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool
    ) -> None:
        """Compress the body; the tag becomes weak, as it names the answer before."""
        declared: Operation | None = req.context.operation
        if declared is None or resp.status_code != 200 or req.get_header(HEADER) != "gzip":
            return
        if resp.data is None or len(resp.data) < LEAST or not etags.shared(req, declared):
            return
        resp.data = gzip.compress(resp.data, LEVEL, mtime=0)
        resp.set_header("Content-Encoding", "gzip")
        tag = resp.get_header("ETag")
        if tag:
            resp.set_header("ETag", f"W/{tag}")
