"""Compression for the cache before the application: once for all its readers."""

import gzip

import falcon

from marketplace.contract.operations import Operation
from marketplace.web import etags

#: The shipped nginx sends this for responses that it will cache; it decompresses them for clients
#: without gzip. Clients cannot set it: their Accept-Encoding is between them and nginx.
HEADER = "HTTP_X_CACHE_ENCODING"
LEAST = 1000  # bytes; below it compression does not pay
LEVEL = 1  # most of the gain for a tenth of the work


def compress(req: falcon.Request, resp: falcon.Response) -> None:
    """Compress the body with gzip for the cache, if it requests it. nginx compresses everything
    else, or nobody does. The ETag becomes weak, as it names the uncompressed response.
    """
    if req.env.get(HEADER) != "gzip":
        return
    declared: Operation | None = req.context.operation
    if declared is None or resp.status_code != 200 or not etags.shared(req, declared):
        return
    if resp.data is None or len(resp.data) < LEAST:
        return
    resp.data = gzip.compress(resp.data, LEVEL, mtime=0)
    resp.set_header("Content-Encoding", "gzip")
    tag = resp.get_header("ETag")
    if tag:
        resp.set_header("ETag", f"W/{tag}")
