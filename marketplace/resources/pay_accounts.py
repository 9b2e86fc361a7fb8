"""The account that buyers pay the caller's store directly to, and its QR code."""

from collections.abc import Mapping
from typing import Any

import falcon

from marketplace.contract.errors import invalid
from marketplace.contract.operations import operation
from marketplace.postgres.database import Database
from marketplace.queries import pay_accounts, payments, users
from marketplace.schemas import pay_accounts as schemas
from marketplace.web import client, signed_files
from marketplace.workflows.products import store_of
from marketplace.workflows.sign_in import SignIn

NAMES = ("bank", "number", "holder")


class PayAccount:
    """/api/stores/mine/pay-account"""

    def __init__(self, db: Database, sign_in: SignIn) -> None:
        self.db = db
        self.sign_in = sign_in

    @operation(
        "getPayAccount",
        "Where buyers pay the caller's store directly",
        roles=("seller",),
        responses={200: schemas.ACCOUNT},
        problems=("store_required",),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the account of `store_transfer`, with nulls where there is none."""
        store_id = store_of(req.context.caller, None)
        with self.db.transaction(req.context.caller) as conn:
            account = pay_accounts.find(conn, store_id)
        resp.media = _shown(req, account or {})

    @operation(
        "setPayAccount",
        "Set where buyers pay the caller's store directly",
        roles=("seller",),
        body=schemas.CHANGE,
        responses={200: schemas.ACCOUNT},
        problems=("store_required", "wrong_password", "too_many_requests"),
    )
    def on_put(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Set the account of `store_transfer`, its QR code or both, or take them away with nulls.
        Buyers read it in the instructions of a payment, and nobody else. Needs the present
        password: whoever changes it is paid.
        """
        caller, body = req.context.caller, req.context.body
        store_id = store_of(caller, None)
        account = {name: body[name] for name in (*NAMES, "qris_upload")}
        missing = [name for name in NAMES if account[name] is None]
        if 0 < len(missing) < len(NAMES):
            raise invalid(f"/{missing[0]}", "required", "bank, number and holder come together")
        self._prove(req)
        with self.db.transaction(caller) as conn:
            pay_accounts.change(conn, store_id, account if any(account.values()) else None)
            if not pay_accounts.keep_code(conn, body["qris_upload"]):
                raise invalid("/qris_upload", "invalid", "there is no such upload of yours")
        resp.media = _shown(req, account)

    def _prove(self, req: falcon.Request) -> None:
        """Check the present password, counted as a sign-in is."""
        caller, given = req.context.caller, req.context.body["current_password"]
        with self.db.transaction(caller) as conn:
            seen = users.find(conn, caller.user_id) or {}
        self.sign_in.prove_present(seen, given, client.client_ip(req), client.language(req))


class Code:
    """/api/payments/{payment_id}/qris"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getPaymentCode",
        "The QR code that a payment to a store goes to",
        responses={302: None},
        problems=("not_found",),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, payment_id: int) -> None:
        """Redirect to the image, at an address that is good for ten minutes: for the buyer while
        the payment waits, the store and admins. `instructions.qris` says whether there is one.
        """
        with self.db.transaction(req.context.caller) as conn:
            image = payments.code(conn, payment_id)
        signed_files.redirect(req, resp, image)


def _shown(req: falcon.Request, account: Mapping[str, Any]) -> dict[str, Any]:
    code = account.get("qris_upload")
    return {
        **{name: account.get(name) for name in NAMES},
        "qris_upload": code,
        "qris_url": signed_files.address(req, code, "large") if code else None,
    }
