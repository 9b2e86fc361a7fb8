"""The state of a request on its way through the middleware to the responder, and of its response:
`req.context` and `resp.context`.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import falcon

from marketplace.config.settings import Config
from marketplace.contract.operations import Operation
from marketplace.postgres.callers import Caller
from marketplace.web.headers import EVERY


@dataclass(slots=True)
class RequestState:
    """One request. The comment of each attribute names who sets it; a misspelt one is an
    AttributeError.
    """

    #: web/access_log.py: the client's id for the request, or ours; all settings; the clock when it
    #: came in; the second since 1970 in which nothing had been read yet; the client's address.
    request_id: str = ""
    config: Config = field(init=False)
    started: float = 0.0
    second: int = 0
    ip: str | None = None
    #: web/read_your_writes.py: a position in the write-ahead log that the client has seen.
    read_after: int = 0
    #: web/authentication.py: the responder's declaration, and who calls; None for a guest.
    operation: Operation | None = None
    caller: Caller | None = None
    #: web/hooks.py: the query and the body, checked and converted.
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    #: web/rendering.py: the address that uploads are served from.
    uploads: bytes | None = None
    #: web/idempotency.py: the key, and the hash of everything the request says, updated while it is
    #: read.
    idempotency_key: str | None = None
    body_hash: "hashlib._Hash | None" = None


@dataclass(slots=True)
class ResponseState:
    """A response on its way back: `resp.context`."""

    #: The responder, or web/rendering.py: the version of the thing, and a whole ETag if it is known
    #: without the bytes (web/etags.py).
    version: str | None = None
    tag: str | None = None
    #: web/rendering.py: the bytes in their final form.
    rendered: bytes | None = None


class Request(falcon.Request):
    """A request whose context is a RequestState."""

    context_type = RequestState


class Response(falcon.Response):
    """A response whose context is a ResponseState."""

    context_type = ResponseState

    def __init__(self, options: falcon.ResponseOptions | None = None) -> None:
        super().__init__(options)
        self._headers.update(EVERY)

    def set_header(self, name: str, value: str) -> None:
        """Set a header. falcon would also look for cookies, of which there are none here."""
        self._headers[name.lower()] = value
