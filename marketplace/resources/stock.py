"""Stock: what a store has, setting much of it at once, and why it changed."""

import falcon

from marketplace.contract import pages
from marketplace.contract.errors import Problem
from marketplace.contract.operations import Budget, operation
from marketplace.postgres.database import Database
from marketplace.queries import activities, stock
from marketplace.schemas import stock as schemas
from marketplace.web import client, idempotency, paging
from marketplace.workflows import batches
from marketplace.workflows import products as workflow

SELLERS = ("seller", "admin")


class Stock:
    """/api/stores/mine/stock"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listStock",
        "What the caller's store has",
        roles=SELLERS,
        query={**schemas.FILTERS, **pages.QUERY},
        responses={200: schemas.LISTED},
        problems=("invalid_cursor", "page_too_deep", "store_required", "not_found"),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return what can be sold, what orders hold and what there is of each product and variant,
        those of the newest products first; with `low` what runs low, the fewest first.
        """
        caller, query = req.context.caller, req.context.query
        store_id = workflow.store_of(caller, query.get("store_id"))
        low, product_id = query.get("low"), query.get("product_id")
        window = paging.window(req, query, depth=pages.SHALLOW_DEPTH)
        with self.db.transaction(caller) as conn:
            rows = stock.search(
                conn,
                store_id,
                product_id=product_id,
                low=low,
                after=window.after,
                limit=window.limit,
                offset=window.offset,
            )
            total = pages.capped(
                window,
                lambda cap: stock.count(conn, store_id, product_id=product_id, low=low, limit=cap),
            )
            more = {} if low is None else {"as_of": stock.low_as_of(conn)}
        last = paging.last_of(rows, window, ("key", "product_id", "variant_id"))
        for row in rows:
            del row["key"]
        shown = paging.items(rows[: window.per_page])
        paging.respond(
            req, resp, noun="stock", items=shown, window=window, last=last, total=total, more=more
        )

    @operation(
        "setStock",
        "Set the stock of many products at once",
        roles=SELLERS,
        query=schemas.STORE_QUERY,
        body=schemas.BATCH,
        responses={200: schemas.DONE},
        problems=("batch_refused", "idempotency_key_required", "store_required", "not_found"),
        idempotent=True,
        budget=Budget(6, 5),
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Set up to 1,000 rows of stock: to what can be sold, to what was counted, or by a change,
        which needs an Idempotency-Key. What is so already is `unchanged`, whatever was expected.
        """
        caller, body = req.context.caller, req.context.body
        rows = body["rows"]
        batches.refuse(
            body,
            [
                *batches.require_named(rows),
                *batches.require_one_of(rows, ("stock", "on_hand", "change")),
            ],
        )
        relative = any(row.get("change") is not None for row in rows)
        if relative and not body["dry_run"]:
            idempotency.require_key(req)
        store_id = workflow.store_of(caller, req.context.query.get("store_id"))
        how = {"all_or_none": body["mode"] == "all", "dry_run": body["dry_run"]}
        with idempotency.transaction(self.db, req, resp) as conn:
            done = batches.answered(stock.set(conn, store_id, rows, **how), **how)
            if done["done"] and not done["dry_run"]:
                activities.record(
                    conn,
                    client.client(req),
                    "set_stock",
                    related=("store", store_id, None),
                    details={"rows": done["done"]},
                )
            resp.media = done


class Movements:
    """/api/products/{product_id}/stock-movements"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listStockMovements",
        "Why the stock of a product changed",
        roles=SELLERS,
        query=schemas.MOVEMENT_FILTERS,
        responses={200: schemas.MOVEMENTS},
        problems=("invalid_cursor", "not_found"),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, product_id: int) -> None:
        """Return every change of a product's stock, or of one of its variants, newest first."""
        caller, query = req.context.caller, req.context.query
        store_id = workflow.reach(caller)
        window = paging.window(req, query)
        with self.db.transaction(caller) as conn:
            if not stock.is_own(conn, product_id, store_id):
                raise Problem("not_found", "There is no such product.")
            rows = stock.movements(
                conn,
                product_id,
                store_id,
                variant_id=query.get("variant_id"),
                after=window.after,
                limit=window.limit,
            )
        paging.respond_rows(req, resp, "movements", rows, window, None, keys=("created_at", "id"))
