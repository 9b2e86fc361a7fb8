"""The caller's cart."""

import falcon

from marketplace.contract.operations import Budget, operation
from marketplace.postgres.database import Database
from marketplace.queries import carts
from marketplace.schemas import carts as schemas
from marketplace.web import authentication, etags
from marketplace.workflows import carts as workflow


class Cart:
    """/api/cart"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getCart",
        "The caller's cart",
        responses={200: schemas.CART},
        at_once=True,
        budget=Budget(5, 1),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the cart by store, everything live. Nothing vanishes by itself: a line that cannot
        be bought now says why in `problem`, and prices are those of the moment.
        """
        user_id = req.context.caller.user_id
        version, lines = authentication.read(
            self.db, req, lambda conn: carts.send_whole(conn, user_id)
        )
        currency = req.context.config.currency
        resp.media = workflow.shown(version.fetchone(), lines.fetchall(), currency)

    @operation("clearCart", "Empty the cart", responses={204: None}, conditional=True)
    def on_delete(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Remove all lines."""
        caller = req.context.caller
        with self.db.transaction(caller) as conn:
            etags.require(req, carts.hold(conn, caller.user_id))
            workflow.clear(conn, caller.user_id)
        resp.status = falcon.HTTP_204


class CartLines:
    """/api/cart/lines"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "putCartLines",
        "Set lines of the cart",
        body=schemas.PUT,
        responses={200: schemas.CART},
        problems=("cart_full",),
        conditional=True,
    )
    def on_put(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Set the quantities of some lines; 0 removes one, others stay. Sent again it changes
        nothing. With `merge` the larger quantity of the two stays: for lines that a phone kept
        before its user signed in. Stock is not held.
        """
        caller = req.context.caller
        with self.db.transaction(caller) as conn:
            etags.require(req, carts.hold(conn, caller.user_id))
            workflow.put(conn, caller.user_id, req.context.body)
            resp.media = workflow.show(conn, caller.user_id, req.context.config.currency)
