"""Stores: opening one, showing it, changing the caller's own."""

import falcon

from marketplace.contract import pages
from marketplace.contract.errors import Problem
from marketplace.contract.operations import ANYONE, PUBLIC, operation
from marketplace.postgres.database import Database
from marketplace.queries import activities, jobs, stores
from marketplace.schemas import stores as schemas
from marketplace.web import client, etags, idempotency, paging
from marketplace.workflows import stores as workflow


class Stores:
    """/api/stores"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listStores",
        "Browse stores",
        roles=ANYONE,
        query={**schemas.FILTERS, **pages.QUERY},
        responses={200: pages.listed("stores", schemas.LISTED)},
        problems=("invalid_cursor", "page_too_deep"),
        max_age=60,
        catalogue=True,
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return active stores, newest first; to an admin, those of any state."""
        query, caller = req.context.query, req.context.caller
        window = paging.window(req, query)
        after_id = window.after[0] if window.after else None
        door = self.db.transaction(caller) if caller else self.db.read(req.context.read_after)
        with door as conn:
            rows = stores.search(
                conn, query, after_id=after_id, limit=window.limit, offset=window.offset
            )
            total = pages.capped(window, lambda cap: stores.count(conn, query, limit=cap))
        paging.respond_rows(req, resp, "stores", rows, window, total, keys=("id",))

    @operation(
        "openStore",
        "Open a store",
        body=schemas.NEW,
        responses={201: schemas.STORE},
        problems=("store_exists", "store_name_taken"),
        idempotent=True,
        sells=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Open the caller's store; a buyer is a seller from here on, in this session too."""
        body = req.context.body
        with idempotency.transaction(self.db, req, resp) as conn:
            store = workflow.open_store(
                conn, client.client(req), name=body["name"], description=body.get("description")
            )
            resp.media = store
            resp.status = falcon.HTTP_201
            resp.location = f"/api/stores/{store['id']}"


class Store:
    """/api/stores/{store_id}"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getStore",
        "One store",
        roles=PUBLIC,
        responses={200: schemas.STORE},
        problems=("not_found",),
        max_age=60,
        catalogue=True,
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, store_id: int) -> None:
        """Return a store as everybody sees it."""
        with self.db.read(req.context.read_after) as conn:
            store = stores.find(conn, store_id)
        if store is None:
            raise Problem("not_found", "There is no such store.")
        resp.media = store


class Mine:
    """/api/stores/mine"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getMyStore",
        "The caller's store",
        roles=("seller", "admin"),
        responses={200: schemas.STORE},
        problems=("not_found",),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the caller's store."""
        caller = req.context.caller
        with self.db.transaction(caller) as conn:
            resp.media = workflow.find_own(conn, caller)

    @operation(
        "replaceMyStore",
        "Change the caller's store",
        roles=("seller", "admin"),
        body=schemas.CHANGE,
        responses={200: schemas.STORE},
        problems=("not_found", "store_name_taken"),
        conditional=True,
    )
    def on_put(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Replace name and description; a job writes a new name to the products' documents."""
        self._change(req, resp, merge=False)

    @operation(
        "updateMyStore",
        "Change fields of the caller's store",
        roles=("seller", "admin"),
        body=schemas.CHANGE,
        partial=True,
        responses={200: schemas.STORE},
        problems=("not_found", "store_name_taken"),
        conditional=True,
    )
    def on_patch(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Change the given fields, as PUT does."""
        self._change(req, resp, merge=True)

    def _change(self, req: falcon.Request, resp: falcon.Response, *, merge: bool) -> None:
        caller = req.context.caller
        with self.db.transaction(caller) as conn:
            before = stores.hold(conn, caller.store_id or 0, owner_id=caller.user_id)
            if before is None:
                raise Problem("not_found", "You have not opened a store yet.")
            etags.require(req, before["version"])
            body = {**before, **req.context.body} if merge else req.context.body
            store = stores.change(
                conn,
                before["id"],
                owner_id=caller.user_id,
                name=body["name"],
                description=body.get("description"),
            )
            if store["name"] != before["name"]:
                jobs.enqueue(
                    conn,
                    "rebuild_documents",
                    queue="quick",
                    lock="documents",
                    by="store",
                    id=store["id"],
                )
            activities.record(
                conn,
                client.client(req),
                "update_store",
                related=("store", store["id"], store["name"]),
            )
            resp.media = store
