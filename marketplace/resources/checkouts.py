"""The quote, placing it, and what was placed."""

import falcon
from psycopg import errors as pg

from marketplace.contract import pages
from marketplace.contract.operations import Budget, operation
from marketplace.contract.pages import Part
from marketplace.postgres.database import Database
from marketplace.schemas import checkouts as schemas
from marketplace.schemas import payments as payment_schemas
from marketplace.web import client, etags, idempotency, paging
from marketplace.workflows import checkout_lists, events, quote_screens, quotes
from marketplace.workflows import checkouts as workflow

QUOTE_PROBLEMS = ("address_required", "voucher_invalid", "amount_too_large")


class Quote:
    """/api/checkout/quote"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "quoteCheckout",
        "What a purchase costs",
        body=schemas.QUOTE_ASKED,
        responses={200: schemas.QUOTE},
        problems=QUOTE_PROBLEMS,
        rate="quote",
        budget=Budget(10, 6),
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the checkout screen: address, lines, ways to send, vouchers on offer, ways to pay
        and sums. Everything may be left out. What is missing is a word in `problems`. Nothing is
        held and nothing written.
        """
        caller, language = req.context.caller, client.language(req)
        with self.db.transaction(caller) as conn:
            quote = quotes.make(conn, req.context.config, caller.user_id, req.context.body)
            resp.media = quote_screens.show(quote, language)
        client.say_language(resp, language)


class Checkouts:
    """/api/checkouts"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listCheckouts",
        "What the caller has placed",
        query={**schemas.FILTERS, **pages.BY_CURSOR},
        responses={200: pages.listed_by_cursor("checkouts", schemas.CHECKOUT)},
        problems=("invalid_cursor", "filter_not_offered"),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the caller's checkouts, to an admin everybody's, the newest first: what is unpaid
        is paid and cancelled here, as one.
        """
        query, caller = req.context.query, req.context.caller
        window = paging.window_by_cursor(req, query)
        part = Part(window.limit, window.after)
        with self.db.transaction(caller) as conn:
            rows = checkout_lists.of_caller(conn, caller, query, part)
            language = client.language(req)
            shown = workflow.show(conn, req.context.config, rows, caller, language)
        paging.respond_rows(req, resp, "checkouts", shown, window, None, keys=("placed_at", "id"))

    @operation(
        "placeCheckout",
        "Place what is in the cart",
        body=schemas.PLACE,
        responses={201: schemas.CHECKOUT},
        problems=(
            *QUOTE_PROBLEMS,
            "cart_empty",
            "not_enough_stock",
            "total_changed",
            "variant_required",
            "min_quantity",
            "max_per_buyer",
            "store_closed",
            "self_purchase",
            "delivery_not_offered",
            "voucher_used_up",
            "voucher_used",
            "payment_not_offered",
            "too_many_unpaid",
            "total_not_payable",
            "return_url_refused",
            "idempotency_key_required",
        ),
        idempotent=True,
        key_required=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Place the cart or some lines: an order for each store, their stock held, all or nothing.
        `expected_total` is the total of the quote; another one is 409 `total_changed` with the new
        quote. What is placed leaves the cart. Keep the key on the device before sending it.
        """
        config, caller = req.context.config, req.context.caller
        language = client.language(req)
        wish = (config, caller.user_id, req.context.body, language)
        try:
            with idempotency.transaction(self.db, req, resp) as conn:
                checkout_id = workflow.place(conn, *wish)
                resp.media = workflow.find(conn, config, checkout_id, caller, language)
                _ask_again(resp)
                resp.status = falcon.HTTP_201
                resp.location = f"/api/checkouts/{checkout_id}"
        except pg.CheckViolation as error:
            if error.diag.constraint_name not in workflow.OVERTAKEN:
                raise
            with self.db.transaction(caller) as conn:
                problem = workflow.overtaken(conn, *wish)
            raise problem from None


class Checkout:
    """/api/checkouts/{checkout_id}"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getCheckout",
        "One checkout",
        responses={200: schemas.CHECKOUT},
        problems=("not_found",),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, checkout_id: int) -> None:
        """Return what was placed, with what is to be paid: ask again after `poll_after` seconds."""
        caller = req.context.caller
        with self.db.transaction(caller) as conn:
            language = client.language(req)
            resp.media = workflow.find(conn, req.context.config, checkout_id, caller, language)
        client.say_language(resp, language)


class Cancellation:
    """/api/checkouts/{checkout_id}/cancel"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "cancelCheckout",
        "Cancel what is unpaid",
        body=schemas.CANCELLATION,
        responses={200: schemas.CHECKOUT},
        problems=("not_found", "checkout_paid", "payment_checking"),
        idempotent=True,
        conditional=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, checkout_id: int) -> None:
        """Cancel all that is unpaid of a checkout: stock and vouchers go back. Sent again it
        returns the same.
        """
        config = req.context.config
        with idempotency.transaction(self.db, req, resp) as conn:
            if req.get_header("If-Match") is not None:
                etags.require(req, workflow.lock(conn, checkout_id))
            workflow.cancel(conn, checkout_id, req.context.body.get("reason"))
            events.wake(conn)
            language = client.language(req)
            resp.media = workflow.find(conn, config, checkout_id, req.context.caller, language)


class Payments:
    """/api/checkouts/{checkout_id}/payments"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "changePayment",
        "Pay in another way",
        body=payment_schemas.CHANGE,
        responses={201: schemas.CHECKOUT},
        problems=(
            "not_found",
            "not_payable",
            "payment_not_offered",
            "payment_open",
            "return_url_refused",
            "idempotency_key_required",
        ),
        idempotent=True,
        key_required=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, checkout_id: int) -> None:
        """Close the open payment and open another one. `pay_by` may move, to three days after
        placing at most. What the one before still brings goes home.
        """
        config, caller = req.context.config, req.context.caller
        with idempotency.transaction(self.db, req, resp) as conn:
            workflow.change_payment(conn, config, checkout_id, caller, req.context.body)
            resp.media = workflow.find(conn, config, checkout_id, caller, client.language(req))
            _ask_again(resp)
            resp.status = falcon.HTTP_201
            resp.location = f"/api/payments/{resp.media['payments'][0]['id']}"


def _ask_again(resp: falcon.Response) -> None:
    """Say when it is worth asking: a payment that is being opened is there in a second."""
    if any(payment["state"] == "opening" for payment in resp.media["payments"]):
        resp.set_header("Retry-After", "1")
