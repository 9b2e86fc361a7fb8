"""Payments by transfer: the proof, and what who has the account says of it."""

import falcon

from marketplace.contract import pages
from marketplace.contract.operations import operation
from marketplace.contract.pages import Part
from marketplace.postgres.database import Database
from marketplace.queries import payments
from marketplace.schemas import payments as schemas
from marketplace.web import client, idempotency, paging, signed_files
from marketplace.workflows import events
from marketplace.workflows import transfers as workflow

SELLERS = ("seller", "admin")


class Payments:
    """/api/payments"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listPayments",
        "Payments that somebody has to look at",
        roles=SELLERS,
        query={**schemas.FILTERS, **pages.BY_CURSOR},
        responses={200: pages.listed_by_cursor("payments", schemas.LISTED)},
        problems=("invalid_cursor", "filter_not_offered", "not_found"),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return transfers with a proof, what is open, or money that came wrong, the longest
        waiting first: to an admin all, to a seller those to the store's own account.
        """
        caller, query, config = req.context.caller, req.context.query, req.context.config
        given = [name for name in ("state", "problem") if name in query]
        if given == ["state", "problem"] or query.get("problem") is False:
            raise pages.unindexed(given)
        store_id = query.get("store_id")
        if caller.role != "admin" and store_id not in (None, caller.store_id):
            raise workflow.not_found()
        queue = "problem" if "problem" in query else query.get("state", "checking")
        window = paging.window_by_cursor(req, query)
        part = Part(window.limit, window.after)
        with self.db.transaction(caller) as conn:
            rows = payments.search(conn, queue, store_id, part)
        shown = [workflow.waiting(config, row, client.language(req)) for row in rows]
        keys = (payments.QUEUES[queue][1], "id")
        paging.respond_rows(req, resp, "payments", shown, window, None, keys=keys)


class Payment:
    """/api/payments/{payment_id}"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getPayment",
        "One payment",
        responses={200: schemas.PAYMENT},
        problems=("not_found",),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, payment_id: int) -> None:
        """Return a payment, for its buyer, admins and the store that it goes to."""
        with self.db.transaction(req.context.caller) as conn:
            found = workflow.find(conn, req.context.config, payment_id, client.language(req))
        resp.media = found
        resp.context.version = found["version"]


class Proof:
    """/api/payments/{payment_id}/proof"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getPaymentProof",
        "The image of a transfer's proof",
        responses={302: None},
        problems=("not_found",),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, payment_id: int) -> None:
        """Redirect to the image, at an address that is good for ten minutes: for the buyer, admins
        and the store that was paid.
        """
        with self.db.transaction(req.context.caller) as conn:
            image = payments.image(conn, payment_id)
        signed_files.redirect(req, resp, image)

    @operation(
        "sendPaymentProof",
        "Show that a transfer was made",
        body=schemas.PROOF,
        responses={200: schemas.PAYMENT},
        problems=("not_found", "not_payable", "payment_open", "upload_used"),
        idempotent=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, payment_id: int) -> None:
        """Name the image of a proof: somebody looks at it, and the pieces that are still held stay
        so for three days.
        """
        with idempotency.transaction(self.db, req, resp) as conn:
            workflow.send_proof(conn, payment_id, req.context.body)
            events.wake(conn)
            resp.media = workflow.find(conn, req.context.config, payment_id, client.language(req))


class Confirmation:
    """/api/payments/{payment_id}/confirm"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "confirmPayment",
        "Say that a transfer has arrived",
        roles=SELLERS,
        body=schemas.CONFIRMATION,
        responses={200: schemas.PAYMENT},
        problems=("not_found", "amount_too_small", "amount_invalid", "idempotency_key_required"),
        idempotent=True,
        key_required=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, payment_id: int) -> None:
        """Take what arrived: the stores may send. For admins; for the seller where it went to the
        store's own account. Money that came too late or twice is promised back by itself.
        """
        with idempotency.transaction(self.db, req, resp) as conn:
            workflow.confirm(conn, payment_id, req.context.body)
            events.wake(conn)
            resp.media = workflow.find(conn, req.context.config, payment_id, client.language(req))


class Refusal:
    """/api/payments/{payment_id}/refuse"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "refusePayment",
        "Say that a transfer has not arrived",
        roles=SELLERS,
        body=schemas.REFUSAL,
        responses={200: schemas.PAYMENT},
        problems=("not_found",),
        idempotent=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, payment_id: int) -> None:
        """Open the payment again; its buyer has two hours at least. Sent again it changes
        nothing.
        """
        with idempotency.transaction(self.db, req, resp) as conn:
            workflow.refuse(conn, payment_id, req.context.body)
            events.wake(conn)
            resp.media = workflow.find(conn, req.context.config, payment_id, client.language(req))


class Again:
    """/api/payments/{payment_id}/again"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "receivePaymentAgain",
        "Say that a transfer came once more",
        roles=SELLERS,
        body=schemas.AGAIN,
        responses={200: schemas.PAYMENT},
        problems=("not_found", "not_payable", "amount_invalid", "idempotency_key_required"),
        idempotent=True,
        key_required=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, payment_id: int) -> None:
        """Take money that came once more for a transfer that is paid: all of it is promised back.
        For who may confirm it. Needs an Idempotency-Key.
        """
        caller, key = req.context.caller, req.context.idempotency_key
        received = req.context.body["received"]
        with idempotency.transaction(self.db, req, resp) as conn:
            workflow.again(conn, caller.user_id, payment_id, received, key)
            events.wake(conn)
            resp.media = workflow.find(conn, req.context.config, payment_id, client.language(req))


class Settlement:
    """/api/payments/{payment_id}/settle"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "settlePayment",
        "Close the problem of a payment",
        roles=SELLERS,
        body=schemas.SETTLEMENT,
        responses={200: schemas.PAYMENT},
        problems=("not_found",),
        idempotent=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, payment_id: int) -> None:
        """Send back what came wrong, or note that somebody has seen it; for who may confirm it. A
        wrong amount that was only noted can still be sent back.
        """
        with idempotency.transaction(self.db, req, resp) as conn:
            workflow.settle(conn, payment_id, req.context.body["how"])
            events.wake(conn)
            resp.media = workflow.find(conn, req.context.config, payment_id, client.language(req))
