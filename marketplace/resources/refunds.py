"""Refunds: lists, the account that one goes to, and saying that it was sent."""

import falcon

from marketplace.contract import pages
from marketplace.contract.operations import operation
from marketplace.contract.pages import Part
from marketplace.postgres.database import Database
from marketplace.queries import refunds
from marketplace.schemas import refunds as schemas
from marketplace.web import etags, idempotency, paging
from marketplace.workflows import events, invoices
from marketplace.workflows import refunds as workflow


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
        if given and (caller.role != "admin" or len(given) == 1):
            raise pages.unindexed(given)
        with self.db.transaction(caller) as conn:
            if given:
                rows = refunds.by_hand(conn, query["way"], query["state"], part)
            elif caller.role == "admin":
                rows = refunds.newest(conn, part)
            else:
                rows = refunds.of_caller(conn, caller, part)
        shown = [workflow.shown(row, caller) for row in rows[: window.per_page]]
        paging.respond(
            req,
            resp,
            noun="refunds",
            items=paging.items(shown),
            window=window,
            last=paging.last_of(rows, window, ("created_at", "id")),
            total=None,
        )


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
