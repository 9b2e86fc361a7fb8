"""Addresses that open one thing for five minutes without a header: for browsers and printers, which
send none.

A link is good for one path with its query, and acts as the session that asked for it: it reads what
that session may read when it is opened, and nothing once the session has ended. It holds a hash of
the session's secret, from which nobody gets the secret or a token.
"""

import base64
import binascii
import hmac
import re
import time
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode

import falcon

from marketplace.config.settings import Config
from marketplace.contract.errors import Problem
from marketplace.postgres.callers import Caller
from marketplace.web import rendering

SECONDS = 300
NAME = "link"
_LINK = re.compile(
    r"([1-9][0-9]{0,18})\.([1-9][0-9]{0,11})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})\Z"
)


def address(req: falcon.Request, path: str, pairs: Iterable[tuple[str, str]], expires: int) -> str:
    """Return where the caller opens a path with this query until a time (in seconds)."""
    caller: Caller = req.context.caller
    config: Config = req.context.config
    signature = _signed(config.secret_keys[0], caller, expires, path, pairs)
    link = f"{caller.user_id}.{expires}.{_written(caller.session_hash)}.{signature}"
    return f"{rendering.base_url(req)}{path}?{urlencode([*pairs, (NAME, link)])}"


def caller_of(req: falcon.Request) -> Caller | None:
    """Return who asked for the link in the query; None where there is none. Raises 404 for one that
    is not ours, of another path, or over.
    """
    if f"{NAME}=" not in req.query_string:
        return None
    pairs = _pairs(req.query_string)
    given = [value for name, value in pairs if name == NAME]
    if not given:
        return None
    rest = [(name, value) for name, value in pairs if name != NAME]
    found = _LINK.match(given[0]) if len(given) == 1 else None
    if found is None or int(found[2]) < time.time():
        raise _gone()
    try:
        session = base64.urlsafe_b64decode(f"{found[3]}=")
    except binascii.Error:
        raise _gone() from None
    caller = Caller(session, int(found[1]), request_id=req.context.request_id)
    config: Config = req.context.config
    said = (caller, int(found[2]), req.path, rest)
    if not any(hmac.compare_digest(found[4], _signed(key, *said)) for key in config.secret_keys):
        raise _gone()
    return caller


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, errors="strict", max_num_fields=100)
    except (UnicodeDecodeError, ValueError):
        raise _gone() from None


def _signed(
    key: str, caller: Caller, expires: int, path: str, pairs: Iterable[tuple[str, str]]
) -> str:
    """Return the signature; the order of parameters means nothing."""
    query = urlencode(sorted(pairs))
    said = "\0".join(
        ("link", str(caller.user_id), str(expires), caller.session_hash.hex(), path, query)
    )
    return _written(hmac.digest(key.encode(), said.encode(), "sha256"))


def _written(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _gone() -> Problem:
    return Problem("not_found", "This address is not good any more.")
