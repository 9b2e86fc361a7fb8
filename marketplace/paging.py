"""Both ways through a list: pages with totals, and cursors that cost the same at any depth.

A cursor is opaque: the sort keys of the last row, bound by a signature to the filters and the order it came
from. One that was tampered with, or that is sent with other filters, answers 400.
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlencode

import falcon
import orjson

from marketplace.errors import Problem
from marketplace.languages import say
from marketplace.validation import Named, Schema

PER_PAGE = 20
PER_PAGE_MAX = 100
EXACT_TOTAL = 1000
#: With count=exact.
COUNTED = 250_000
DEPTH = 10_000
SHALLOW_DEPTH = 500
#: What a cursor is not bound to: how much of the list is asked for, and what beside it.
UNBOUND = frozenset({"page", "per_page", "cursor", "count", "facets"})
_EXACT_TO = {None: EXACT_TOTAL, "exact": COUNTED, "none": None}
_SIGNATURE = 12
Item = TypeVar("Item")

#: What every list takes.
QUERY: Schema = {
    "page": {
        "coerce": "int64",
        "min": 1,
        "excludes": "cursor",
        "meta": {
            "description": f"From 1, down to page * per_page = {DEPTH} ({SHALLOW_DEPTH} in a search, or where no index "
            "has the filters in that order); then the cursor.",
            "maximum": DEPTH,
            "format": "int32",
        },
    },
    "per_page": {
        "coerce": "int64",
        "min": 1,
        "max": PER_PAGE_MAX,
        "default": PER_PAGE,
        "meta": {"description": "Rows a page."},
    },
    "cursor": {
        "coerce": "line",
        "maxlength": 2000,
        "meta": {"description": "`next_cursor` of the answer before, with the same filters and sort."},
    },
}

#: What lists take that can be very long.
COUNT: Schema = {
    "count": {
        "coerce": "line",
        "allowed": ["exact", "none"],
        "meta": {
            "description": f"In page mode: `exact` counts up to {COUNTED}, not {EXACT_TOTAL}; `none` answers no total.",
        },
    },
}


class Window(NamedTuple):
    """Which part of a list is asked for, and up to which number it is counted (None: not at all)."""

    page: int | None
    per_page: int
    after: list[Any] | None
    exact_to: int | None = EXACT_TOTAL

    @property
    def offset(self) -> int:
        """Rows to leave out before the first."""
        return (self.page - 1) * self.per_page if self.page else 0

    @property
    def limit(self) -> int:
        """One more than is shown, to know whether there is a next page."""
        return self.per_page + 1


class Total(NamedTuple):
    """How many rows match; an estimate past EXACT_TOTAL."""

    items: int
    exact: bool


def window(req: falcon.Request, query: Mapping[str, Any], *, depth: int = DEPTH) -> Window:
    """The part of the list that a checked query asks for. Raises 400 for a bad cursor or too deep a page."""
    if "cursor" in query:
        return Window(None, query["per_page"], decode_cursor(req, query["cursor"]), None)
    page = query.get("page", 1)
    if page * query["per_page"] > depth:
        raise Problem("page_too_deep", say("page * per_page goes to {depth} here; go on with the cursor.", depth=depth))
    return Window(page, query["per_page"], None, _EXACT_TO[query.get("count")])


def capped(window: Window, count: Callable[[int], int]) -> Total | None:
    """The total of a list whose rows can only be counted: exact up to EXACT_TOTAL, at least that past it."""
    if window.page is None:
        return None
    counted = count(EXACT_TOTAL + 1)
    return Total(min(counted, EXACT_TOTAL), counted <= EXACT_TOTAL)


def batches(
    read: Callable[[Any], list[Item]], place: Callable[[Item], Any], *, size: int
) -> Iterator[list[Item]]:
    """All rows of a list, `size` at a time, for an answer that is streamed.

    `read` gives the rows behind a place (None at the begin) in a transaction of its own: none waits for a slow phone.
    """
    after = None
    while True:
        rows = read(after)
        if rows:
            yield rows
        if len(rows) < size:
            return
        after = place(rows[-1])


def items(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as JSON with commas between, without the brackets."""
    return orjson.dumps(rows, default=str, option=orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS)[1:-1]


def answer_rows(
    req: falcon.Request,
    resp: falcon.Response,
    noun: str,
    rows: Sequence[Mapping[str, Any]],
    window: Window,
    total: Total | None,
    *,
    keys: Sequence[str],
) -> None:
    """Write a list of rows, of which one more than is shown may have been read; `keys` are what it is sorted by."""
    shown = rows[: window.per_page]
    last = [shown[-1][key] for key in keys] if len(rows) > window.per_page else None
    answer(req, resp, noun=noun, items=items(shown), window=window, last=last, total=total)


def listed(noun: str, schema: Named, **more: Any) -> Named:
    """The schema of a list's answer, with what `more` stands beside the list."""
    whole: dict[str, Any] = {"type": "integer", "min": 0, "meta": {"format": "int32"}}
    total = {**whole, "meta": {"format": "int64", "description": "In page mode, without count=none.", "optional": True}}
    page = {**whole, "meta": {"format": "int32", "description": "In page mode.", "optional": True}}
    return Named(
        f"{schema.name.removeprefix('Listed')}Page",
        {
            noun: {"type": "list", "schema": {"type": "dict", "schema": schema}},
            "total_items": total,
            "total_pages": total,
            "current_page": page,
            "per_page": whole,
            "has_next": {"type": "boolean"},
            "has_prev": {"type": "boolean", "meta": {"description": "In page mode.", "optional": True}},
            "total_exact": {
                "type": "boolean",
                "meta": {"description": "In page mode; false when total_items is an estimate.", "optional": True},
            },
            "next_cursor": {"type": "string", "nullable": True},
            **more,
        },
    )


def answer(
    req: falcon.Request,
    resp: falcon.Response,
    *,
    noun: str,
    items: bytes,
    window: Window,
    last: Sequence[Any] | None,
    total: Total | None,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write a list: `items` is the JSON of its rows with commas between, `last` the sort keys of the last
    row shown where there is a next one, `more` what stands beside the list."""
    cursor = encode_cursor(req, last) if last is not None else None
    rest: dict[str, Any] = {}
    if total is not None and window.page is not None:
        rest = {"total_items": total.items, "total_pages": -(-total.items // window.per_page)}
    if window.page is not None:
        rest["current_page"] = window.page
    rest["per_page"] = window.per_page
    rest["has_next"] = cursor is not None
    if window.page is not None:
        rest["has_prev"] = window.page > 1
    if total is not None and window.page is not None:
        rest["total_exact"] = total.exact
    rest["next_cursor"] = cursor
    rest.update(more or {})
    if cursor is not None:
        following = _bound_of(req).following
        resp.set_header("Link", f"<{req.path}?{following}{'&' if following else ''}cursor={cursor}>; rel=next")
    resp.content_type = falcon.MEDIA_JSON
    resp.data = b'{"%s":[%s],%s' % (noun.encode(), items, orjson.dumps(rest)[1:])


class _Bound(NamedTuple):
    """What a cursor of a list is bound to, and the query string of the pages that follow without their cursor."""

    fingerprint: bytes
    following: str


@lru_cache(maxsize=4096)
def _bound(uri_template: str, query_string: str) -> _Bound:
    """The list, its filters and its order, as the client wrote them. Whose rows a cursor goes through is not in it."""
    given = parse_qsl(query_string)
    # What stands between commas is a set: types=brands,stores is types=stores,brands.
    filters = sorted((name, sorted(value.split(","))) for name, value in given if name not in UNBOUND)
    following = [pair for pair in given if pair[0] not in ("page", "cursor", "facets")]
    return _Bound(orjson.dumps([uri_template, filters]), urlencode(following))


def _bound_of(req: falcon.Request) -> _Bound:
    text = req.query_string
    find = _bound if len(text) <= 512 else _bound.__wrapped__  # what is long is rarely asked twice
    return find(req.uri_template, text)


def _sign(req: falcon.Request, payload: bytes, key: str) -> bytes:
    said = b"cursor\0" + _bound_of(req).fingerprint + b"\0" + payload
    return hmac.digest(key.encode(), said, "sha256")[:_SIGNATURE]


def encode_cursor(req: falcon.Request, keys: Sequence[Any]) -> str:
    """These keys as a cursor that only this call, with these filters, takes back."""
    payload = orjson.dumps([_plain(key) for key in keys])
    signature = _sign(req, payload, req.context.config.secret_keys[0])
    return base64.urlsafe_b64encode(signature + payload).decode().rstrip("=")


def decode_cursor(req: falcon.Request, text: str) -> list[Any]:
    """The keys in a cursor. Raises 400 where it is not of this call and these filters."""
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        raw = b""
    signature, payload = raw[:_SIGNATURE], raw[_SIGNATURE:]
    keys = req.context.config.secret_keys
    if not payload or not any(hmac.compare_digest(signature, _sign(req, payload, key)) for key in keys):
        raise Problem("invalid_cursor", "The cursor is damaged, or comes from a list with other filters or order.")
    decoded: list[Any] = orjson.loads(payload)
    return decoded


def _plain(key: Any) -> Any:
    """A sort key as JSON that PostgreSQL reads back without loss."""
    if isinstance(key, Decimal):
        return str(key)
    if isinstance(key, datetime):
        return key.isoformat()
    if isinstance(key, float):
        return repr(key)
    return key
