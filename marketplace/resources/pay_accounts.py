"""The account that buyers pay the caller's store directly to."""

import falcon

from marketplace.contract.errors import FieldError, Problem, invalid
from marketplace.contract.operations import operation
from marketplace.postgres.database import Database
from marketplace.queries import pay_accounts, users
from marketplace.schemas import pay_accounts as schemas
from marketplace.web import client
from marketplace.workflows.products import store_of
from marketplace.workflows.sign_in import SignIn

NAMES = ("bank", "number", "holder")


class PayAccount:
    """/api/stores/mine/pay-account"""

    def __init__(self, db: Database, sign_in: SignIn) -> None:
        self.db = db
        self.sign_in = sign_in

    @operation(
        "setPayAccount",
        "Where buyers pay the caller's store directly",
        roles=("seller",),
        body=schemas.CHANGE,
        responses={200: schemas.ACCOUNT},
        problems=("store_required", "wrong_password", "too_many_requests"),
    )
    def on_put(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Set the account of `store_transfer`, or take it away with three nulls. Buyers read it in
        the instructions of a payment, and nobody else. Needs the present password: whoever changes
        it is paid.
        """
        caller, body = req.context.caller, req.context.body
        store_id = store_of(caller, None)
        account = {name: body[name] for name in NAMES}
        given = [name for name in NAMES if account[name] is not None]
        if given and len(given) < len(NAMES):
            missing = next(name for name in NAMES if account[name] is None)
            raise invalid(f"/{missing}", "required", "bank, number and holder come together")
        self._prove(req)
        with self.db.transaction(caller) as conn:
            pay_accounts.change(conn, store_id, account if given else None)
        resp.media = account

    def _prove(self, req: falcon.Request) -> None:
        """Check the present password, counted as a sign-in is."""
        caller, given = req.context.caller, req.context.body["current_password"]
        with self.db.transaction(caller) as conn:
            seen = users.find(conn, caller.user_id) or {}
        proof = self.sign_in.prove(
            seen["email"], given, client.client_ip(req), client.language(req)
        )
        if proof is None or proof.user_id != caller.user_id:
            reason = FieldError(
                "/current_password", "wrong_password", "is not the present password"
            )
            raise Problem("wrong_password", "The present password is wrong.", errors=[reason])
