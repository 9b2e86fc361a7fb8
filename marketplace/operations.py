"""What a responder declares about its call: who may make it, what it takes, what it answers.

The declaration is what the hooks enforce and what the document is built from, so the two cannot drift:

    @operation("createProduct", "Add a product", roles=SELLERS, body=schemas.NEW, answers={201: schemas.PRODUCT})
    def on_post(self, req, resp): ...

Behind the hooks `req.context.query` and `req.context.body` hold what was sent, checked and converted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import falcon
from falcon.util import mediatypes

from marketplace import conditions, idempotency, requests, validation
from marketplace.errors import Problem, repeated
from marketplace.languages import say
from marketplace.validation import Schema

PUBLIC = ("guest",)
EVERYONE = ("buyer", "seller", "admin")
#: Guests, too; but who signs in may be answered more.
ANYONE = (*PUBLIC, *EVERYONE)
#: RFC 7396: what is given replaces, null removes, the rest stays.
MERGE_PATCH = "application/merge-patch+json"
MULTIPART = "multipart/form-data"
Responder = TypeVar("Responder", bound=Callable[..., None])


@dataclass(frozen=True)
class Parts:
    """A multipart body: text fields, checked like a document; file parts by name, `required` or not, and the setting
    that limits a file."""

    fields: Schema = field(default_factory=dict)
    files: tuple[str, ...] = ()
    required: bool = True
    limit: str = "image_max_bytes"


@dataclass(frozen=True)
class Deprecated:
    """A call that clients should leave: since when, when it ends if that is known, the path of what to call instead."""

    since: date
    sunset: date | None = None
    successor: str | None = None


@dataclass(frozen=True)
class Operation:
    """One call of the API. `name` is what generated clients call the method."""

    name: str
    summary: str
    roles: tuple[str, ...]
    query: Schema
    body: Schema | None
    parts: Parts | None
    media: tuple[str, ...]
    answers: Mapping[int, Any]
    problems: tuple[str, ...]
    partial: bool
    idempotent: bool
    conditional: bool
    produces: tuple[str, ...]
    rate: str | None
    max_age: int
    catalogue: bool
    sells: bool
    deprecated: Deprecated | None

    @property
    def public(self) -> bool:
        """Whether it is answered without a token."""
        return PUBLIC[0] in self.roles


def operation(
    name: str,
    summary: str,
    *,
    roles: tuple[str, ...] = EVERYONE,
    query: Schema | None = None,
    body: Schema | None = None,
    parts: Parts | None = None,
    media: tuple[str, ...] = (),
    answers: Mapping[int, Any],
    problems: tuple[str, ...] = (),
    partial: bool = False,
    idempotent: bool = False,
    conditional: bool = False,
    produces: tuple[str, ...] = (falcon.MEDIA_JSON,),
    rate: str | None = None,
    max_age: int = 0,
    catalogue: bool = False,
    sells: bool = False,
    deprecated: Deprecated | None = None,
) -> Callable[[Responder], Responder]:
    """Declare a responder's call, and put the hooks before it that hold a request to it.

    `answers` maps a status to the schema of its body, to a list with one (a bare array of such things, streamed and so
    without an ETag), or to None; `problems` are codes beyond those any call may answer; `media` are other request
    types the responder reads itself; `partial` is PATCH: no field is required.
    `idempotent`: an Idempotency-Key is taken, and the responder's transaction is idempotency.transaction().
    `conditional`: If-Match is taken, and the responder holds it against the present version (conditions.require).
    `produces` are the types of a success, of which JSON is by the schema; `rate` the class of call whose limits
    apply; `max_age` how many seconds the answer of a public read may be kept by anybody without asking again;
    `catalogue` that a guest's answer is every guest's, so that the cache before the application may give it to all for
    a second (conditions.py, which says exactly how long);
    `sells` that an installation with VERIFIED_SELLERS asks for a confirmed address;
    `deprecated` that it is to go, which every answer says in its headers.
    """
    from marketplace.auth import require_role  # the hook lives with authentication, which reads this module

    declared = Operation(
        name,
        summary,
        roles,
        query or {},
        body,
        parts,
        media,
        answers,
        problems,
        partial,
        idempotent,
        conditional,
        produces,
        rate,
        max_age,
        catalogue,
        sells,
        deprecated,
    )

    def declare(responder: Responder) -> Responder:
        hooked: Any = falcon.before(_check)(responder)
        if roles not in (PUBLIC, EVERYONE, ANYONE):
            hooked = falcon.before(require_role, *roles)(hooked)
        hooked.operation = declared
        return hooked  # type: ignore[no-any-return]

    return declare


def of(resource: Any, method: str) -> Operation | None:
    """What the resource declares for a method; HEAD is GET."""
    name = "get" if method == "HEAD" else method.lower()
    return getattr(getattr(resource, f"on_{name}", None), "operation", None)


def _check(req: falcon.Request, resp: falcon.Response, resource: Any, params: dict[str, Any]) -> None:
    declared: Operation = req.context.operation
    _require_acceptable(req, declared)
    req.context.query = _query(req.query_string, declared)
    if declared.conditional:
        conditions.check(req)
    if declared.idempotent:
        idempotency.begin(req)
    if declared.body is None:
        return
    kind = requests.content_type(req)
    if kind == falcon.MEDIA_JSON or (declared.partial and kind == MERGE_PATCH):
        document = requests.read_json(req, req.context.config.body_max_bytes)
        req.context.body = validation.check(document, declared.body, partial=declared.partial)
    elif declared.parts is None or kind != MULTIPART:
        allowed = [falcon.MEDIA_JSON, *([MULTIPART] if declared.parts else []), *declared.media]
        raise Problem("unsupported_media_type", say("Send one of these: {types}.", types=", ".join(allowed)))


def _require_acceptable(req: falcon.Request, declared: Operation) -> None:
    """406 where Accept leaves out all that the call answers when it succeeds.

    A header that cannot be read counts as none, and so does any where there is no content to choose.
    """
    accept = req.accept.lower()
    if accept == "*/*" or not declared.answers.keys() - {204}:
        return
    try:
        acceptable = any(mediatypes.quality(kind, accept) > 0 for kind in declared.produces)
    except ValueError:
        return
    if not acceptable:
        raise Problem("not_acceptable", say("This call answers {types}.", types=", ".join(declared.produces)))


@lru_cache(maxsize=4096)
def _parsed(query_string: str, declared: "_ByIdentity") -> dict[str, Any]:
    """A query string, checked: costs half a millisecond the first time, nothing the next."""
    return _checked(query_string, declared.operation)


class _ByIdentity:
    """An operation as a key of the cache: it is one object a responder, so identity says it all."""

    def __init__(self, declared: Operation) -> None:
        self.operation = declared

    def __hash__(self) -> int:
        return id(self.operation)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByIdentity) and self.operation is other.operation


def _query(query_string: str, declared: Operation) -> dict[str, Any]:
    if len(query_string) > 512:  # what is long is rarely asked twice
        return _checked(query_string, declared)
    return dict(_parsed(query_string, _ByIdentity(declared)))


def _checked(query_string: str, declared: Operation) -> dict[str, Any]:
    try:
        pairs = parse_qsl(query_string, errors="strict", max_num_fields=100)
    except (UnicodeDecodeError, ValueError):
        raise Problem("invalid_query", "It must be percent-encoded UTF-8, with at most 100 parameters.") from None
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise repeated(twice)
    return validation.check(dict(pairs), declared.query, text=True)
