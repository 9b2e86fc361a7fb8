"""A store's whole catalogue as a file."""

from codecs import BOM_UTF8
from collections.abc import Iterator
from itertools import chain, islice, zip_longest

import falcon

from marketplace.catalogue_csv import HEADER, write_path, written
from marketplace.contract import pages
from marketplace.contract.errors import Problem
from marketplace.contract.operations import operation
from marketplace.files.storage import URL_MARKER
from marketplace.postgres.callers import Caller
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Row
from marketplace.queries import activities, exports
from marketplace.schemas import imports as schemas
from marketplace.web import client, rendering
from marketplace.workflows import products as workflow

SELLERS = ("seller", "admin")
#: A description may have 20,000 characters, and writing a batch holds up other threads.
BATCH = 200
#: A variant has so many options at most.
OPTIONS = 3
#: RFC 4180, and JSON Lines.
TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}


class ProductExport:
    """/api/products/export"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "exportProducts",
        "A store's products, as a file",
        roles=SELLERS,
        query=schemas.EXPORT,
        responses={200: None},
        problems=("store_required", "not_found"),
        produces=("text/csv", "application/jsonl"),
        rate="export",
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Stream all products of the store, hidden ones too: as CSV, which imports again and
        changes nothing, or as JSON lines. No transaction waits for a slow phone; changes made
        meanwhile may be included or not.
        """
        caller, kind = req.context.caller, req.context.query["format"]
        store_id = workflow.store_of(caller, req.context.query.get("store_id"))
        with self.db.transaction(caller) as conn:
            if not exports.store_there(conn, store_id):
                raise Problem("not_found", "There is no such store.")
            if req.method != "HEAD":
                activities.record(
                    conn, client.client(req), "export_products", details={"format": kind}
                )
        resp.content_type = TYPES[kind]
        resp.downloadable_as = f"products-{store_id}.{kind}"
        uploads = rendering.uploads_url(req)
        stream = (_csv if kind == "csv" else _lines)(self.db, caller, store_id, uploads)
        marked = kind == "csv" and req.context.query["bom"]
        resp.stream = chain((BOM_UTF8,), stream) if marked else stream


def _csv(db: Database, caller: Caller, store_id: int, uploads: bytes) -> Iterator[bytes]:
    yield written([HEADER]).encode()

    def read(after: exports.VariantPlace | None) -> list[Row]:
        with db.transaction(caller) as conn:
            return exports.rows(conn, store_id, after=after, limit=BATCH)

    for rows in pages.batches(read, _variant_place, size=BATCH):
        text = written(_cells(row) for row in rows)
        yield text.encode().replace(URL_MARKER.encode(), uploads)


def _lines(db: Database, caller: Caller, store_id: int, uploads: bytes) -> Iterator[bytes]:
    def read(after: exports.Place | None) -> list[Row]:
        with db.transaction(caller) as conn:
            return exports.documents(conn, store_id, after=after, limit=BATCH)

    for rows in pages.batches(read, _place, size=BATCH):
        text = "".join(f"{workflow.whole(row)}\n" for row in rows)
        yield text.encode().replace(URL_MARKER.encode(), uploads)


def _place(row: Row) -> exports.Place:
    return row["created_at"], row["id"]


def _variant_place(row: Row) -> exports.VariantPlace:
    return row["created_at"], row["id"], row["position"], row["variant_id"]


def _cells(row: Row) -> list[object]:
    """Return a product or one of its variants under HEADER."""
    pairs = zip_longest(row["option_names"], row["options"] or (), fillvalue="")
    options = [cell for pair in islice(pairs, OPTIONS) for cell in pair]
    return [
        row["id"],
        row["name"],
        row["description"],
        row["price"],
        row["stock"],
        row["stock"],
        row["sku"],
        row["source_url"],
        write_path(row["category"]),
        row["brand"],
        "|".join(row["image_urls"]),
        "yes" if row["hidden"] else "no",
        row["variant_id"] or "",
        *options,
        *("" for _ in range(2 * OPTIONS - len(options))),
        row["weight_grams"],
        row["price_before"],
        "" if row["variant_hidden"] is None else "yes" if row["variant_hidden"] else "no",
        row["barcode"],
        row["variant_image"],
    ]
