"""Compression for the cache before the application: once for all its readers."""

import gzip
from typing import Any

import falcon

from marketplace.contract.operations import Operation
from marketplace.web import etags

#: The shipped nginx sends this for responses that it will cache; it decompresses them for clients
#: without gzip. Clients cannot set it: their Accept-Encoding is between them and nginx.
HEADER = "X-Cache-Encoding"
LEAST = 1000  # bytes; below it compression does not pay
LEVEL = 1  # most of the gain for a tenth of the work


class Compression:
    """Middleware: gzip for the cache, if it requests it. nginx compresses everything else, or
    nobody does.
    """

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool
    ) -> None:
        """Compress the body. The ETag becomes weak, as it names the uncompressed response."""
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
