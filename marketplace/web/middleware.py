"""The middleware: all that happens to a request before and after its responder, in order.

There are two, since Falcon renders what the inner one raises before the outer one finishes. Their
steps are plain calls: one object for each step would cost more than most of the steps.
"""

from typing import Any

import falcon

from marketplace.web import compression, etags, headers, rendering
from marketplace.web.access_log import AccessLog
from marketplace.web.authentication import Authentication
from marketplace.web.read_your_writes import ReadYourWrites


class Outer:
    """What every request and response gets, a refusal too. Nothing here refuses."""

    def __init__(
        self, log: AccessLog, writes: ReadYourWrites, cors: headers.Cors | None = None
    ) -> None:
        self._log = log
        self._writes = writes
        self._cors = cors

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Give the request its id and its clocks."""
        self._log.begin(req, resp)
        self._writes.begin(req)

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool
    ) -> None:
        """Complete the headers. The log line comes last, when all is known."""
        self._writes.end(resp)
        compression.compress(req, resp)
        declared = req.context.operation
        if declared is not None and declared.deprecated is not None:
            headers.deprecate(resp, declared.deprecated)
        if self._cors is not None:
            self._cors.allow(req, resp)
        self._log.end(req, resp)


class Inner:
    """Who calls, and the final form of the response: both may refuse."""

    def __init__(self, authentication: Authentication) -> None:
        self._authentication = authentication

    def process_resource(
        self, req: falcon.Request, resp: falcon.Response, resource: Any, params: dict[str, Any]
    ) -> None:
        """Let only public calls through without a living session."""
        self._authentication.authenticate(req, resp, resource)

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool
    ) -> None:
        """Turn the response into bytes, with its ETag."""
        rendering.finish(req, resp)
        etags.finish(req, resp)
