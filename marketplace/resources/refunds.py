"""Refunds: lists, money that is promised by hand, the account that it goes to, and what became of
it.
"""

from typing import Any

import falcon

from marketplace.contract import pages
from marketplace.contract.operations import operation
from marketplace.contract.pages import Part
from marketplace.postgres.database import Database
from marketplace.queries import refunds
from marketplace.schemas import refunds as schemas
from marketplace.web import etags, idempotency, paging
from marketplace.workflows import events, invoices
from marketplace.workflows import orders as order_pages
from marketplace.workflows import refunds as workflow

#: What waits for somebody, or for a provider, is listed by both.
INDEXED = {
    "bank": ("due", "needs_bank"),
    "store": ("due", "needs_bank"),
    "provider": ("due", "sending", "sent"),
}


class Refunds:
    """/api/refunds"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listRefunds",
        "Money that goes back",
        query={**schemas.FILTERS, **pages.BY_CURSOR},
        responses={200: pages.listed_by_cursor("refunds", schemas.REFUND)},
        problems=("invalid_cursor", "filter_not_offered"),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return what the caller gets back and what their store gives back, newest first; to an
        admin all, or with `way` and `state` those that wait for somebody, the longest first.
        """
        caller, query = req.context.caller, req.context.query
        window = paging.window_by_cursor(req, query)
        part = Part(window.limit, window.after)
        given = [name for name in ("state", "way") if name in query]
        if given and (caller.role != "admin" or not _is_indexed(query)):
            raise pages.unindexed(given)
        with self.db.transaction(caller) as conn:
            if given and query["way"] == "provider":
                rows = refunds.at_provider(conn, query["state"], part)
            elif given:
                rows = refunds.by_hand(conn, query["way"], query["state"], part)
            elif caller.role == "admin":
                rows = refunds.newest(conn, part)
            else:
                rows = refunds.of_caller(conn, caller, part)
        shown = [workflow.shown(row, caller) for row in rows]
        paging.respond_rows(req, resp, "refunds", shown, window, None, keys=("created_at", "id"))


class Bank:
    """/api/refunds/{refund_id}/bank"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "setRefundAccount",
        "Say where a refund goes",
        body=schemas.BANK,
        responses={200: schemas.REFUND},
        problems=("not_found", "refund_state"),
        conditional=True,
    )
    def on_put(self, req: falcon.Request, resp: falcon.Response, refund_id: int) -> None:
        """Give the account of a refund by bank, for its buyer or an admin; it can be replaced until
        the money is sent.
        """
        caller, body = req.context.caller, req.context.body
        with self.db.transaction(caller) as conn:
            etags.require(req, workflow.lock(conn, refund_id))
            workflow.step(
                conn, caller, refund_id, lambda: refunds.give_account(conn, refund_id, body)
            )
            resp.media = workflow.find(conn, caller, refund_id)


class Done:
    """/api/refunds/{refund_id}/done"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "finishRefund",
        "Say that a refund was sent",
        roles=("seller", "admin"),
        body=schemas.DONE,
        responses={200: schemas.REFUND},
        problems=("not_found", "refund_state"),
        idempotent=True,
        conditional=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, refund_id: int) -> None:
        """Say that the money was sent: an admin by bank, a store what it gives back itself. Of the
        account four digits stay.
        """
        caller, reference = req.context.caller, req.context.body.get("reference")
        with idempotency.transaction(self.db, req, resp) as conn:
            etags.require(req, workflow.lock(conn, refund_id))
            workflow.step(
                conn, caller, refund_id, lambda: refunds.finish(conn, refund_id, reference)
            )
            events.wake(conn)
            invoices.wake(conn)
            resp.media = workflow.find(conn, caller, refund_id)


class Fail:
    """/api/refunds/{refund_id}/fail"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "failRefund",
        "Say that a refund did not arrive",
        roles=("admin",),
        body=schemas.FAILURE,
        responses={200: schemas.REFUND},
        problems=("not_found", "refund_state"),
        idempotent=True,
        conditional=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, refund_id: int) -> None:
        """Ask the buyer for an account (again): the bank has sent it back, the provider never
        answers, or the store does not give it.
        """
        caller, reason = req.context.caller, req.context.body["reason"]
        with idempotency.transaction(self.db, req, resp) as conn:
            etags.require(req, workflow.lock(conn, refund_id))
            workflow.step(conn, caller, refund_id, lambda: refunds.fail(conn, refund_id, reason))
            events.wake(conn)
            resp.media = workflow.find(conn, caller, refund_id)


class GiveUp:
    """/api/refunds/{refund_id}/give-up"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "giveUpRefund",
        "Say that nobody can be paid",
        roles=("admin",),
        body=schemas.GIVEN_UP,
        responses={200: schemas.REFUND},
        problems=("not_found", "refund_state"),
        idempotent=True,
        conditional=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, refund_id: int) -> None:
        """Give up a refund that waits for an account in vain. What was promised stays promised: it
        is a debt of the platform.
        """
        caller, words = req.context.caller, req.context.body["message"]
        with idempotency.transaction(self.db, req, resp) as conn:
            etags.require(req, workflow.lock(conn, refund_id))
            workflow.step(conn, caller, refund_id, lambda: refunds.give_up(conn, refund_id, words))
            events.wake(conn)
            resp.media = workflow.find(conn, caller, refund_id)


class OfOrder:
    """/api/orders/{order_id}/refunds"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listOrderRefunds",
        "Refunds of an order",
        query=pages.BY_CURSOR,
        responses={200: pages.listed_by_cursor("refunds", schemas.REFUND)},
        problems=("not_found", "invalid_cursor"),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, order_id: int) -> None:
        """Return what goes back of an order, newest first, to its buyer, its store and admins."""
        caller = req.context.caller
        window = paging.window_by_cursor(req, req.context.query)
        with self.db.transaction(caller) as conn:
            rows = refunds.of_order(conn, caller, order_id, Part(window.limit, window.after))
            if not rows and not order_pages.cards(conn, caller, [order_id]):
                raise order_pages.missing()
        shown = [workflow.shown(row, caller) for row in rows]
        paging.respond_rows(req, resp, "refunds", shown, window, None, keys=("id",))

    @operation(
        "refundOrder",
        "Give money of an order back",
        roles=("seller", "admin"),
        body=schemas.NEW,
        responses={201: schemas.REFUND},
        problems=(
            *("not_found", "refund_too_large", "too_many_units", "too_late", "amount_required"),
            *("amount_invalid", "order_state", "idempotency_key_required"),
        ),
        idempotent=True,
        key_required=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, order_id: int) -> None:
        """Promise pieces of lines, which have left, or a sum: a store of its own orders, an admin
        of all, and for the platform. Needs an Idempotency-Key. Pieces that have not left are
        cancelled.
        """
        caller = req.context.caller
        with idempotency.transaction(self.db, req, resp) as conn:
            made = workflow.promise(conn, caller, order_id, req.context.body)
            events.wake(conn)
            resp.media = made
            resp.location = f"/api/orders/{order_id}/refunds"
            resp.status = falcon.HTTP_201


def _is_indexed(query: dict[str, Any]) -> bool:
    return query.get("state") in INDEXED.get(query.get("way", ""), ())
