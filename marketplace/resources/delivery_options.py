"""How a store sends: what everybody sees, and what the store sets."""

import falcon

from marketplace.contract.errors import Problem
from marketplace.contract.operations import PUBLIC, operation
from marketplace.postgres.database import Database
from marketplace.queries import delivery_options
from marketplace.schemas import delivery_options as schemas
from marketplace.web import etags, idempotency
from marketplace.workflows import delivery_options as workflow
from marketplace.workflows.products import store_of

SELLERS = ("seller", "admin")


class Offered:
    """/api/stores/{store_id}/delivery-options"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listStoreDeliveryOptions",
        "How a store sends",
        roles=PUBLIC,
        responses={200: schemas.OFFERED_LIST},
        problems=("not_found",),
        max_age=60,
        catalogue=True,
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, store_id: int) -> None:
        """Return what a store offers, in its order. What it costs for a cart says the quote."""
        with self.db.read(req.context.read_after) as conn:
            options = delivery_options.offered(conn, store_id)
            if not options and not delivery_options.store_there(conn, store_id):
                raise Problem("not_found", "There is no such store.")
        resp.media = {"delivery_options": options}


class Mine:
    """/api/stores/mine/delivery-options"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listMyDeliveryOptions",
        "How the caller's store sends",
        roles=SELLERS,
        query=schemas.OF_STORE,
        responses={200: schemas.LIST},
        problems=("store_required", "not_found"),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return all options with their rates, those that are not offered any more at the end."""
        caller = req.context.caller
        store_id = store_of(caller, req.context.query.get("store_id"))
        with self.db.transaction(caller) as conn:
            resp.media = {"delivery_options": workflow.show(conn, store_id)}

    @operation(
        "createDeliveryOption",
        "Add a way to send",
        roles=SELLERS,
        query=schemas.OF_STORE,
        body=schemas.NEW,
        responses={201: schemas.OPTION},
        problems=("store_required", "not_found"),
        idempotent=True,
        sells=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Add an option with its rates."""
        store_id = store_of(req.context.caller, req.context.query.get("store_id"))
        with idempotency.transaction(self.db, req, resp) as conn:
            option = workflow.add(conn, store_id, req.context.body)
            resp.media = option
            resp.status = falcon.HTTP_201
            resp.location = f"/api/stores/mine/delivery-options/{option['id']}"


class One:
    """/api/stores/mine/delivery-options/{option_id}"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "replaceDeliveryOption",
        "Change a way to send",
        roles=SELLERS,
        query=schemas.OF_STORE,
        body=schemas.CHANGE,
        responses={200: schemas.OPTION},
        problems=("store_required", "not_found"),
        conditional=True,
    )
    def on_put(self, req: falcon.Request, resp: falcon.Response, option_id: int) -> None:
        """Replace an option and all its rates; orders that were placed keep what they paid."""
        caller = req.context.caller
        store_id = store_of(caller, req.context.query.get("store_id"))
        with self.db.transaction(caller) as conn:
            before = delivery_options.hold(conn, option_id, store_id=store_id)
            if before is None:
                raise _not_found()
            etags.require(req, before["version"])
            option = workflow.change(conn, store_id, before, req.context.body)
            if option is None:
                raise _not_found()
            resp.media = option

    @operation(
        "closeDeliveryOption",
        "Offer a way to send no longer",
        roles=SELLERS,
        query=schemas.OF_STORE,
        responses={204: None},
        problems=("store_required", "not_found"),
        conditional=True,
    )
    def on_delete(self, req: falcon.Request, resp: falcon.Response, option_id: int) -> None:
        """Make an option inactive: orders name it, so it stays in the list of its store."""
        caller = req.context.caller
        store_id = store_of(caller, req.context.query.get("store_id"))
        with self.db.transaction(caller) as conn:
            before = delivery_options.hold(conn, option_id, store_id=store_id)
            if before is None:
                raise _not_found()
            etags.require(req, before["version"])
            delivery_options.close(conn, option_id, store_id=store_id)
        resp.status = falcon.HTTP_204


def _not_found() -> Problem:
    return Problem("not_found", "There is no such way to send.")
