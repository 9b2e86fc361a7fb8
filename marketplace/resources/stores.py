"""Stores: opening one, showing it, changing the caller's own, and stopping one."""

from collections.abc import Mapping
from typing import Any

import falcon

from marketplace.contract import pages
from marketplace.contract.errors import Problem, invalid
from marketplace.contract.operations import ANYONE, Parts, operation
from marketplace.files import image_json, storage
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import stores
from marketplace.schemas import stores as schemas
from marketplace.web import client, etags, idempotency, paging, uploads
from marketplace.workflows import images
from marketplace.workflows import stores as workflow

SELLERS = ("seller", "admin")
LOGO = Parts(files=("logo",))
#: What the database says of a store whose owner is suspended.
OF_OWNER = "owner"


class Stores:
    """/api/stores"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listStores",
        "Browse stores",
        roles=ANYONE,
        query={**schemas.FILTERS, **pages.QUERY},
        responses={200: pages.listed("stores", schemas.STORE)},
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
        """Open the caller's store; a buyer is a seller from here on, in this session too. Where the
        installation says so it is `pending` until an admin lets it sell.
        """
        body = req.context.body
        with idempotency.transaction(self.db, req, resp) as conn:
            store = workflow.open_store(
                conn,
                client.client(req),
                name=body["name"],
                description=body.get("description"),
                pending=req.context.config.stores_need_approval,
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
        roles=ANYONE,
        responses={200: schemas.STORE},
        problems=("not_found",),
        max_age=60,
        catalogue=True,
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, store_id: int) -> None:
        """Return a store that is active; to an admin, one of any state."""
        caller = req.context.caller
        door = self.db.transaction(caller) if caller else self.db.read(req.context.read_after)
        with door as conn:
            resp.media = _found(stores.find(conn, store_id))

    @operation(
        "updateStore",
        "Stop a store, or let it go",
        roles=("admin",),
        body=schemas.MANAGE,
        partial=True,
        responses={200: schemas.STORE},
        problems=("not_found",),
        conditional=True,
    )
    def on_patch(self, req: falcon.Request, resp: falcon.Response, store_id: int) -> None:
        """Set `state` to active or suspended, with a `reason`. Nothing can be bought from a stopped
        store at once; within a minute its products are in no list. Its owner is told by mail. The
        store of a suspended owner stays stopped until they are let go.
        """
        body = req.context.body
        _require_reason(body)
        with self.db.transaction(req.context.caller) as conn:
            before = _found(stores.hold_any(conn, store_id))
            etags.require(req, before["version"])
            workflow.set_state(
                conn,
                client.client(req),
                before,
                state=body["state"],
                reason=body["reason"] if body["state"] == "suspended" else None,
            )
            resp.media = stores.find(conn, store_id)


def _require_reason(body: Mapping[str, Any]) -> None:
    """Refuse a change without a state, and a stop without a word to the owner."""
    if "state" not in body:
        raise invalid("/state", "required", "is required")
    if body["state"] == "suspended":
        reason = (body.get("reason") or "").strip()
        if not reason:
            raise invalid("/reason", "required", "is required")
        if reason == OF_OWNER:
            raise invalid("/reason", "not_allowed", "is a word of the system; say it in others")


def _found(store: Row | None) -> Row:
    if store is None:
        raise Problem("not_found", "There is no such store.")
    return store


class Mine:
    """/api/stores/mine"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getMyStore",
        "The caller's store",
        roles=SELLERS,
        responses={200: schemas.OWN},
        problems=("not_found",),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the caller's store, in any state, and what there is of all that selling needs."""
        with self.db.transaction(req.context.caller) as conn:
            resp.media = _own(conn, req)

    @operation(
        "replaceMyStore",
        "Change the caller's store",
        roles=SELLERS,
        body=schemas.CHANGE,
        responses={200: schemas.OWN},
        problems=("not_found", "store_name_taken"),
        conditional=True,
    )
    def on_put(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Replace name and description; city, number and holiday only if given. A job writes a new
        name or city to the products' documents.
        """
        self._change(req, resp, merge=False)

    @operation(
        "updateMyStore",
        "Change fields of the caller's store",
        roles=SELLERS,
        body=schemas.CHANGE,
        partial=True,
        responses={200: schemas.OWN},
        problems=("not_found", "store_name_taken"),
        conditional=True,
    )
    def on_patch(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Change the given fields, as PUT does."""
        self._change(req, resp, merge=True)

    def _change(self, req: falcon.Request, resp: falcon.Response, *, merge: bool) -> None:
        caller, body = req.context.caller, req.context.body
        with self.db.transaction(caller) as conn:
            before = workflow.hold(conn, caller)
            etags.require(req, before["version"])
            kept = {name: before[name] for name in stores.WRITTEN}
            if not merge:
                kept["description"] = None
            workflow.change(conn, client.client(req), before, {**kept, **body})
            resp.media = _own(conn, req)


class Logo:
    """/api/stores/mine/logo"""

    def __init__(self, db: Database, files: storage.Storage) -> None:
        self.db = db
        self.files = files

    @operation(
        "uploadLogo",
        "Set the logo of the caller's store",
        roles=SELLERS,
        parts=LOGO,
        responses={200: schemas.LOGO_ANSWER},
        problems=("not_found", "picture_refused", "too_many_requests"),
        idempotent=True,
        rate="upload",
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Store the image of part `logo` in its sizes; the previous one is removed."""
        _, made = uploads.read(req, LOGO, count=1)
        if not made:
            raise invalid("/logo", "required", "is the part for the image")
        picture = made[0].image
        images.save(self.files, [picture])
        logo = image_json.as_json(picture)
        with idempotency.transaction(self.db, req, resp) as conn:
            before = workflow.hold(conn, req.context.caller)
            images.hold(conn, self.files, [picture])
            workflow.change_logo(conn, client.client(req), before, logo)
            resp.media = {"logo": logo}

    @operation(
        "deleteLogo",
        "Remove the logo of the caller's store",
        roles=SELLERS,
        responses={204: None},
        problems=("not_found",),
        conditional=True,
    )
    def on_delete(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Remove the logo; a missing one is no error."""
        with self.db.transaction(req.context.caller) as conn:
            before = workflow.hold(conn, req.context.caller)
            etags.require(req, before["version"])
            workflow.change_logo(conn, client.client(req), before, None)
        resp.status = falcon.HTTP_204


def _own(conn: Conn, req: falcon.Request) -> Row:
    verified = req.context.config.verified_sellers
    return workflow.find_own(conn, req.context.caller, verified=verified)
