"""Callbacks of payment providers: verified, kept, answered at once. Nobody is asked here."""

import falcon

from marketplace.contract.errors import Problem
from marketplace.contract.operations import PUBLIC, operation
from marketplace.integrations.payments import Forged
from marketplace.integrations.payments.providers import Providers
from marketplace.integrations.payments.wire import LARGEST
from marketplace.postgres.database import Database
from marketplace.schemas import payments as schemas
from marketplace.web import bodies
from marketplace.workflows import payment_sessions

PROBLEMS = ("forged", "not_found")


class _Events:
    """What both have in common; `provider` is the name in payments.method."""

    provider: str

    def __init__(self, db: Database, providers: Providers) -> None:
        self.db = db
        self.adapter = providers.get(self.provider)

    def _take(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Keep a callback that is signed; a job asks the provider what is true."""
        if self.adapter is None:
            raise Problem("not_found", "This provider is not in use here.")
        headers = {name.lower(): value for name, value in req.headers.items()}
        try:
            body = bodies.read(req, LARGEST)
            callback = self.adapter.callback(headers, body)
        except Forged:
            raise Problem("forged", "It is not signed by the provider.") from None
        except Problem as problem:
            if problem.code != "payload_too_large":
                raise
            raise Problem("forged", "No callback is as large.") from None
        with self.db.signing_in(req.context.request_id) as conn:
            payment_sessions.take_callback(conn, self.provider, callback, body)
        resp.media = {}


class MidtransEvents(_Events):
    """/api/payments/midtrans/events"""

    provider = "midtrans"

    @operation(
        "takeMidtransEvent",
        "What Midtrans tells",
        roles=PUBLIC,
        media=("application/json",),
        responses={200: schemas.TAKEN},
        problems=PROBLEMS,
        rate="callback",
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Keep a notification of Midtrans, whose address this is in its settings. It is not
        believed: Midtrans is asked about the payment. Sent again it changes nothing.
        """
        self._take(req, resp)


class PretendEvents(_Events):
    """/api/payments/pretend/events"""

    provider = "pretend"

    @operation(
        "takePretendEvent",
        "What the pretend provider tells",
        roles=PUBLIC,
        media=("application/json",),
        responses={200: schemas.TAKEN},
        problems=PROBLEMS,
        rate="callback",
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Keep a callback of the pretend provider; 404 where it is not in use, as in production."""
        self._take(req, resp)
