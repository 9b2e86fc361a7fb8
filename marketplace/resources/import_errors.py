"""The rows an import refused, as a file that can be corrected and sent again."""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import falcon

from marketplace.catalogue_csv import REPORT_HEADER, written
from marketplace.contract import pages
from marketplace.contract.errors import Problem
from marketplace.contract.operations import operation
from marketplace.postgres.callers import Caller
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Row
from marketplace.queries import imports
from marketplace.schemas import imports as schemas
from marketplace.text.messages import of_kept
from marketplace.web import client
from marketplace.workflows import products as workflow

SELLERS = ("seller", "admin")
BATCH = 1000


class ImportErrors:
    """/api/products/imports/{import_id}/errors.csv"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "downloadImportErrors",
        "The rows an import refused, as a file",
        roles=SELLERS,
        query=schemas.REPORT,
        responses={200: None},
        problems=("not_found",),
        produces=("text/csv",),
        rate="export",
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, import_id: int) -> None:
        """Stream every bad row under the file's own header, with its errors in the language of
        Accept-Language, to be sent again.

        A batch at a time: no transaction waits for a slow phone.
        """
        caller, language = req.context.caller, client.language(req)
        with self.db.transaction(caller) as conn:
            found = imports.find(conn, import_id, workflow.reach(caller))
        if found is None:
            raise Problem("not_found", "There is no such import.")
        if not found["report_kept"]:
            raise Problem("not_found", "The report of this import is not kept any more.")
        header: Sequence[str] = (found["columns"] or {}).get("header", ())
        resp.content_type = "text/csv; charset=utf-8"
        resp.downloadable_as = f"import-{import_id}-errors.csv"
        client.say_language(resp, language)
        report = _report(header, _bad_rows(self.db, caller, import_id), language)
        resp.stream = chain((BOM_UTF8,), report) if req.context.query["bom"] else report


def _bad_rows(db: Database, caller: Caller, import_id: int) -> Iterator[list[dict[str, Any]]]:
    def read(after_line: int | None) -> list[Row]:
        with db.transaction(caller) as conn:
            return imports.bad_rows(conn, import_id, after_line=after_line or 0, limit=BATCH)

    return pages.batches(read, lambda row: row["line"], size=BATCH)


def _report(
    header: Sequence[str], batches: Iterator[list[dict[str, Any]]], language: str
) -> Iterator[bytes]:
    """Yield the report as CSV. The columns that an earlier report had added before the row are left
    out.
    """
    kept = [place for place, name in enumerate(header) if name not in REPORT_HEADER]
    yield _lines([[*REPORT_HEADER, *(header[place] for place in kept)]])
    for rows in batches:
        yield _lines(
            [row["line"], *_said(row, language), *_cells(row["cells"] or (), kept, len(header))]
            for row in rows
        )


def _said(row: dict[str, Any], language: str) -> list[str]:
    """Return columns, codes and words of all errors of a row, with `; ` between."""
    words = [
        f"{column or ''} {of_kept(message, said, language)}".strip()
        for column, message, said in zip(row["columns"], row["messages"], row["said"], strict=True)
    ]
    columns = [column for column in row["columns"] if column is not None]
    return ["; ".join(columns), "; ".join(row["codes"]), "; ".join(words)]


def _cells(cells: Sequence[str], kept: Sequence[int], width: int) -> list[str]:
    """Return the row's cells under the header, followed by those it has too many."""
    return [cells[place] if place < len(cells) else "" for place in kept] + list(cells[width:])


def _lines(rows: Iterable[Iterable[object]]) -> bytes:
    return written(rows).encode("utf-8", "replace")
