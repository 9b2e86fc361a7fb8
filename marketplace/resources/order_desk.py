"""The order desk: accepting, sending, confirming and cancelling orders, and their parcels."""

from collections.abc import Callable
from typing import Any

import falcon

from marketplace.contract.operations import operation
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn
from marketplace.queries import order_desk
from marketplace.schemas import order_desk as schemas
from marketplace.schemas.orders import PAGE
from marketplace.web import client, etags, idempotency
from marketplace.workflows import events, invoices
from marketplace.workflows import order_desk as workflow
from marketplace.workflows import orders as pages

SELLERS = ("seller", "admin")
STATE = ("not_found", "order_state")


class Accept:
    """/api/orders/{order_id}/accept"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "acceptOrder",
        "Accept an order",
        roles=SELLERS,
        responses={200: PAGE},
        problems=STATE,
        idempotent=True,
        conditional=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, order_id: int) -> None:
        """Accept a new order; from then on its buyer asks to cancel. One that is accepted stays
        so.
        """

        def verb(conn: Conn) -> None:
            workflow.accept(conn, req.context.caller, order_id)

        _answer(self.db, req, resp, order_id, verb)


class Ship:
    """/api/orders/{order_id}/ship"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "shipOrder",
        "Send an order, or a part of it",
        roles=SELLERS,
        body=schemas.SHIP,
        responses={200: PAGE},
        problems=(*STATE, "too_many_units", "cod_one_parcel", "idempotency_key_required"),
        idempotent=True,
        key_required=True,
        conditional=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, order_id: int) -> None:
        """Send a parcel with some lines, or with all that is left. Needs an Idempotency-Key; the
        same tracking number again is the same parcel. What is paid at the door leaves in one.
        """
        body = req.context.body

        def verb(conn: Conn) -> Any:
            parcel = workflow.tidy_parcel(body)
            return _performed(req, conn, order_id, order_desk.ship, body.get("lines"), parcel)

        _answer(self.db, req, resp, order_id, verb)


class Confirm:
    """/api/orders/{order_id}/confirm"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "confirmOrder",
        "Say that it has arrived",
        responses={200: PAGE},
        problems=(*STATE, "request_open"),
        idempotent=True,
        conditional=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, order_id: int) -> None:
        """Say for the buyer that all that was on its way has arrived. Where nothing is left to
        send, the order is completed: the money is the store's.
        """

        def verb(conn: Conn) -> Any:
            return _performed(req, conn, order_id, order_desk.confirm)

        _answer(self.db, req, resp, order_id, verb)


class Cancel:
    """/api/orders/{order_id}/cancel"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "cancelOrder",
        "Cancel an order, ask for it, or cancel a part",
        body=schemas.CANCELLATION,
        responses={200: PAGE},
        problems=(*STATE, "already_shipped", "too_many_units", "idempotency_key_required"),
        idempotent=True,
        conditional=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, order_id: int) -> None:
        """Cancel an order; a buyer whose store has accepted it asks for that (`open_request` is
        `cancel` then, and the store has 48 hours to answer). With `lines`, which need an
        Idempotency-Key, the store cancels pieces. Money and stock go back by themselves.
        """
        body = req.context.body
        lines, reason = body.get("lines"), body.get("reason")
        if lines is not None:
            idempotency.require_key(req)

        def verb(conn: Conn) -> Any:
            if lines is not None:
                return _performed(req, conn, order_id, order_desk.cancel_lines, lines, reason)
            return _performed(req, conn, order_id, order_desk.cancel, reason)

        _answer(self.db, req, resp, order_id, verb)


class RefuseCancel:
    """/api/orders/{order_id}/refuse-cancel"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "refuseOrderCancellation",
        "Say no to a cancellation",
        roles=SELLERS,
        responses={200: PAGE},
        problems=STATE,
        idempotent=True,
        conditional=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, order_id: int) -> None:
        """Refuse what the buyer asked for; yes is to cancel, and so is no answer in 48 hours."""

        def verb(conn: Conn) -> Any:
            return _performed(req, conn, order_id, order_desk.refuse_cancel)

        _answer(self.db, req, resp, order_id, verb)


class AcceptMany:
    """/api/stores/mine/orders/accept"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "acceptOrders",
        "Accept many orders",
        roles=SELLERS,
        body=schemas.ACCEPT_MANY,
        responses={200: schemas.OUTCOMES},
        idempotent=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Accept up to 100 orders; each row says what became of one."""
        with idempotency.transaction(self.db, req, resp) as conn:
            resp.media = workflow.accept_many(conn, req.context.body["ids"])


class ShipMany:
    """/api/stores/mine/orders/ship"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "shipOrders",
        "Send many orders",
        roles=SELLERS,
        body=schemas.SHIP_MANY,
        responses={200: schemas.OUTCOMES},
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Send all that is left of up to 100 orders, each in a transaction of its own. Sent again
        it changes nothing: what has left is `unchanged`.
        """
        resp.media = workflow.ship_many(self.db, req.context.caller, req.context.body["orders"])


class Shipment:
    """/api/orders/{order_id}/shipments/{shipment_id}"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "updateShipment",
        "Mend courier and number of a parcel",
        roles=SELLERS,
        body=schemas.TRACKING,
        partial=True,
        responses={200: PAGE},
        problems=("not_found", "already_shipped"),
        conditional=True,
    )
    def on_patch(
        self, req: falcon.Request, resp: falcon.Response, order_id: int, shipment_id: int
    ) -> None:
        """Change the given fields of a parcel that is on its way; 404 once it has ended."""
        caller = req.context.caller

        def verb(conn: Conn) -> Any:
            workflow.lock(conn, order_id)
            before = workflow.find_parcel(conn, caller, order_id, shipment_id)
            parcel = workflow.tidy_parcel({**before, **req.context.body})
            return _performed(req, conn, order_id, order_desk.track, shipment_id, parcel)

        _answer(self.db, req, resp, order_id, verb)


class Delivered:
    """/api/orders/{order_id}/shipments/{shipment_id}/delivered"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "deliverShipment",
        "Say that a parcel arrived",
        roles=SELLERS,
        responses={200: PAGE},
        problems=STATE,
        idempotent=True,
        conditional=True,
    )
    def on_post(
        self, req: falcon.Request, resp: falcon.Response, order_id: int, shipment_id: int
    ) -> None:
        """Say for the store that a parcel arrived: its buyer has seven days to say no. Of cash that
        the platform's courier takes an admin alone says so.
        """

        def verb(conn: Conn) -> Any:
            return _performed(req, conn, order_id, order_desk.deliver, shipment_id)

        _answer(self.db, req, resp, order_id, verb)


class Returned:
    """/api/orders/{order_id}/shipments/{shipment_id}/returned"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "returnShipment",
        "Say that a parcel did not arrive",
        roles=SELLERS,
        body=schemas.RETURNED,
        responses={200: PAGE},
        problems=STATE,
        idempotent=True,
        conditional=True,
    )
    def on_post(
        self, req: falcon.Request, resp: falcon.Response, order_id: int, shipment_id: int
    ) -> None:
        """Say that a parcel was refused, undeliverable or lost: its pieces are paid back, and the
        order is cancelled where nothing else of it is left.
        """
        body = req.context.body

        def verb(conn: Conn) -> Any:
            return workflow.perform(
                conn,
                req.context.caller,
                order_id,
                lambda: order_desk.bring_back(
                    conn, order_id, shipment_id, body["outcome"], sellable=body["sellable"]
                ),
            )

        _answer(self.db, req, resp, order_id, verb)


def _performed(
    req: falcon.Request, conn: Conn, order_id: int, verb: Callable[..., Any], *values: Any
) -> Any:
    return workflow.perform(
        conn, req.context.caller, order_id, lambda: verb(conn, order_id, *values)
    )


def _answer(
    db: Database,
    req: falcon.Request,
    resp: falcon.Response,
    order_id: int,
    verb: Callable[[Conn], Any],
) -> None:
    """Do something with an order of the version that the client has seen; respond with its page."""
    caller, language = req.context.caller, client.language(req)
    with idempotency.transaction(db, req, resp) as conn:
        if req.get_header("If-Match") is not None:
            etags.require(req, workflow.lock(conn, order_id))
        verb(conn)
        events.wake(conn)
        page = resp.media = pages.page(conn, caller, order_id, language)
        if page["stage"] == "completed":
            invoices.wake(conn)
    client.say_language(resp, language)
