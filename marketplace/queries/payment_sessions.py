"""Sessions at payment providers, and callbacks. Statements: sql/queries/payment_sessions.sql."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
import psycopg

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("payment_sessions")


def find(conn: Conn, payment_id: int) -> Row | None:
    """Return what a job needs of a payment. For the worker, as all here but two."""
    return conn.execute(SQL["find"], {"payment_id": payment_id}).fetchone()


def named(conn: Conn, method: str, our_reference: str) -> int | None:
    """Return the id of the payment that a provider knows by our reference; None: there is none."""
    values = {"method": method, "our_reference": our_reference}
    row = conn.execute(SQL["named"], values).fetchone()
    return int(row["id"]) if row else None


def lines(conn: Conn, checkout_id: int) -> list[Row]:
    """Return what is paid for: name, quantity and amount; the amounts sum to the total."""
    return conn.execute(SQL["lines"], {"checkout_id": checkout_id}).fetchall()


def opened(
    conn: Conn,
    payment_id: int,
    *,
    reference: str | None = None,
    instructions: dict[str, Any] | None = None,
    until: datetime | None = None,
    refused: str | None = None,
) -> str | None:
    """Write what the provider answered to an opening; the payment's state."""
    values = {
        "payment_id": payment_id,
        "reference": reference,
        "instructions": orjson.dumps(instructions).decode() if instructions else None,
        "until": until,
        "refused": refused,
    }
    state: str | None = one(conn, SQL["opened"], values)["state"]
    return state


def reopen(conn: Conn, payment_id: int) -> int | None:
    """Begin a payment anew whose session was opened unseen; its id, None: it does not wait."""
    new_id: int | None = one(conn, SQL["reopen"], {"payment_id": payment_id})["payment_id"]
    return new_id


def apply(
    conn: Conn, payment_id: int, told: str, amount: Decimal, currency: str, fee: Decimal | None
) -> str:
    """Apply what is true of a payment; what became of it.

    Raises CheckViolation (payments_received_enough) for one that is paid with nothing.
    """
    values = {
        "payment_id": payment_id,
        "told": told,
        "amount": amount,
        "currency": currency,
        "fee": fee,
    }
    return str(one(conn, SQL["apply"], values)["outcome"])


def closed_now(conn: Conn, checkout_id: int) -> list[Row]:
    """Return sessions that this transaction has closed: id, our_reference. Also for the API."""
    return conn.execute(SQL["closed_now"], {"checkout_id": checkout_id}).fetchall()


def waiting(conn: Conn, checkout_id: int) -> list[Row]:
    """Return payments of a checkout that wait at a provider. Also for the API."""
    return conn.execute(SQL["waiting"], {"checkout_id": checkout_id}).fetchall()


def claim(conn: Conn, most: int) -> list[Row]:
    """Take payments whose provider is to be asked, for two minutes: id, our_reference."""
    return conn.execute(SQL["claim"], {"most": most}).fetchall()


def put_off(conn: Conn, checkout_id: int) -> datetime | None:
    """Give a checkout ten minutes more, since its provider is silent; None: no more."""
    until: datetime | None = one(conn, SQL["put_off"], {"checkout_id": checkout_id})["until"]
    return until


def returned(conn: Conn, payment_id: int, refund_ids: Sequence[int]) -> list[Row]:
    """Return refunds of a payment that are being sent, of those named: id, amount."""
    values = {"payment_id": payment_id, "refund_ids": list(refund_ids)}
    return conn.execute(SQL["returned"], values).fetchall()


def take_callback(conn: Conn, provider: str, *, key: str, subject: str, body: bytes) -> int | None:
    """Keep a callback that was found true; its id, None: it was applied. For the API."""
    values = {"provider": provider, "key": key, "subject": subject, "body": body}
    callback_id: int | None = one(conn, SQL["take_callback"], values)["id"]
    return callback_id


def callback(conn: Conn, callback_id: int) -> Row | None:
    """Return provider and subject of a callback; None: it is there no more."""
    return conn.execute(SQL["callback"], {"callback_id": callback_id}).fetchone()


def callbacks_about(conn: Conn, provider: str, subject: str) -> list[int]:
    """Return the ids of callbacks about a payment that were not applied."""
    values = {"provider": provider, "subject": subject}
    return [row["id"] for row in conn.execute(SQL["callbacks_about"], values)]


def callbacks_left(conn: Conn, most: int) -> list[Row]:
    """Return callbacks that nobody has applied for two minutes: id, subject."""
    return conn.execute(SQL["callbacks_left"], {"most": most}).fetchall()


def callback_applied(conn: Conn, callback_id: int, outcome: str) -> None:
    """Say what became of a callback."""
    conn.execute(SQL["callback_applied"], {"callback_id": callback_id, "outcome": outcome})


def silent(conn: Conn) -> psycopg.Cursor[Row]:
    """Return where rows will be, once a pipeline has ended: each `provider` that is not asked at
    the moment. Also for the API.
    """
    return conn.execute(SQL["silent"])


def say_silent(conn: Conn, provider: str, seconds: float) -> None:
    """Say for how long a provider is not asked; 0: it answers again."""
    conn.execute(SQL["say_silent"], {"provider": provider, "seconds": seconds})
