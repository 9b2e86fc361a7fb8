"""What a responder declares about its call: who may make it, what it takes, what it returns.

`web/hooks.py` enforces the declaration and `openapi/` builds the document from it, so the two
cannot drift:

    @operation("createProduct", "Add a product", roles=SELLERS, body=schemas.NEW, responses={201:
    schemas.PRODUCT}) def on_post(self, req, resp): ...
"""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import date
from typing import Any, TypeVar

from marketplace.contract.validation import Schema

PUBLIC = ("guest",)
EVERYONE = ("buyer", "seller", "admin")
#: Guests, too; but who signs in may be shown more.
ANYONE = (*PUBLIC, *EVERYONE)
JSON = "application/json"
#: RFC 7396: what is given replaces, null removes, the rest stays.
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
    """A call that clients should leave: since when, when it ends if that is known, the path of
    what to call instead.
    """

    since: date
    sunset: date | None = None
    successor: str | None = None


@dataclass(frozen=True, eq=False)
class operation:
    """One call of the API, declared by decorating its responder. It is one object a responder,
    and hashes as such.
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
    #: Status -> schema of the body, a list with one (a bare array of such things, streamed and so
    #: without an ETag), or None.
    responses: Mapping[int, Any]
    #: Codes beyond those that any call may return.
    problems: tuple[str, ...] = ()
    #: PATCH: no field is required.
    partial: bool = False
    #: An Idempotency-Key is taken; the responder's transaction is idempotency.transaction().
    idempotent: bool = False
    #: If-Match is taken; the responder holds it against the present version (etags.require).
    conditional: bool = False
    #: Types of a success, of which JSON is by the schema.
    produces: tuple[str, ...] = (JSON,)
    #: The class of call whose rate limits apply; by method and path where it is None.
    rate: str | None = None
    #: Seconds that the response to a public read may be kept by anybody without asking again.
    max_age: int = 0
    #: A guest's response is every guest's: the cache before the application may give it to all for
    #: a second (etags.py says exactly how long).
    catalogue: bool = False
    #: An installation with VERIFIED_SELLERS asks for a confirmed address.
    sells: bool = False
    #: It is going to end, which every response says in its headers.
    deprecated: Deprecated | None = None

    @property
    def public(self) -> bool:
        """Whether it is answered without a token."""
        return PUBLIC[0] in self.roles

    def __call__(self, responder: Responder) -> Responder:
        """Declare it at its responder."""
        responder.operation = self  # type: ignore[attr-defined]
        return responder


Operation = operation


def of(resource: Any, method: str) -> Operation | None:
    """Return what the resource declares for a method; HEAD is GET."""
    name = "get" if method == "HEAD" else method.lower()
    return getattr(getattr(resource, f"on_{name}", None), "operation", None)
