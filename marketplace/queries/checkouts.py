"""Checkouts. Statements: sql/queries/checkouts.sql."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import orjson
import psycopg

from marketplace.contract.pages import Part
from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("checkouts")
STATES = ("unpaid", "settled", "cancelled")
#: What a row of a checkout and its orders says of the checkout.
COLUMNS = (
    *("id", "number", "state", "method", "channel", "currency", "total", "units"),
    *("placed_at", "pay_by", "version"),
)


def deliveries(
    conn: Conn, parcels: Sequence[tuple[int, int, Decimal]], *, country: str, area: str | None
) -> psycopg.Cursor[Row]:
    """Return where rows will be, once a pipeline has ended: the ways to send parcels (store, grams,
    price of the things) to a place, with their price.
    """
    values = {
        "store_ids": [store_id for store_id, _, _ in parcels],
        "grams": [grams for _, grams, _ in parcels],
        "items": [items for _, _, items in parcels],
    }
    return conn.execute(SQL["deliveries"], {**values, "country": country, "area": area})


def vouchers(conn: Conn, codes: Sequence[str], store_ids: Sequence[int]) -> psycopg.Cursor[Row]:
    """Return where rows will be, once a pipeline has ended: vouchers that a checkout of these
    stores may show or use, those of the codes first.
    """
    return conn.execute(SQL["vouchers"], {"codes": list(codes), "store_ids": list(store_ids)})


def refused_parcels(conn: Conn, user_id: int) -> psycopg.Cursor[Row]:
    """Return where a row will be, once a pipeline has ended: the `parcels` with cash on delivery
    that a buyer has refused in 180 days.
    """
    return conn.execute(SQL["refused_parcels"], {"user_id": user_id})


def place(conn: Conn, document: dict[str, Any]) -> int:
    """Place what a document says, in the caller's name; the id of the checkout.

    Raises CheckViolation for what does not follow from the tables; inventory_quantity_check has in
    its DETAIL what is short.
    """
    text = orjson.dumps(document, default=str).decode()
    return int(one(conn, SQL["place"], {"document": text})["checkout_id"])


def find(conn: Conn, checkout_id: int, *, user_id: int, everything: bool) -> list[Row]:
    """Return a checkout of a buyer, with `everything` anybody's, and its orders: a row an order,
    none if it is not theirs.
    """
    values = {"checkout_id": checkout_id, "user_id": user_id, "everything": everything}
    return conn.execute(SQL["find"], values).fetchall()


def search(conn: Conn, user_id: int, state: str | None, part: Part) -> list[Row]:
    """Return checkouts of a buyer, the newest first; of a state, or all."""
    values = {"user_id": user_id, "state": state, **part.newer()}
    return conn.execute(SQL["list"], values, prepare=False).fetchall()


def of_everybody(conn: Conn, state: str | None, part: Part) -> list[Row]:
    """Return everybody's checkouts, the newest first; of a state, or all. For admins."""
    values = {"states": list(STATES) if state is None else [state], **part.newer()}
    return conn.execute(SQL["of_everybody"], values).fetchall()


def by_number(conn: Conn, number: str, *, user_id: int, everything: bool) -> list[Row]:
    """Return the checkout of this number, if it is this buyer's; with `everything`, anybody's."""
    values = {"number": number, "user_id": user_id, "everything": everything}
    return conn.execute(SQL["by_number"], values).fetchall()


def orders(conn: Conn, checkout_ids: Sequence[int]) -> list[Row]:
    """Return the orders of checkouts, each with its store and first line."""
    return conn.execute(SQL["orders"], {"checkout_ids": list(checkout_ids)}).fetchall()


def lock(conn: Conn, checkout_id: int) -> int | None:
    """Return the version of a checkout, which nobody else changes until this transaction ends; None
    if it is not the caller's.
    """
    version: int | None = one(conn, SQL["lock"], {"checkout_id": checkout_id})["version"]
    return version


def cancel(conn: Conn, checkout_id: int, reason: str | None) -> str | None:
    """Cancel what is unpaid of a checkout: cancelled, already, settled, checking, not_due; None if
    it is not the caller's.
    """
    values = {"checkout_id": checkout_id, "reason": reason}
    outcome: str | None = one(conn, SQL["cancel"], values)["outcome"]
    return outcome


def change_payment(
    conn: Conn,
    checkout_id: int,
    *,
    method: str,
    channel: str | None,
    return_url: str | None,
    minutes: int,
) -> int | None:
    """Open another way to pay; the id of the payment, None if the checkout is not the caller's.

    Raises CheckViolation (checkouts_not_payable).
    """
    values = {
        "checkout_id": checkout_id,
        "method": method,
        "channel": channel,
        "return_url": return_url,
        "minutes": minutes,
    }
    payment_id: int | None = one(conn, SQL["change_payment"], values)["payment_id"]
    return payment_id


def due(conn: Conn, had: list[int], most: int) -> list[Row]:
    """Return unpaid checkouts that are past their time, the oldest first, and whether a session
    waits at a provider; not those that were had. For the worker.
    """
    return conn.execute(SQL["due"], {"had": had, "most": most}).fetchall()
