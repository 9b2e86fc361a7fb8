"""The books: what the platform owes a store, and what an admin enters by hand."""

from decimal import Decimal
from typing import Any

import falcon

from marketplace.contract.errors import Problem, invalid
from marketplace.contract.operations import operation
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn
from marketplace.queries import books, stores
from marketplace.schemas import books as schemas
from marketplace.web import idempotency
from marketplace.workflows import books as workflow
from marketplace.workflows.products import store_of

ADMINS = ("admin",)
#: The accounts of cash that a courier hands in.
HANDED_IN = {"debit": "bank", "credit": "cod_receivable"}


class Balance:
    """/api/stores/mine/balance"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getStoreBalance",
        "What the platform owes a store",
        roles=("seller", "admin"),
        query=schemas.STORE_QUERY,
        responses={200: schemas.BALANCE},
        problems=("store_required", "not_found"),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the balance of the caller's store; below 0 the store owes, and the accounts to pay
        to are named.
        """
        caller = req.context.caller
        store_id = store_of(caller, req.context.query.get("store_id"))
        with self.db.transaction(caller) as conn:
            resp.media = _balance(req, conn, store_id)


class TopUps:
    """/api/stores/{store_id}/top-ups"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "addTopUp",
        "Enter what a store paid in",
        roles=ADMINS,
        body=schemas.TOP_UP,
        responses={201: schemas.BALANCE},
        problems=("not_found", "amount_invalid", "amount_too_large", "idempotency_key_required"),
        idempotent=True,
        key_required=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, store_id: int) -> None:
        """Enter money that an admin has seen at the bank. Needs an Idempotency-Key, which is the
        source of the entry: it is made once.
        """
        key, body = req.context.idempotency_key, req.context.body
        note = ": ".join(filter(None, (body["reference"], body.get("note"))))
        with idempotency.transaction(self.db, req, resp) as conn:
            if stores.find(conn, store_id) is None:
                raise Problem("not_found", "There is no such store.")
            workflow.post(
                conn,
                "top_up",
                key,
                debit="bank",
                credit="payable",
                store_id=store_id,
                amount=_amount(req),
                note=note,
            )
            resp.media = _balance(req, conn, store_id)
            resp.status = falcon.HTTP_201


class Entries:
    """/api/ledger/entries"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "addLedgerEntry",
        "Make an entry in the books",
        roles=ADMINS,
        body=schemas.ENTRY,
        responses={201: schemas.POSTED},
        problems=("amount_invalid", "amount_too_large", "idempotency_key_required"),
        idempotent=True,
        key_required=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Enter cash that a courier handed in, or an adjustment between four accounts, with a note.
        Needs an Idempotency-Key: it is made once.
        """
        key, body = req.context.idempotency_key, req.context.body
        sides = HANDED_IN if body["kind"] == "cod_handed_in" else {}
        for side in ("debit", "credit"):
            if body.get(side) is None and side not in sides:
                raise invalid(f"/{side}", "required", "is required")
        with idempotency.transaction(self.db, req, resp) as conn:
            posted = workflow.post(
                conn,
                body["kind"],
                key,
                debit=body.get("debit") or sides["debit"],
                credit=body.get("credit") or sides["credit"],
                store_id=body.get("store_id"),
                amount=_amount(req),
                note=body.get("note"),
            )
            resp.media = {"id": posted}
            resp.location = f"/api/ledger/entries/{posted}"
            resp.status = falcon.HTTP_201


class Entry:
    """/api/ledger/entries/{entry_id}"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getLedgerEntry",
        "An entry of the books",
        roles=ADMINS,
        responses={200: schemas.BOOKED},
        problems=("not_found",),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, entry_id: int) -> None:
        """Return an entry with its postings, whoever or whatever made it."""
        with self.db.transaction(req.context.caller) as conn:
            entry = books.find(conn, entry_id)
        if entry is None:
            raise Problem("not_found", "There is no such entry.")
        resp.media = entry


def _balance(req: falcon.Request, conn: Conn, store_id: int) -> dict[str, Any]:
    config = req.context.config
    row = books.balance(conn, store_id) or {"balance": Decimal("0.00"), "updated_at": None}
    accounts = [dict(account) for account in config.transfer_accounts]
    return {
        "store_id": store_id,
        "balance": row["balance"],
        "currency": config.currency,
        "updated_at": row["updated_at"],
        "top_up_accounts": accounts if row["balance"] < 0 else [],
    }


def _amount(req: falcon.Request) -> Decimal:
    amount: Decimal = req.context.body["amount"]
    if amount <= 0:
        raise invalid("/amount", "too_small", "must be more than 0")
    workflow.require_coins(amount, req.context.config.currency)
    return amount
