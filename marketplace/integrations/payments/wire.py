"""What adapters share: calls with JSON, and answers that are read with care."""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from marketplace.integrations import http
from marketplace.integrations.addresses import Guard
from marketplace.integrations.payments import Forged, Silent

#: Bytes of a callback; values nested deeper than a few are nobody's.
LARGEST = 64 * 1024
DEEPEST = 20


def call(
    method: str,
    url: str,
    body: Mapping[str, Any] | None = None,
    *,
    guard: Guard,
    provider: str,
    name: str,
    headers: Mapping[str, str],
) -> tuple[int, dict[str, Any]]:
    """Call with JSON; return status and document. One that cannot be read is Silent: nobody knows
    what it was to say.
    """
    data = json.dumps(body).encode() if body is not None else None
    words = {"Accept": "application/json", **headers}
    if data is not None:
        words["Content-Type"] = "application/json"
    try:
        response = http.request(method, url, words, data, guard=guard, provider=provider, call=name)
        document = json.loads(response.body, parse_float=Decimal) if response.body else {}
    except http.TooLarge:
        raise Silent("the response is too large", sent=True) from None
    except (ValueError, RecursionError):
        raise Silent("the response is no JSON", sent=True, status=response.status) from None
    if not isinstance(document, dict):
        raise Silent("the response is no object", sent=True, status=response.status)
    return response.status, document


def read(body: bytes) -> dict[str, Any]:
    """Return the document of a callback. Raises Forged for what cannot be one."""
    if len(body) > LARGEST:
        raise Forged("it is too large")
    depth = deepest = 0
    for sign in body:
        if sign in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in b"]}":
            depth -= 1
    if deepest > DEEPEST:
        raise Forged("it is nested too deeply")
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Forged("it is no JSON") from None
    if not isinstance(document, dict):
        raise Forged("it is no object")
    return document


def texts(document: Mapping[str, Any], *names: str) -> list[str]:
    """Return members of a callback that must be texts, of a sane length, and UTF-8 once they are
    written: JSON can name half a sign. Raises Forged.
    """
    found = [document.get(name) for name in names]
    if not all(isinstance(text, str) and 0 < len(text) <= 200 for text in found):
        raise Forged("a member is missing, or no text")
    try:
        return [str(text).encode().decode() for text in found]
    except UnicodeEncodeError:
        raise Forged("a member is no UTF-8") from None


def amount(value: Any) -> Decimal:
    """Return an amount of a provider. Raises Silent: what cannot be read is asked about again."""
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or not 0 <= found < 10**13:
        raise Silent("an amount cannot be read", sent=True)
    return found
