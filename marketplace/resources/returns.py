"""Returns: what buyers send back, what stores answer, and what admins decide."""

from typing import Any

import falcon

from marketplace.contract import pages
from marketplace.contract.errors import Problem
from marketplace.contract.operations import operation
from marketplace.contract.pages import Part
from marketplace.postgres.callers import Caller
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import returns
from marketplace.schemas import returns as schemas
from marketplace.web import etags, idempotency, paging, signed_files
from marketplace.workflows import events
from marketplace.workflows import returns as workflow

REFUSED = ("too_many_units", "return_state", "return_open", "too_late", "too_early")


class Returns:
    """/api/returns"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listReturns",
        "Returns",
        query={**schemas.FILTERS, **pages.BY_CURSOR},
        responses={200: pages.listed_by_cursor("returns", schemas.RETURN)},
        problems=("invalid_cursor", "filter_not_offered", "not_found"),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return what the caller asks to give back and what their store is asked for, newest first;
        to an admin all, or with `disputed` what they have to decide, the longest waiting first.
        """
        caller, query = req.context.caller, req.context.query
        window = paging.window_by_cursor(req, query)
        with self.db.transaction(caller) as conn:
            rows = _listed(conn, caller, query, Part(window.limit, window.after))
        shown = [workflow.shown(row, caller) for row in rows]
        paging.respond_rows(req, resp, "returns", shown, window, None, keys=("created_at", "id"))


class OfOrder:
    """/api/orders/{order_id}/returns"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "openReturn",
        "Ask to give something back",
        body=schemas.NEW,
        responses={200: schemas.RETURN, 201: schemas.RETURN},
        problems=("not_found", "amount_too_small", "idempotency_key_required", *REFUSED),
        idempotent=True,
        key_required=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, order_id: int) -> None:
        """Ask for the buyer to give pieces back, or for the money of what never came: until seven
        days after completion. One is open at a time; the same one again is a 200.
        """
        caller = req.context.caller
        with idempotency.transaction(self.db, req, resp) as conn:
            made, is_new = workflow.open(conn, caller, order_id, req.context.body)
            events.wake(conn)
            resp.media = made
            resp.context.version = made["version"]
            resp.location = f"/api/orders/{order_id}/returns/{made['id']}"
            resp.status = falcon.HTTP_201 if is_new else falcon.HTTP_200


class Return:
    """/api/orders/{order_id}/returns/{return_id}"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getReturn",
        "One return",
        responses={200: schemas.RETURN},
        problems=("not_found",),
    )
    def on_get(
        self, req: falcon.Request, resp: falcon.Response, order_id: int, return_id: int
    ) -> None:
        """Return a return to its buyer, its store or an admin, with its images at addresses that
        are good for ten minutes.
        """
        with self.db.transaction(req.context.caller) as conn:
            found = workflow.find(conn, req.context.caller, order_id, return_id)
            images = returns.images(conn, order_id, return_id)
        shown = [_image(req, upload_id) for upload_id in images]
        resp.media = {**found, "images": shown}
        resp.context.version = found["version"]

    @operation(
        "changeReturn",
        "Make a step of a return",
        body=schemas.CHANGE,
        partial=True,
        responses={200: schemas.RETURN},
        problems=(
            *("not_found", "return_state", "return_open", "order_state", "amount_invalid"),
            *("too_many_units", "refund_too_large"),
        ),
        conditional=True,
    )
    def on_patch(
        self, req: falcon.Request, resp: falcon.Response, order_id: int, return_id: int
    ) -> None:
        """Make one step: `state` (approved, rejected and done by the store; sent_back and withdrawn
        by the buyer), `disputed` (either side: an admin decides), or `decision` (an admin). One
        that has been made already is a 200.
        """
        caller, body = req.context.caller, req.context.body
        if body.get("decision") is not None and caller.role != "admin":
            raise Problem("forbidden", "An administrator decides.")
        with self.db.transaction(caller) as conn:
            if req.get_header("If-Match") is not None:
                etags.require(req, workflow.lock(conn, caller, order_id, return_id))
            moved = workflow.move(conn, caller, order_id, return_id, body)
            events.wake(conn)
            resp.media = moved
            resp.context.version = moved["version"]


def _listed(conn: Conn, caller: Caller, query: dict[str, Any], part: Part) -> list[Row]:
    """Return a part of the list; 400 for filters that no index serves, or that are not the
    caller's to use.
    """
    given = [name for name in ("state", "disputed", "store_id") if name in query]
    if not given:
        if caller.role == "admin":
            return returns.newest(conn, part)
        return returns.of_caller(conn, caller, part)
    if given == ["disputed"] and caller.role == "admin" and query["disputed"]:
        return returns.disputed(conn, part)
    store_id = query.get("store_id", None if caller.role == "admin" else caller.store_id)
    if "disputed" in given or store_id is None:
        raise pages.unindexed(given)
    if caller.role != "admin" and store_id != caller.store_id:
        raise Problem("not_found", "There is no such store.")
    return returns.of_store(conn, caller, store_id, query.get("state"), part)


def _image(req: falcon.Request, upload_id: str) -> dict[str, str]:
    return {
        "id": upload_id,
        "url": signed_files.address(req, upload_id, "large"),
        "thumb_url": signed_files.address(req, upload_id, "thumb"),
    }
