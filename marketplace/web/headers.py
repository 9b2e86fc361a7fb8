"""Headers that belong to no single call: what browsers may do with a response, who may read it,
what is deprecated.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timezone
from typing import Any

import falcon

from marketplace.contract.operations import Deprecated

#: A response is data: whatever it contains, a browser that shows it loads and runs nothing, and
#: puts it in no frame.
POLICY = "default-src 'none'; frame-ancestors 'none'"
#: The headers that every response begins with, refusals too, in the lower case of falcon's own. A
#: responder may set another policy.
EVERY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": POLICY,
}
PREFLIGHT_SECONDS = 7200  # Chromium's limit
#: Headers that a browser app may send, beyond those of any page.
TAKEN = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Accept-Language, "
    "X-Request-ID,"
    " Consistency-Token"
)
#: Headers that it may read, beyond those of any page.
SHOWN = (
    "X-Request-ID, ETag, Location, Link, Retry-After, RateLimit, RateLimit-Policy, "
    "Idempotent-Replayed, Deprecation,"
    " Sunset, Content-Disposition, Consistency-Token"
)


#: The origins of web apps in development.
_OWN_MACHINE = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?\Z")


def deprecate(resp: falcon.Response, deprecated: Deprecated) -> None:
    """Say of a call that it is going to end (RFC 9745, RFC 8594, RFC 5829)."""
    resp.set_header("Deprecation", f"@{int(_begin(deprecated.since).timestamp())}")
    if deprecated.sunset is not None:
        resp.set_header("Sunset", falcon.dt_to_http(_begin(deprecated.sunset)))
    if deprecated.successor is not None:
        resp.append_link(deprecated.successor, "successor-version")


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), timezone.utc)


class Cors:
    """Lets pages of these origins (`*` is any) read responses, refusals too; with
    `own_machine`, pages that any port of this machine serves.

    Never with credentials: a client sends its token in a header, and there are no cookies.
    """

    def __init__(self, origins: Iterable[str], *, own_machine: bool = False) -> None:
        self._origins = frozenset(origins)
        self._any = "*" in self._origins
        self._own_machine = own_machine

    def allow(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Name the origin that may read the response, and which headers; for a preflight, those it
        may send.
        """
        if self._any:
            resp.set_header("Access-Control-Allow-Origin", "*")
        else:
            resp.append_header(
                "Vary", "Origin"
            )  # also without an Origin: caches keep the response for others
            origin = req.env.get("HTTP_ORIGIN")
            if origin is None or not self._may_read(origin):
                return
            resp.set_header("Access-Control-Allow-Origin", origin)
        allowed = resp.get_header("Allow")
        if (
            req.method == "OPTIONS"
            and req.get_header("Access-Control-Request-Method")
            and allowed is not None
        ):
            resp.set_header("Access-Control-Allow-Methods", allowed)
            resp.set_header("Access-Control-Allow-Headers", TAKEN)
            resp.set_header("Access-Control-Max-Age", str(PREFLIGHT_SECONDS))
        else:
            resp.set_header("Access-Control-Expose-Headers", SHOWN)

    def _may_read(self, origin: str) -> bool:
        return origin in self._origins or (self._own_machine and bool(_OWN_MACHINE.match(origin)))


def complete(resource: Any) -> None:
    """Complete a resource: HEAD wherever there is GET, and OPTIONS."""
    if hasattr(resource, "on_get"):
        resource.on_head = resource.on_get
    methods = [name[3:].upper() for name in dir(resource) if name.startswith("on_")]

    def on_options(req: falcon.Request, resp: falcon.Response, **params: Any) -> None:
        allow(resp, {*methods, "OPTIONS"})

    resource.on_options = on_options


def allow(resp: falcon.Response, methods: Iterable[str]) -> None:
    """Respond to OPTIONS: no content, and the methods in Allow."""
    resp.status = falcon.HTTP_204
    resp.set_header("Allow", ", ".join(sorted(methods)))
