"""What a responder declares about its call: who may make it, what it takes, what it returns.

`web/hooks.py` enforces the declaration and `openapi/` builds the document from it, so the two
cannot drift:

    @operation("createProduct", "Add a product", roles=SELLERS, body=schemas.NEW, ...)
    def on_post(self, req, resp): ...
"""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import date
from functools import cached_property, lru_cache
from typing import Any, TypeVar

from marketplace.contract.validation import Schema

PUBLIC = ("guest",)
EVERYONE = ("buyer", "seller", "admin")
#: For guests too; a signed-in user may be shown more.
ANYONE = (*PUBLIC, *EVERYONE)
JSON = "application/json"
#: RFC 7396: a given value replaces, null removes, the rest stays.
MERGE_PATCH = "application/merge-patch+json"
MULTIPART = "multipart/form-data"
Responder = TypeVar("Responder", bound=Callable[..., None])


@dataclass(frozen=True)
class Parts:
    """A multipart body: text fields, checked like a document; file parts by name, `required` or
    not, and the setting that limits a file.
    """

    fields: Schema = field(default_factory=dict)
    files: tuple[str, ...] = ()
    required: bool = True
    limit: str = "image_max_bytes"


@dataclass(frozen=True)
class Deprecated:
    """A deprecated call: since when, when it ends if that is known, and the path of the call that
    replaces it.
    """

    since: date
    sunset: date | None = None
    successor: str | None = None


@dataclass(frozen=True)
class Budget:
    """What a call sends to PostgreSQL when it succeeds: statements, BEGIN and COMMIT too, and the
    round trips they travel in. A test counts them; who needs more has to say so here.
    """

    statements: int
    trips: int


@dataclass(frozen=True, eq=False)
class operation:
    """One call of the API, declared by decorating its responder. There is one object a responder,
    and it hashes by identity.
    """

    #: What generated clients call the method.
    name: str
    summary: str
    _: KW_ONLY
    roles: tuple[str, ...] = EVERYONE
    query: Schema = field(default_factory=dict)
    body: Schema | None = None
    parts: Parts | None = None
    #: Other request types, which the responder reads itself.
    media: tuple[str, ...] = ()
    #: Status -> schema of the body, a list with one schema (a bare array, streamed and so without
    #: an ETag), or None.
    responses: Mapping[int, Any]
    #: Codes beyond those that any call may return.
    problems: tuple[str, ...] = ()
    #: PATCH: no field is required.
    partial: bool = False
    #: The call takes an Idempotency-Key; the responder's transaction is idempotency.transaction().
    idempotent: bool = False
    #: It refuses to run without one: sent again it would do more.
    key_required: bool = False
    #: The call takes If-Match; the responder compares it with the present version (etags.require).
    conditional: bool = False
    #: The media types of a success; the schema describes JSON.
    produces: tuple[str, ...] = (JSON,)
    #: The class of call whose rate limits apply; None: derived from method and path.
    rate: str | None = None
    #: Seconds for which anybody may cache the response to a public read without revalidation.
    max_age: int = 0
    #: A guest's response is the same for all guests: the cache before the application may serve it
    #: to all for a second (etags.py says exactly how long).
    catalogue: bool = False
    #: An installation with VERIFIED_SELLERS requires a confirmed address.
    sells: bool = False
    #: A GET that may come with `link` (POST /api/links) in its query instead of a token.
    linked: bool = False
    #: A GET of private rows, for any role, whose responder finds the caller's session in its one
    #: round trip (web/authentication.read).
    at_once: bool = False
    #: The call is going to end; every response says so in its headers.
    deprecated: Deprecated | None = None
    #: Of a busy call.
    budget: Budget | None = None

    @cached_property
    def public(self) -> bool:
        """Whether it needs no token."""
        return PUBLIC[0] in self.roles

    def __call__(self, responder: Responder) -> Responder:
        """Declare the call at its responder."""
        responder.operation = self  # type: ignore[attr-defined]
        return responder


Operation = operation


def of(resource: Any, method: str) -> Operation | None:
    """Return what the resource declares for a method; HEAD is GET."""
    kind: Any = type(resource)
    return _of(kind, method)


@lru_cache(maxsize=1024)
def _of(kind: Any, method: str) -> Operation | None:
    name = "get" if method == "HEAD" else method.lower()
    return getattr(getattr(kind, f"on_{name}", None), "operation", None)
