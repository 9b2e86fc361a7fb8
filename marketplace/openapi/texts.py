"""The prose of the document, and the headers and parameters that many calls share."""

from typing import Any

from marketplace.config.settings import Config
from marketplace.contract import pages

_TAG: dict[str, Any] = {"type": "string", "examples": ['"7-1f0c9d2e4b6a8053"']}
_ONE = r'(W/)?"[!#-~]*"'
_TAGS: dict[str, Any] = {**_TAG, "pattern": rf"^(\*|{_ONE}(, {_ONE})*)$"}
_SECONDS: dict[str, Any] = {"type": "integer", "format": "int32", "minimum": 0}

STATUSES = {
    200: "Done",
    201: "Made",
    202: "Accepted; the work is done later",
    204: "Done",
    302: "It is there",
}

#: In the order of a journey: look around, sign in, buy, pay, follow the order; then sell; then what
#: keeps a copy, and what an administrator reads.
TAGS = {
    "products": "The catalogue",
    "categories": "The tree of categories",
    "brands": "Makers of products",
    "auth": "Opening an account, signing in and out, devices",
    "users": "The caller's profile, addresses and activity log; users, for admins",
    "areas": "Areas of a country, to pick addresses from",
    "cart": "What the caller means to buy",
    "checkout": "What a purchase costs: the screen before it is placed",
    "checkouts": "What was placed and is paid at once",
    "payments": "Ways to pay, and transfers that somebody looks at",
    "uploads": "Private images that a later call names",
    "orders": "What was bought and sold, from new to completed",
    "refunds": "Money that goes back",
    "stores": "Stores of sellers: settings, products, stock, orders, balance",
    "search-synonyms": "Words that mean the same to a search, for admins",
    "imports": "Catalogues as CSV",
    "vouchers": "Vouchers of the platform, for admins",
    "ledger": "The books, for admins",
    "changes": "What is new, for apps that keep a copy",
    "audit": "Who changed what",
    "service": "The service itself",
    "legacy": "Calls of the legacy Android app, and second addresses of others: not for new apps",
}

HEADERS: dict[str, Any] = {
    "X-Request-ID": {
        "description": "The request's own id, or one made for it; the server's log has it.",
        "required": True,
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "The value for If-Match and If-None-Match.",
        "required": True,
        "schema": _TAG,
    },
    "Location": {
        "description": "The address of the new thing.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Link": {"description": 'The next page: rel="next".', "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": _SECONDS},
    "RateLimit": {
        "description": "What is left of the limit: its name, r uses, all of it again in t seconds.",
        "schema": {"type": "string", "examples": ['"write";r=2399;t=1']},
    },
    "RateLimit-Policy": {
        "description": "The limit: its name, q uses in w seconds, in any order.",
        "schema": {"type": "string", "examples": ['"write";q=2400;w=120']},
    },
    "WWW-Authenticate": {
        "description": "RFC 6750.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Content-Language": {
        "description": "Of title, detail and messages, by Accept-Language.",
        "required": True,
        "schema": {"type": "string", "examples": ["id"]},
    },
    "Content-Disposition": {
        "description": "The name of the file.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Deprecation": {
        "description": "Since when, in seconds (RFC 9745).",
        "required": True,
        "schema": {"type": "string", "pattern": "^@[0-9]+$"},
    },
    "Consistency-Token": {
        "description": "With replicas: later requests that send it back read what was written.",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{1,16}$"},
    },
    "Idempotent-Replayed": {
        "description": "`true` for a replayed response.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}

PARAMETERS: dict[str, Any] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A random text for each action of the user, sent with every try: it is "
        "done once. Kept 24 h.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    },
    "RequiredIdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "A random text for each action of the user, kept on the device before it is "
        "sent and sent with every try: it is done once. Kept 24 h.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "The ETag of what was read (or several, or *): 412 if somebody has "
        "changed it since.",
        "schema": _TAGS,
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The ETag of the client's copy (or several, or *): 304 if it has not "
        "changed.",
        "schema": _TAGS,
    },
    "ConsistencyToken": {
        "name": "Consistency-Token",
        "in": "header",
        "description": "The newest one of a response: no replica that lacks that write serves "
        "the request.",
        "schema": {"type": "string"},
    },
}


BEARER = (
    "The `access_token` that `POST /api/auth/login`, `/api/auth/register` and `/api/auth/refresh`"
    " return. It is good for some minutes; then refresh it."
)


def info(version: str, config: Config) -> dict[str, Any]:
    """Return the head of the document."""
    kilobytes, megabytes = config.body_max_bytes // 1024, config.image_max_bytes // (1024 * 1024)
    return {
        "title": "Marketplace",
        "version": version,
        "description": f"""Buyers browse and search, sellers upload, admins look after a marketplace
of many sellers.

**Authentication.** `register` and `login` return an access token (minutes) and a refresh token (one
use). Calls that need one take `Authorization: Bearer ACCESS_TOKEN`. `x-roles` lists who may make a
call; with `x-owner`, only the owner among them.

**Amounts** are decimal texts with their currency beside them. **Times** are ISO 8601 in UTC.
**Ids** are 64-bit.

**Errors** are `application/problem+json` (RFC 9457). Switch on `code`; `x-codes` lists the codes
that a call may return.

**Retries**: every POST that creates something takes an `Idempotency-Key`. **Conflicts**: send
`If-Match` with the `ETag` of what was read.

**Lists** go by `page` and `per_page` (at most {pages.PER_PAGE_MAX}; down to page * per_page =
{pages.DEPTH}, in a search {pages.SHALLOW_DEPTH}) or by `cursor`, at any depth.

**Limits**: JSON up to {kilobytes} kB, an image up to {megabytes} MB.""",
    }
