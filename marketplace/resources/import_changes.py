"""What an import changed, or a dry run would: row by row, before and after."""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import falcon
import orjson

from marketplace.catalogue_csv import written
from marketplace.contract import pages
from marketplace.contract.errors import Problem
from marketplace.contract.operations import operation
from marketplace.files.storage import URL_MARKER
from marketplace.postgres.callers import Caller
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import import_changes, imports
from marketplace.schemas import imports as schemas
from marketplace.web import paging, rendering
from marketplace.workflows import products as workflow

SELLERS = ("seller", "admin")
BATCH = 1000
HEADER = ("line", "outcome", "product_id", "variant_id", "field", "before", "after")


class ImportChanges:
    """/api/products/imports/{import_id}/changes"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listImportChanges",
        "What an import changed",
        roles=SELLERS,
        query={**schemas.CHANGE_FILTERS, **pages.BY_CURSOR},
        responses={200: schemas.CHANGES},
        problems=("invalid_cursor", "not_found"),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, import_id: int) -> None:
        """Return the outcome of each good row of an import, before and after of each field that
        differs; of a dry run, what would be. Batch by batch as they were applied, products with
        variants first.
        """
        query = req.context.query
        window = paging.window_by_cursor(req, query)
        after = window.after
        with self.db.transaction(req.context.caller) as conn:
            _require_kept(conn, import_id, req.context.caller)
            rows = import_changes.search(
                conn,
                import_id,
                after=(int(after[0]), int(after[1])) if after else None,
                outcome=query.get("outcome"),
                limit=window.limit,
            )
        shown = rows[: window.per_page]
        paging.respond(
            req,
            resp,
            noun="changes",
            items=paging.items([_shown(row) for row in shown]),
            window=window,
            last=paging.last_of(rows, window, ("number", "place")),
            total=None,
        )


class ImportChangesFile:
    """/api/products/imports/{import_id}/changes.csv"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "downloadImportChanges",
        "What an import changed, as a file",
        roles=SELLERS,
        query={**schemas.CHANGE_FILTERS, **schemas.REPORT},
        responses={200: None},
        problems=("not_found",),
        produces=("text/csv",),
        rate="export",
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, import_id: int) -> None:
        """Stream the same, a line a field that differs. No transaction waits for a slow phone."""
        caller, query = req.context.caller, req.context.query
        with self.db.transaction(caller) as conn:
            _require_kept(conn, import_id, caller)
        resp.content_type = "text/csv; charset=utf-8"
        resp.downloadable_as = f"import-{import_id}-changes.csv"
        uploads = rendering.uploads_url(req)
        batches = _batches(self.db, caller, import_id, query.get("outcome"))
        lines = (_written(chain.from_iterable(map(_lines, rows)), uploads) for rows in batches)
        head = BOM_UTF8 if query["bom"] else b""
        resp.stream = chain((head + _written([HEADER], uploads),), lines)


def _require_kept(conn: Conn, import_id: int, caller: Caller) -> None:
    found = imports.find(conn, import_id, workflow.reach(caller))
    if found is None:
        raise Problem("not_found", "There is no such import.")
    if not found["report_kept"]:
        raise Problem("not_found", "The report of this import is not kept any more.")


def _batches(
    db: Database, caller: Caller, import_id: int, outcome: str | None
) -> Iterator[list[Row]]:
    def read(after: tuple[int, int] | None) -> list[Row]:
        with db.transaction(caller) as conn:
            return import_changes.search(conn, import_id, after=after, outcome=outcome, limit=BATCH)

    return pages.batches(read, lambda row: (row["number"], row["place"]), size=BATCH)


def _shown(row: Row) -> dict[str, Any]:
    change = row["change"]
    return {
        "line": change["line"],
        "outcome": row["outcome"],
        "product_id": change.get("product_id"),
        "variant_id": change.get("variant_id"),
        "before": change.get("before", {}),
        "after": change.get("after", {}),
    }


def _lines(row: Row) -> list[list[Any]]:
    """Return a line for each field that differs; one if there is none."""
    shown = _shown(row)
    whose = [shown[name] for name in HEADER[:4]]
    fields = dict.fromkeys((*shown["before"], *shown["after"]))
    return [
        [*whose, name, _cell(shown["before"].get(name)), _cell(shown["after"].get(name))]
        for name in fields
    ] or [[*whose, "", "", ""]]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _written(rows: Iterable[Iterable[Any]], uploads: bytes) -> bytes:
    return written(rows).encode().replace(URL_MARKER.encode(), uploads)
