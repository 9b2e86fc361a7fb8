"""Products of a store, as its seller sees them: the list, and many changed at once."""

import falcon

from marketplace.contract import pages
from marketplace.contract.operations import Budget, operation
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn
from marketplace.queries import products
from marketplace.queries.products import Listing
from marketplace.schemas import bulk_products as bulk_schemas
from marketplace.schemas import facets as facet_schemas
from marketplace.schemas import products as schemas
from marketplace.schemas.stock import STORE_QUERY
from marketplace.web import client, idempotency, paging
from marketplace.workflows import bulk_products, listings
from marketplace.workflows.products import store_of

SELLERS = ("seller", "admin")


class Mine:
    """/api/stores/mine/products"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listMyProducts",
        "The caller's own products",
        roles=SELLERS,
        query={**schemas.OWN_FILTERS, **pages.QUERY, **pages.COUNT},
        responses={200: facet_schemas.PAGE},
        problems=(*listings.PROBLEMS, "store_required", "not_found"),
        budget=Budget(4, 3),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the products of a store, hidden and sold out too; a SKU in `search` finds its
        product.
        """
        caller, query = req.context.caller, req.context.query
        store_id = store_of(caller, query.get("store_id"))
        listing = listings.asked(query, store_id=store_id)
        window = paging.window(req, query, depth=listings.depth(listing))
        listing = listings.within(listing, window)
        with self.db.transaction(caller) as conn:
            if "search" in query and window.after is None:  # a cursor goes on in its own list
                listing = _of_sku(conn, listing, store_id)
            page = listings.page(conn, listing, window.exact_to)
        paging.respond(
            req,
            resp,
            noun="products",
            items=page.items.encode(),
            window=window,
            last=page.last,
            total=page.total,
        )

    @operation(
        "updateMyProducts",
        "Change many products at once",
        roles=SELLERS,
        query=STORE_QUERY,
        body=bulk_schemas.BATCH,
        responses={200: bulk_schemas.DONE},
        problems=("batch_refused", "store_required", "not_found"),
        idempotent=True,
    )
    def on_patch(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Change price, stock, category and the like of up to 1,000 products or variants, each row
        by itself or all together; a dry run answers what would change.
        """
        caller, body = req.context.caller, req.context.body
        bulk_products.require_well_formed(body)
        store_id = store_of(caller, req.context.query.get("store_id"))
        with idempotency.transaction(self.db, req, resp) as conn:
            resp.media = bulk_products.change(
                conn,
                client.client(req),
                store_id,
                body,
                currency=req.context.config.currency,
                language=client.language(req),
            )


def _of_sku(conn: Conn, listing: Listing, store_id: int) -> Listing:
    """Return the list of the one product whose SKU was searched, if there is one."""
    filters = {**listing.filters}
    found = products.find_sku(conn, store_id, filters.pop("search"))
    if found is None:
        return listing
    filters["ids"] = [each for each in filters.get("ids", [found]) if each == found]
    return listing._replace(
        filters=filters, sort="newest" if listing.sort == "relevance" else listing.sort
    )
