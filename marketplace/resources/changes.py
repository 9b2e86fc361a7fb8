"""The change feed, which apps that keep a copy of the catalogue poll."""

from typing import Any

import falcon
import orjson

from marketplace.contract.errors import Problem
from marketplace.contract.operations import PUBLIC, operation
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Row
from marketplace.queries import changes
from marketplace.queries.changes import START, Place
from marketplace.schemas import changes as schemas
from marketplace.web import paging
from marketplace.workflows import products as workflow

_SHOWN = {
    "store": ("id", "name", "description", "version", "created_at", "updated_at"),
    "category": ("id", "name", "slug", "parent_id", "version", "created_at", "updated_at"),
    "brand": ("id", "name", "slug", "version", "created_at", "updated_at"),
}


class Changes:
    """/api/changes"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listChanges",
        "What has changed",
        roles=PUBLIC,
        query=schemas.FILTERS,
        responses={200: schemas.CHANGES},
        problems=("invalid_cursor", "cursor_expired"),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return what was written since the cursor, in its present state; without a cursor all
        there is.
        """
        query = req.context.query
        place = Place(*paging.decode_cursor(req, query["cursor"])) if "cursor" in query else START
        types = [schemas.TYPES[name] for name in query["types"]]
        with self.db.read(req.context.read_after) as conn:
            page = changes.since(conn, place, types=types, limit=query["per_page"])
        if page is None:
            raise Problem(
                "cursor_expired", "Forget what you have, and start again without a cursor."
            )
        resp.media = {
            "changes": [_told(row) for row in page.rows],
            "next_cursor": paging.encode_cursor(req, page.next),
            "has_next": page.has_next,
            "delay_seconds": page.delay_seconds,
        }
        # A client wants what is new: a cached response would only hold it back.
        resp.cache_control = ["no-cache"]


def _told(row: Row) -> dict[str, Any]:
    """Return one thing with its state; a product's is its document."""
    told = {name: row[name] for name in ("type", "id", "deleted", "changed_at")}
    if row["type"] == "product" and not row["deleted"]:
        told["product"] = orjson.Fragment(workflow.whole(row))
    elif not row["deleted"]:
        told[row["type"]] = {name: row[name] for name in _SHOWN[row["type"]]}
    return told
