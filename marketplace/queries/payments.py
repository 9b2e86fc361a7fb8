"""Payments. Statements: sql/queries/payments.sql."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import orjson

from marketplace.contract.pages import Part
from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("payments")
#: Queue -> its statement, and the time that it is sorted by.
QUEUES = {
    "checking": ("list", "proof_at"),
    "open": ("list_open", "created_at"),
    "problem": ("list_problems", "updated_at"),
}


def of_checkouts(conn: Conn, checkout_ids: Sequence[int]) -> list[Row]:
    """Return the newest payment of each thing to pay: a checkout, or an order to its store."""
    return conn.execute(SQL["of_checkouts"], {"checkout_ids": list(checkout_ids)}).fetchall()


def find(conn: Conn, payment_id: int) -> Row | None:
    """Return a payment of the caller, to the caller's store, or an admin's any; None if not
    theirs.
    """
    return conn.execute(SQL["find"], {"payment_id": payment_id}).fetchone()


def search(conn: Conn, queue: str, store_id: int | None, part: Part) -> list[Row]:
    """Return payments of a queue (QUEUES) that the caller has to look at, the longest waiting
    first; those to one store's own account, or all.
    """
    values = {"store_id": store_id, **part.older()}
    return conn.execute(SQL[QUEUES[queue][0]], values, prepare=False).fetchall()


def send_proof(conn: Conn, payment_id: int, document: dict[str, Any]) -> str | None:
    """Show that the caller has transferred: checking or paid; None if it is not theirs.

    Raises CheckViolation (checkouts_not_payable, payments_proof_used) and ForeignKeyViolation
    (payments_proof_upload).
    """
    text = orjson.dumps(document, default=str).decode()
    values = {"payment_id": payment_id, "document": text}
    outcome: str | None = one(conn, SQL["send_proof"], values)["outcome"]
    return outcome


def confirm(conn: Conn, payment_id: int, received: Decimal, *, give_back: bool) -> str | None:
    """Say that a transfer has arrived: what became of it; None if it is not the caller's to say.

    Raises CheckViolation (payments_received_enough).
    """
    values = {"payment_id": payment_id, "received": received, "give_back": give_back}
    outcome: str | None = one(conn, SQL["confirm"], values)["outcome"]
    return outcome


def refuse(conn: Conn, payment_id: int, reason: str) -> str | None:
    """Say that a transfer has not arrived: the payment's state; None if not the caller's to say."""
    values = {"payment_id": payment_id, "reason": reason}
    outcome: str | None = one(conn, SQL["refuse"], values)["outcome"]
    return outcome


def again(conn: Conn, payment_id: int, received: Decimal, key: str) -> str | None:
    """Say that money came once more for a transfer: twice or repeated; None if it is not the
    caller's to say.

    Raises CheckViolation (checkouts_not_payable, payments_received_coin).
    """
    values = {"payment_id": payment_id, "received": received, "key": key}
    outcome: str | None = one(conn, SQL["again"], values)["outcome"]
    return outcome


def settle(conn: Conn, payment_id: int, how: str) -> str | None:
    """Close the problem of a payment: settled or repeated; None if it is not the caller's."""
    outcome: str | None = one(conn, SQL["settle"], {"payment_id": payment_id, "how": how})[
        "outcome"
    ]
    return outcome


def code(conn: Conn, payment_id: int) -> str | None:
    """Return the image of the QR code that a payment to a store goes to; None for who may not see
    it, or where none is.
    """
    found = one(conn, SQL["code"], {"payment_id": payment_id})["id"]
    return None if found is None else str(found)


def image(conn: Conn, payment_id: int) -> str | None:
    """Return the image of a proof; None for who may not see it, or where none is."""
    row = conn.execute(SQL["image"], {"payment_id": payment_id}).fetchone()
    return None if row is None else str(row["id"])
