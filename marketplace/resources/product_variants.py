"""Variants of a product, one at a time."""

from typing import Any

import falcon

from marketplace.contract.errors import Problem
from marketplace.contract.operations import operation
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import activities, products
from marketplace.schemas import products as schemas
from marketplace.web import client, etags, idempotency
from marketplace.workflows import products as workflow
from marketplace.workflows.product_keys import keys_told

SELLERS = ("seller", "admin")
PROBLEMS = ("not_found", "sku_taken", "duplicate_options", "price_before_too_low")


class Variants:
    """/api/products/{product_id}/variants"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "createProductVariant",
        "Add a variant to a product",
        roles=SELLERS,
        body=schemas.NEW_VARIANT,
        responses={201: schemas.PRODUCT_VARIANT},
        problems=(*PROBLEMS, "too_many_variants"),
        idempotent=True,
        conditional=True,
        sells=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, product_id: int) -> None:
        """Add a variant, with a value for each option of the product.

        If-Match names the product: its variants are part of it.
        """
        caller, body = req.context.caller, req.context.body
        with (
            keys_told(self.db, caller, caller.store_id, body, product_id),
            idempotency.transaction(self.db, req, resp) as conn,
        ):
            row = _write(conn, req, resp, product_id, None, body)
            resp.status = falcon.HTTP_201
            resp.location = f"/api/products/{product_id}/variants/{row['id']}"


class Variant:
    """/api/products/{product_id}/variants/{variant_id}"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "updateProductVariant",
        "Change fields of a variant",
        roles=SELLERS,
        body=schemas.VARIANT_CHANGE,
        partial=True,
        responses={200: schemas.PRODUCT_VARIANT},
        problems=PROBLEMS,
        conditional=True,
    )
    def on_patch(
        self, req: falcon.Request, resp: falcon.Response, product_id: int, variant_id: int
    ) -> None:
        """Change the given fields, leave the rest; {"hidden": false} shows a removed one again."""
        caller, body = req.context.caller, req.context.body
        with (
            keys_told(self.db, caller, caller.store_id, body, product_id),
            self.db.transaction(caller) as conn,
        ):
            _write(conn, req, resp, product_id, variant_id, body)

    @operation(
        "deleteProductVariant",
        "Remove a variant",
        roles=SELLERS,
        responses={204: None},
        problems=("not_found",),
        conditional=True,
    )
    def on_delete(
        self, req: falcon.Request, resp: falcon.Response, product_id: int, variant_id: int
    ) -> None:
        """Hide a variant: orders may refer to it. Doing it twice does no harm."""
        with self.db.transaction(req.context.caller) as conn:
            _write(conn, req, resp, product_id, variant_id, {"hidden": True})
            resp.media = None
        resp.status = falcon.HTTP_204


def _write(
    conn: Conn,
    req: falcon.Request,
    resp: falcon.Response,
    product_id: int,
    variant_id: int | None,
    body: dict[str, Any],
) -> Row:
    """Write a variant and respond with it, under the version that its product has then."""
    store_id = workflow.reach(req.context.caller)
    before = products.find_own(conn, product_id, store_id)
    if before is None:
        raise Problem("not_found", "There is no such product or variant of yours.")
    etags.require(req, workflow.version(before))
    row = workflow.write_variant(
        conn, before, store_id, variant_id, body, req.context.config.currency
    )
    activities.record(
        conn,
        client.client(req),
        "update_product",
        related=("product", product_id, before["name"]),
        details={"variant_id": row["id"], "fields": sorted(body)},
    )
    after = products.find_own(conn, product_id, store_id) or before
    resp.context.version = workflow.version(after)
    resp.media = _shown(row)
    return row


def _shown(row: Row) -> dict[str, Any]:
    """Return a variant as the API answers it."""
    amounts = {
        name: None if row[name] is None else f"{row[name]:.2f}"
        for name in ("price", "price_before")
    }
    kept = {name: row[name] for name in schemas.PRODUCT_VARIANT if name in row}
    return {**kept, **amounts, "in_stock": row["stock"] > 0}
