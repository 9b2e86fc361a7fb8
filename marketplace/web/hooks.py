"""Hooks: hold a request to what its operation declares, before the responder sees it.

After them `req.context.query` and `req.context.body` hold the request, checked and converted.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any
from urllib.parse import parse_qsl

import falcon
from falcon.util import mediatypes

from marketplace.contract import validation
from marketplace.contract.errors import Problem, repeated
from marketplace.contract.operations import (
    ANYONE,
    EVERYONE,
    MERGE_PATCH,
    MULTIPART,
    PUBLIC,
    Operation,
)
from marketplace.text.messages import say
from marketplace.web import bodies, etags, idempotency
from marketplace.web.places import Places

#: JSON of a call that needs no token: an address, a password, a token and a name fit well.
UNSIGNED_BYTES = 16 * 1024


def put_on(resource: Any, places: Places) -> None:
    """Put the hooks before every responder of a resource that declares an operation; exports take
    their turn in `places`.
    """
    for name in dir(resource):
        responder = getattr(resource, name) if name.startswith("on_") else None
        declared = getattr(responder, "operation", None)
        if responder is not None and declared is not None:
            setattr(resource, name, _enforced(responder, declared, places))


def _enforced(
    responder: Callable[..., None], declared: Operation, places: Places
) -> Callable[..., None]:
    needs_role = declared.roles not in (PUBLIC, EVERYONE, ANYONE)

    @wraps(responder)
    def enforced(req: falcon.Request, resp: falcon.Response, **params: Any) -> None:
        if needs_role:
            require_role(req, declared.roles)
        _check(req, declared)
        if declared.rate == "export" and req.method == "GET":
            place = places.take()
            try:
                responder(req, resp, **params)
            except BaseException:
                place.give_back()
                raise
            resp.stream = place.stream(resp.stream or ())  # type: ignore[arg-type]
        else:
            responder(req, resp, **params)

    return enforced


def require_role(req: falcon.Request, roles: tuple[str, ...]) -> None:
    """Refuse with 403 a caller without any of the roles."""
    if req.context.caller.role not in roles:
        allowed = say(" and ".join(f"{role}s" for role in roles))
        raise Problem("forbidden", say("This call is for {roles}.", roles=allowed))


def _check(req: falcon.Request, declared: Operation) -> None:
    _require_acceptable(req, declared)
    req.context.query = _query(req.query_string, declared)
    if declared.conditional:
        etags.check(req)
    if declared.idempotent:
        idempotency.begin(req, required=declared.key_required)
    if declared.body is None:
        return
    kind = bodies.content_type(req)
    if kind == falcon.MEDIA_JSON or (declared.partial and kind == MERGE_PATCH):
        most = req.context.config.body_max_bytes
        document = bodies.read_json(req, min(most, UNSIGNED_BYTES) if declared.public else most)
        req.context.body = validation.check(document, declared.body, partial=declared.partial)
    elif req.method == "DELETE" and not kind:  # many clients send none with it
        req.context.body = validation.check({}, declared.body)
    elif declared.parts is None or kind != MULTIPART:
        allowed = [falcon.MEDIA_JSON, *([MULTIPART] if declared.parts else []), *declared.media]
        raise Problem(
            "unsupported_media_type", say("Send one of these: {types}.", types=", ".join(allowed))
        )


def _require_acceptable(req: falcon.Request, declared: Operation) -> None:
    """Refuse with 406 an Accept that excludes all that the call returns when it succeeds.

    An unreadable header counts as none, and so does any if there is no content to choose.
    """
    accept = req.env.get("HTTP_ACCEPT")
    if accept is None or accept == "*/*" or _accepts(accept.lower(), declared):
        return
    raise Problem(
        "not_acceptable", say("This call returns {types}.", types=", ".join(declared.produces))
    )


@lru_cache(maxsize=1024)
def _accepts(accept: str, declared: Operation) -> bool:
    """Return whether an Accept takes what the call returns; a million phones send the same."""
    if not accept or not declared.responses.keys() - {204}:
        return True
    try:
        return any(mediatypes.quality(kind, accept) > 0 for kind in declared.produces)
    except ValueError:
        return True


def _query(query_string: str, declared: Operation) -> dict[str, Any]:
    if len(query_string) > 512:  # a long one is rarely sent twice
        return _checked(query_string, declared)
    return dict(_cached(query_string, declared))


@lru_cache(maxsize=4096)
def _cached(query_string: str, declared: Operation) -> dict[str, Any]:
    """Return a query string, checked: half a millisecond the first time, nothing the next."""
    return _checked(query_string, declared)


def _checked(query_string: str, declared: Operation) -> dict[str, Any]:
    try:
        pairs = parse_qsl(query_string, errors="strict", max_num_fields=100)
    except (UnicodeDecodeError, ValueError):
        raise Problem(
            "invalid_query", "It must be percent-encoded UTF-8, with at most 100 parameters."
        ) from None
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise repeated(twice)
    return validation.check(dict(pairs), declared.query, text=True)
