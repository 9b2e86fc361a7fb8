"""Links to what is printed or saved: an address that a browser opens without a token."""

import re
import time
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import falcon

from marketplace.contract import operations
from marketplace.contract.errors import invalid
from marketplace.contract.operations import operation
from marketplace.postgres.database import Database
from marketplace.queries import orders
from marketplace.schemas import links as schemas
from marketplace.web import links
from marketplace.workflows.orders import missing

_ID = re.compile(r"\{(\w+):id\}")


class Links:
    """/api/links"""

    def __init__(self, db: Database, routes: Iterable[tuple[str, Any]]) -> None:
        self.db = db
        self._paths = [re.compile(_pattern(path)) for path, each in routes if _is_linked(each)]

    @operation(
        "createLink",
        "An address for a browser",
        body=schemas.WANTED,
        responses={201: schemas.LINK},
        problems=("not_found",),
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return an address that opens one path for five minutes without a token, as the caller.
        It takes no Idempotency-Key: the next one is as good.
        """
        path, pairs = _read(req.context.body["path"])
        found = next(filter(None, (each.match(path) for each in self._paths)), None)
        if found is None:
            raise invalid("/path", "not_allowed", "no link is made for this path")
        order_id = found.groupdict().get("order_id")
        caller = req.context.caller
        if order_id is not None:
            with self.db.transaction(caller) as conn:
                if not orders.cards(conn, caller, [int(order_id)]):
                    raise missing()
        expires = int(time.time()) + links.SECONDS
        url = links.address(req, path, pairs, expires)
        resp.media = {"url": url, "expires_at": datetime.fromtimestamp(expires, timezone.utc)}
        resp.status = falcon.HTTP_201


def _read(wanted: str) -> tuple[str, list[tuple[str, str]]]:
    """Return path and query of what is wanted. Raises 422."""
    try:
        parts = urlsplit(wanted)
        pairs = parse_qsl(parts.query, errors="strict", max_num_fields=20)
    except (UnicodeDecodeError, ValueError):
        raise invalid("/path", "bad_format", "must be a path with its query") from None
    if parts.scheme or parts.netloc or parts.fragment or links.NAME in dict(pairs):
        raise invalid("/path", "bad_format", "must be a path with its query")
    return parts.path, pairs


def _is_linked(resource: Any) -> bool:
    declared = operations.of(resource, "GET")
    return declared is not None and declared.linked


def _pattern(path: str) -> str:
    """Return what the paths of a route look like."""
    return _ID.sub(r"(?P<\1>[1-9][0-9]{0,17})", path) + r"\Z"
