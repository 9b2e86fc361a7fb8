"""Brands: the list, one of them, and changes by admins."""

import falcon
from psycopg.errors import ForeignKeyViolation

from marketplace.contract import pages
from marketplace.contract.errors import Problem
from marketplace.contract.operations import PUBLIC, operation
from marketplace.postgres.database import Database
from marketplace.queries import activities, brands
from marketplace.schemas import brands as schemas
from marketplace.web import client, etags, idempotency, paging
from marketplace.workflows import brands as workflow


class Brands:
    """/api/brands"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listBrands",
        "Browse brands",
        roles=PUBLIC,
        query={**schemas.FILTERS, **pages.QUERY},
        responses={200: pages.listed("brands", schemas.BRAND)},
        problems=("invalid_cursor", "page_too_deep"),
        max_age=60,
        catalogue=True,
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return brands by name, all or those with `search` in their name."""
        query = req.context.query
        search = query.get("search")
        window = paging.window(req, query)
        after = (window.after[0], window.after[1]) if window.after else None
        with self.db.read(req.context.read_after) as conn:
            rows = brands.search(
                conn, search=search, after=after, limit=window.limit, offset=window.offset
            )
            total = pages.capped(window, lambda cap: brands.count(conn, search=search, limit=cap))
        paging.respond_rows(req, resp, "brands", rows, window, total, keys=("name", "id"))

    @operation(
        "createBrand",
        "Add a brand",
        roles=("admin",),
        body=schemas.NEW,
        responses={201: schemas.BRAND},
        problems=("brand_exists",),
        idempotent=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Add a brand."""
        with idempotency.transaction(self.db, req, resp) as conn:
            brand = brands.add(conn, req.context.body["name"])
            activities.record(
                conn,
                client.client(req),
                "create_brand",
                related=("brand", brand["id"], brand["name"]),
            )
            resp.media = brand
            resp.status = falcon.HTTP_201
            resp.location = f"/api/brands/{brand['id']}"


class Brand:
    """/api/brands/{brand_id}"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getBrand",
        "One brand",
        roles=PUBLIC,
        responses={200: schemas.BRAND},
        problems=("not_found",),
        max_age=60,
        catalogue=True,
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, brand_id: int) -> None:
        """Return a brand."""
        with self.db.read(req.context.read_after) as conn:
            brand = brands.find(conn, brand_id)
        if brand is None:
            raise _not_found()
        resp.media = brand

    @operation(
        "replaceBrand",
        "Rename a brand",
        roles=("admin",),
        body=schemas.CHANGE,
        responses={200: schemas.BRAND},
        problems=("not_found", "brand_exists"),
        conditional=True,
    )
    def on_put(self, req: falcon.Request, resp: falcon.Response, brand_id: int) -> None:
        """Replace the name; a job writes the products' documents."""
        self._change(req, resp, brand_id)

    @operation(
        "updateBrand",
        "Change fields of a brand",
        roles=("admin",),
        body=schemas.CHANGE,
        partial=True,
        responses={200: schemas.BRAND},
        problems=("not_found", "brand_exists"),
        conditional=True,
    )
    def on_patch(self, req: falcon.Request, resp: falcon.Response, brand_id: int) -> None:
        """Change the name if it is given."""
        self._change(req, resp, brand_id)

    def _change(self, req: falcon.Request, resp: falcon.Response, brand_id: int) -> None:
        with self.db.transaction(req.context.caller) as conn:
            before = brands.lock(conn, brand_id)
            if before is None:
                raise _not_found()
            etags.require(req, before["version"])
            brand = workflow.change(conn, brand_id, before, {**before, **req.context.body}["name"])
            activities.record(
                conn, client.client(req), "update_brand", related=("brand", brand_id, brand["name"])
            )
            resp.media = brand

    @operation(
        "deleteBrand",
        "Remove a brand",
        roles=("admin",),
        query=schemas.REMOVE,
        responses={204: None},
        problems=("not_found", "brand_in_use"),
        conditional=True,
    )
    def on_delete(self, req: falcon.Request, resp: falcon.Response, brand_id: int) -> None:
        """Remove a brand without products, or move its products to `move_to` first."""
        move_to = req.context.query.get("move_to")
        try:
            with self.db.transaction(req.context.caller) as conn:
                before = workflow.hold(conn, brand_id)
                if before is None:
                    raise _not_found()
                etags.require(req, before["version"])
                removed = workflow.remove(conn, brand_id, move_to)
                details = {"move_to": move_to, "products": removed.moved} if move_to else None
                activities.record(
                    conn,
                    client.client(req),
                    "delete_brand",
                    details=details,
                    related=("brand", brand_id, removed.name),
                )
        except ForeignKeyViolation:
            raise Problem(
                "brand_in_use", "Products have this brand; ?move_to=ID moves them to another one."
            ) from None
        resp.status = falcon.HTTP_204


def _not_found() -> Problem:
    return Problem("not_found", "There is no such brand.")
