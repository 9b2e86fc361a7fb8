"""A store's orders as a file."""

from codecs import BOM_UTF8
from collections.abc import Iterator
from datetime import datetime
from itertools import chain, groupby
from typing import Any
from zoneinfo import ZoneInfo

import falcon

from marketplace.catalogue_csv import written
from marketplace.contract import pages
from marketplace.contract.errors import Problem
from marketplace.contract.operations import operation
from marketplace.postgres.callers import Caller
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Row
from marketplace.queries import activities, exports, orders_export
from marketplace.queries.orders_export import Place
from marketplace.schemas import papers as schemas
from marketplace.web import client
from marketplace.workflows.carts import options_of
from marketplace.workflows.products import store_of

#: Orders of a batch; each has some lines.
BATCH = 200
COLUMNS = (
    *("order_number", "placed_at", "stage", "payment_status", "fulfilment_status", "courier"),
    *("tracking_number", "line_id", "sku", "name", "options", "quantity", "cancelled", "returned"),
    *("price", "discount", "subsidy", "tax", "line_total"),
    *("delivery_total", "order_total", "refunded"),
)
_OF_ORDER = ("stage", "payment_status", "fulfilment_status", "couriers", "tracking_numbers")
_OF_LINE = ("quantity", "cancelled", "returned", "price", "discount", "subsidy", "tax")
_ONCE = ("delivery_total", "total", "refunded")


class OrderExport:
    """/api/stores/mine/orders/export"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "exportOrders",
        "A store's orders, as a file",
        roles=("seller", "admin"),
        query=schemas.EXPORT,
        responses={200: None},
        problems=("store_required", "not_found"),
        produces=("text/csv",),
        rate="export",
        linked=True,
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Stream the store's orders as CSV, the oldest first, a row a line. Sums of the order stand
        in its first row alone, so that a column sums. No buyer, no address.
        """
        caller, query = req.context.caller, req.context.query
        store_id = store_of(caller, query.get("store_id"))
        with self.db.transaction(caller) as conn:
            if not exports.store_there(conn, store_id):
                raise Problem("not_found", "There is no such store.")
            if req.method != "HEAD":
                activities.record(
                    conn, client.client(req), "export_orders", details={"format": query["format"]}
                )
        resp.content_type = "text/csv; charset=utf-8"
        resp.downloadable_as = f"orders-{store_id}.csv"
        zone = ZoneInfo(req.context.config.shop_time_zone)
        stream = _stream(self.db, caller, store_id, query, zone)
        resp.stream = chain((BOM_UTF8,), stream) if query["bom"] else stream


def _stream(
    db: Database, caller: Caller, store_id: int, query: dict[str, Any], zone: ZoneInfo
) -> Iterator[bytes]:
    """Yield the file, a batch of whole orders at a time: no transaction waits for a slow phone."""
    yield written([COLUMNS]).encode()

    def read(after: Place | None) -> list[Row]:
        with db.transaction(caller) as conn:
            return orders_export.rows(
                conn, store_id, after=after, since=query.get("from"), until=query.get("to"),
                limit=BATCH,
            )  # fmt: skip

    for rows in pages.batches(read, lambda row: (row["placed_at"], row["id"]), size=BATCH):
        orders = groupby(rows, key=lambda row: row["id"])
        yield written(
            _cells(row, zone, first=place == 0)
            for _, lines in orders
            for place, row in enumerate(lines)
        ).encode()


def _cells(row: Row, zone: ZoneInfo, *, first: bool) -> list[object]:
    """Return a line of an order under COLUMNS."""
    placed: datetime = row["placed_at"]
    options = "; ".join(f"{each['name']}: {each['value']}" for each in options_of(row))
    return [
        row["number"],
        placed.astimezone(zone).isoformat(timespec="seconds"),
        *(row[name] for name in _OF_ORDER),
        *(row[name] for name in ("line_id", "sku", "name")),
        options,
        *(row[name] for name in _OF_LINE),
        row["line_total"],
        *(row[name] if first else "" for name in _ONCE),
    ]
