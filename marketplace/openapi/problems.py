"""The failures of a call in the document: by status, with the codes that a client can switch on."""

from typing import Any

from marketplace.contract.errors import PROBLEMS
from marketplace.contract.operations import Operation
from marketplace.contract.validation import Named
from marketplace.schemas.checkouts import QUOTE
from marketplace.schemas.common import COUNT, ID, TEXT, described, of, optional
from marketplace.web.problems import MEDIA_TYPE

_TEXT: dict[str, Any] = {"type": "string"}
FIELD_ERROR = Named(
    "FieldError",
    {
        "pointer": {
            **_TEXT,
            "meta": {"description": "JSON pointer to the field.", "example": "/price"},
        },
        "code": {
            **_TEXT,
            "meta": {"description": "Stable; more may come.", "example": "too_small"},
        },
        "product_id": optional(described(ID, "Of which product it is, where there are several.")),
        "variant_id": optional(described({**ID, "nullable": True}, "Of which of its variants.")),
        "store_id": optional(described(ID, "Of which store it is, where there are several.")),
        "sku": optional(described(TEXT, "Of what it is, where the request named a SKU.")),
        "stage": optional(described(TEXT, "order_state: where the order is.")),
        "state": optional(described(TEXT, "refund_state: where the refund is.")),
        "checkout_id": optional(described(ID, "Of which checkout it is, where that is meant.")),
        "order_id": optional(described(ID, "Of several orders: which.")),
        "available": optional(described(COUNT, "How many pieces of it can be bought.")),
        "message": {
            **_TEXT,
            "meta": {"description": "The same in words, in the requested language."},
        },
    },
)
PROBLEM = Named(
    "Problem",
    {
        "type": {**_TEXT, "meta": {"format": "uri"}},
        "title": _TEXT,
        "status": {"type": "integer", "meta": {"format": "int32"}},
        "detail": _TEXT,
        "code": {
            **_TEXT,
            "meta": {
                "description": "Stable; more may come.",
                "x-extensible-enum": sorted(PROBLEMS),
            },
        },
        "request_id": {**_TEXT, "nullable": True},
        "errors": {
            "type": "list",
            "schema": {"type": "dict", "schema": FIELD_ERROR},
            "meta": {"optional": True, "description": "Every wrong field at once."},
        },
        "stage": optional(described(_TEXT, "Of an order: where it is.")),
        "state": optional(described(_TEXT, "Of a refund: where it is.")),
        "checkout_id": optional(described(ID, "order_state: what is to be moved instead.")),
        "can": {
            "type": "list",
            "schema": _TEXT,
            "meta": {"optional": True, "description": "Of an order: what the caller can do now."},
        },
        "quote": optional(
            described(of(QUOTE), "total_changed: what it costs now, as POST /api/checkout/quote.")
        ),
        "orders": {
            "type": "list",
            "schema": _TEXT,
            "meta": {"optional": True, "description": "has_open_orders: numbers of up to ten."},
        },
        "rows": {
            "type": "list",
            "schema": {"type": "dict"},
            "meta": {"optional": True, "description": "batch_refused: what became of each row."},
        },
    },
)
#: The failures of any call: a request that cannot be read, a bad token or query, and faults that
#: are not the client's.
_ANYWHERE = (
    "bad_request",
    "invalid_query",
    "invalid_token",
    "too_many_requests",
    "validation_failed",
    "internal_error",
    "unavailable",
)
#: Headers of every failure, and those of a status.
_ALWAYS = ("X-Request-ID", "Content-Language")
_HEADERS = {
    401: ("WWW-Authenticate",),
    429: ("Retry-After", "RateLimit", "RateLimit-Policy"),
    503: ("Retry-After",),
}


def codes(declared: Operation, path: str) -> set[str]:
    """Return the problems that the responder names, and those that its declaration implies."""
    found = {*declared.problems, *_ANYWHERE}
    if declared.responses.keys() - {204}:
        found.add("not_acceptable")
    if not declared.public:
        found |= {"unauthorized", "forbidden"}  # a role may end while the request is under way
    if declared.sells:
        found.add("email_unverified")
    if declared.body is not None:
        found.add("invalid_json")
    if declared.parts is not None:
        found.add("invalid_multipart")
    if declared.body is not None or declared.parts is not None or declared.media:
        found |= {"payload_too_large", "unsupported_media_type"}
    if declared.idempotent:
        found |= {"invalid_idempotency_key", "request_in_progress", "idempotency_key_reused"}
    if declared.conditional:
        found.add("precondition_failed")
    if "{" in path:
        found.add("not_found")
    return found


def responses(declared: Operation, path: str, shared: dict[str, Any]) -> dict[str, Any]:
    """Return the failures of a call, by status: references to `shared` responses, one for each set
    of codes.
    """
    by_status: dict[int, list[str]] = {}
    for code in sorted(codes(declared, path)):
        by_status.setdefault(PROBLEMS[code][0], []).append(code)
    made = {}
    for status, named in sorted(by_status.items()):
        name = "".join(code.title().replace("_", "") for code in named)
        shared.setdefault(name, _response(status, named))
        made[str(status)] = {"$ref": f"#/components/responses/{name}"}
    return made


def _response(status: int, named: list[str]) -> dict[str, Any]:
    headers = [
        *_HEADERS.get(status, ()),
        *(("Retry-After",) if "request_in_progress" in named else ()),
    ]
    return {
        "description": "; ".join(f"`{code}`: {PROBLEMS[code][1]}" for code in named),
        "headers": {
            name: {"$ref": f"#/components/headers/{name}"} for name in (*_ALWAYS, *headers)
        },
        "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{PROBLEM.name}"}}},
        "x-codes": named,
    }
