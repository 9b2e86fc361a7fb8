"""Invoices, credit notes and packing slips. Statements: sql/queries/invoices.sql."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.types.json import Jsonb

from marketplace.postgres.callers import Caller
from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("invoices")


def due(conn: Conn, had: list[int], most: int) -> list[Row]:
    """Return what is to be issued, the oldest first: the order's id and refund_id (0: the invoice),
    without the orders that were had.
    """
    return conn.execute(SQL["due"], {"had": had, "most": most}).fetchall()


def take(conn: Conn, order_id: int, refund_id: int, zone: str) -> Row | None:
    """Take one of them for this transaction: day and year in the zone of the shop, due_at; None: it
    is issued, or its invoice comes first.
    """
    values = {"order_id": order_id, "refund_id": refund_id, "zone": zone}
    return conn.execute(SQL["take"], values).fetchone()


def facts(conn: Conn, order_id: int) -> Row:
    """Return what the invoice of a completed order is made of."""
    return one(conn, SQL["facts"], {"order_id": order_id})


def refund_facts(conn: Conn, refund_id: int) -> Row:
    """Return what the credit note of a refund is made of; `document` is that of the invoice."""
    return one(conn, SQL["refund_facts"], {"refund_id": refund_id})


def count(conn: Conn, store_id: int, year: int, kind: str) -> int:
    """Return the next number of a store, a year and a kind."""
    values = {"store_id": store_id, "year": year, "kind": kind}
    number: int = one(conn, SQL["count"], values)["last"]
    return number


def add(conn: Conn, values: Mapping[str, Any], document: Mapping[str, Any]) -> None:
    """Keep a document: store_id, year, kind, number, buyer_id, order_id, refund_id (0: none)."""
    conn.execute(SQL["add"], {**values, "document": Jsonb(dict(document))})


def of_order(conn: Conn, caller: Caller, order_id: int) -> list[Row]:
    """Return kind and document of an order's invoice and credit notes, for its parties."""
    whose = {"everything": caller.role == "admin", "user_id": caller.user_id}
    values = {"order_id": order_id, "store_id": caller.store_id, **whose}
    return conn.execute(SQL["of_order"], values).fetchall()


def slips(conn: Conn, caller: Caller, order_ids: Sequence[int]) -> list[Row]:
    """Return what is packed of these orders and where it goes; those of the caller's store that it
    may still read.
    """
    values = {
        "ids": list(order_ids),
        "everything": caller.role == "admin",
        "store_id": caller.store_id,
    }
    return conn.execute(SQL["slips"], values).fetchall()
