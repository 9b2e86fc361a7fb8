"""Both ways through a list: pages with totals, and cursors that cost the same at any depth.

A cursor is opaque: the sort keys of the last row, bound by a signature to the filters and the order
it came from. One that was tampered with, or that is sent with other filters, is refused with 400.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import falcon
import orjson

from marketplace.contract.errors import Problem
from marketplace.contract.pages import COUNTED, DEPTH, EXACT_TOTAL, Total, Window
from marketplace.text.messages import say

#: Parameters that a cursor is not bound to: how much of the list is requested, and what beside it.
UNBOUND = frozenset({"page", "per_page", "cursor", "count", "facets"})
_EXACT_TO = {None: EXACT_TOTAL, "exact": COUNTED, "none": None}
_SIGNATURE = 12
#: Times to the second, with Z.
_TIMES = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


def window(req: falcon.Request, query: Mapping[str, Any], *, depth: int = DEPTH) -> Window:
    """Return the part of the list that a checked query requests. Raises 400 for a bad cursor or too
    deep a page.
    """
    if "cursor" in query:
        return Window(None, query["per_page"], decode_cursor(req, query["cursor"]), None)
    page = query.get("page", 1)
    if page * query["per_page"] > depth:
        raise Problem(
            "page_too_deep",
            say("page * per_page goes to {depth} here; go on with the cursor.", depth=depth),
        )
    return Window(page, query["per_page"], None, _EXACT_TO[query.get("count")])


def window_by_cursor(req: falcon.Request, query: Mapping[str, Any]) -> Window:
    """Return the part of a list that is read by cursor alone. Raises 400 for a bad cursor."""
    after = decode_cursor(req, query["cursor"]) if "cursor" in query else None
    return Window(None, query["per_page"], after, None)


def items(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return rows as JSON with commas between, without the brackets."""
    return orjson.dumps(rows, default=str, option=_TIMES)[1:-1]


def respond_rows(
    req: falcon.Request,
    resp: falcon.Response,
    noun: str,
    rows: Sequence[Mapping[str, Any]],
    window: Window,
    total: Total | None,
    *,
    keys: Sequence[str],
) -> None:
    """Write a list of rows, of which one more than is shown may have been read; `keys` are its sort
    keys.
    """
    shown, last = rows[: window.per_page], last_of(rows, window, keys)
    respond(req, resp, noun=noun, items=items(shown), window=window, last=last, total=total)


def last_of(
    rows: Sequence[Mapping[str, Any]], window: Window, keys: Sequence[str]
) -> list[Any] | None:
    """Return the sort keys of the last row that is shown, if a next one was read."""
    return [rows[window.per_page - 1][key] for key in keys] if len(rows) > window.per_page else None


def respond(
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
    """Write a list: `items` is the JSON of its rows with commas between, `last` the sort keys of
    the last row shown if there is a next one, `more` the fields beside the list.
    """
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
        resp.set_header(
            "Link", f"<{req.path}?{following}{'&' if following else ''}cursor={cursor}>; rel=next"
        )
    resp.content_type = falcon.MEDIA_JSON
    resp.data = b'{"%s":[%s],%s' % (noun.encode(), items, orjson.dumps(rest, option=_TIMES)[1:])


class _Bound(NamedTuple):
    """Return what a cursor of a list is bound to, and the query string of the next pages without
    their cursor.
    """

    fingerprint: bytes
    following: str


@lru_cache(maxsize=4096)
def _bound(uri_template: str, query_string: str) -> _Bound:
    """Return the list, its filters and its order, as the client wrote them. It does not contain
    whose rows the cursor reads.
    """
    given = parse_qsl(query_string)
    # A value with commas is a set: types=brands,stores is types=stores,brands.
    filters = sorted(
        (name, sorted(value.split(","))) for name, value in given if name not in UNBOUND
    )
    following = [pair for pair in given if pair[0] not in ("page", "cursor", "facets")]
    return _Bound(orjson.dumps([uri_template, filters]), urlencode(following))


def _bound_of(req: falcon.Request) -> _Bound:
    text = req.query_string
    find = _bound if len(text) <= 512 else _bound.__wrapped__  # a long one is rarely sent twice
    return find(req.uri_template, text)


def _sign(req: falcon.Request, payload: bytes, key: str) -> bytes:
    said = b"cursor\0" + _bound_of(req).fingerprint + b"\0" + payload
    return hmac.digest(key.encode(), said, "sha256")[:_SIGNATURE]


def encode_cursor(req: falcon.Request, keys: Sequence[Any]) -> str:
    """Return these keys as a cursor that only this call, with these filters, accepts."""
    payload = orjson.dumps([_plain(key) for key in keys])
    signature = _sign(req, payload, req.context.config.secret_keys[0])
    return base64.urlsafe_b64encode(signature + payload).decode().rstrip("=")


def decode_cursor(req: falcon.Request, text: str) -> list[Any]:
    """Return the keys in a cursor. Raises 400 if it is not of this call and these filters."""
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        raw = b""
    signature, payload = raw[:_SIGNATURE], raw[_SIGNATURE:]
    keys = req.context.config.secret_keys
    if not payload or not any(
        hmac.compare_digest(signature, _sign(req, payload, key)) for key in keys
    ):
        raise Problem(
            "invalid_cursor",
            "The cursor is damaged, or comes from a list with other filters or order.",
        )
    decoded: list[Any] = orjson.loads(payload)
    return decoded


def _plain(key: Any) -> Any:
    """Return a sort key as JSON that PostgreSQL reads back without loss."""
    if isinstance(key, Decimal):
        return str(key)
    if isinstance(key, datetime):
        return key.isoformat()
    if isinstance(key, float):
        return repr(key)
    return key
