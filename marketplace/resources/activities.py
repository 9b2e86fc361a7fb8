"""The caller's own activity log, as a list and as a file."""

from collections.abc import Iterator
from typing import Any

import falcon
import orjson
from psycopg import Cursor

from marketplace.catalogue_csv import written
from marketplace.contract import pages
from marketplace.contract.operations import Budget, operation
from marketplace.postgres.callers import Caller
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import activities
from marketplace.schemas import activities as schemas
from marketplace.web import authentication, client, paging

BATCH = 1000
COLUMNS = (
    "id",
    "type",
    "related_type",
    "related_id",
    "related_name",
    "details",
    "ip",
    "device",
    "created_at",
)


class Activities:
    """/api/users/activities"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listActivities",
        "The caller's activities",
        query={**schemas.FILTERS, **pages.QUERY},
        responses={200: pages.listed("activities", schemas.ACTIVITY)},
        problems=("invalid_cursor", "page_too_deep"),
        at_once=True,
        budget=Budget(5, 1),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the caller's log, newest first."""
        user_id, query = req.context.caller.user_id, req.context.query
        filters = _filters(query)
        window = paging.window(req, query)

        def send(conn: Conn) -> tuple[Cursor[Row], Cursor[Row] | None]:
            after = tuple(window.after) if window.after else None
            found = activities.search(
                conn, user_id, **filters, after=after, limit=window.limit, offset=window.offset
            )
            if window.page is None:
                return found, None
            return found, activities.count(conn, user_id, **filters, limit=pages.CAP)

        found, counted = authentication.read(self.db, req, send)
        total = pages.capped(window, lambda cap: sum(row["matches"] for row in counted or ()))
        rows = found.fetchall()
        paging.respond_rows(req, resp, "activities", rows, window, total, keys=("created_at", "id"))


class Export:
    """/api/users/export-activities"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "exportActivities",
        "The caller's activities, as a file",
        query=schemas.EXPORT,
        responses={200: schemas.EXPORTED},
        produces=("text/csv", falcon.MEDIA_JSON),
        rate="export",
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Stream the caller's log as CSV or JSON, a batch at a time: no transaction waits for a
        slow phone.
        """
        caller, query = req.context.caller, req.context.query
        kind = query["format"]
        if req.method != "HEAD":
            with self.db.transaction(caller) as conn:
                activities.record(
                    conn, client.client(req), "export_activities", details={"format": kind}
                )
        resp.content_type = "text/csv; charset=utf-8" if kind == "csv" else falcon.MEDIA_JSON
        resp.downloadable_as = f"activities.{kind}"
        batches = _batches(self.db, caller, _filters(query))
        resp.stream = _csv(batches) if kind == "csv" else _json(batches)


def _filters(query: dict[str, Any]) -> dict[str, Any]:
    return {"type": query.get("type"), "since": query.get("from"), "until": query.get("to")}


def _batches(
    db: Database, caller: Caller, filters: dict[str, Any]
) -> Iterator[list[dict[str, Any]]]:
    def read(after: Any) -> list[Row]:
        with db.transaction(caller) as conn:
            return activities.search(
                conn, caller.user_id, **filters, after=after, limit=BATCH
            ).fetchall()

    return pages.batches(read, lambda row: (row["created_at"], row["id"]), size=BATCH)


def _csv(batches: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    yield written([COLUMNS]).encode()
    for rows in batches:
        yield written(map(_cells, rows)).encode()


def _cells(row: Row) -> list[object]:
    details = orjson.dumps(row["details"]).decode() if row["details"] else None
    created = row["created_at"].strftime("%Y-%m-%dT%H:%M:%SZ")
    shown = {**row, "details": details, "created_at": created}
    return [shown.get(name) for name in COLUMNS]


def _json(batches: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    yield b'{"activities":['
    between = b""
    for rows in batches:
        yield between + paging.items(rows)
        between = b","
    yield b"]}"
