"""Transfers: shown by a proof, confirmed and refused by who has the account."""

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from marketplace.config.settings import Config
from marketplace.contract.errors import Problem
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import payments
from marketplace.workflows import payment_methods


def send_proof(conn: Conn, payment_id: int, body: Mapping[str, Any]) -> None:
    """Show that the caller has transferred."""
    named = {name: value for name, value in body.items() if value is not None}
    if payments.send_proof(conn, payment_id, named) is None:
        raise not_found()


def confirm(conn: Conn, payment_id: int, body: Mapping[str, Any]) -> str:
    """Say that a transfer has arrived; what became of it."""
    outcome = payments.confirm(conn, payment_id, body["received"], give_back=body["give_back"])
    if outcome is None:
        raise not_found()
    return outcome


def refuse(conn: Conn, payment_id: int, body: Mapping[str, Any]) -> None:
    """Say that a transfer has not arrived."""
    words = ": ".join(filter(None, (body["reason"], body.get("message"))))
    if payments.refuse(conn, payment_id, words) is None:
        raise not_found()


def again(conn: Conn, user_id: int, payment_id: int, received: Decimal, key: str) -> None:
    """Say that money came once more: it is promised back, once a key of this user."""
    kept = hashlib.sha256(f"{user_id} {key}".encode()).hexdigest()[:40]
    if payments.again(conn, payment_id, received, kept) is None:
        raise not_found()


def settle(conn: Conn, payment_id: int, how: str) -> None:
    """Close the problem of a payment: what came wrong goes home, or somebody has seen it."""
    if payments.settle(conn, payment_id, how) is None:
        raise not_found()


def waiting(config: Config, row: Row, language: str) -> dict[str, Any]:
    """Return a payment as a list of what has to be looked at shows it."""
    names = ("checkout_id", "proof_at", "received", "reversed", "settled", "created_at")
    shown = {name: row[name] for name in (*names, "updated_at")}
    return {**payment_methods.shown(config, row, language), **shown}


def find(conn: Conn, config: Config, payment_id: int, language: str) -> dict[str, Any]:
    """Return a payment as apps meet it; 404 if it is none of the caller's business."""
    payment = payments.find(conn, payment_id)
    if payment is None:
        raise not_found()
    return payment_methods.shown(config, payment, language)


def not_found() -> Problem:
    """Return the refusal of a payment that is not the caller's."""
    return Problem("not_found", "There is no such payment.")
