"""The books: balances of stores, and entries by hand. Statements: sql/queries/books.sql."""

from decimal import Decimal
from typing import Any

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("books")


def balance(conn: Conn, store_id: int) -> Row | None:
    """Return balance and updated_at of a store, or None if nothing happened yet."""
    return conn.execute(SQL["balance"], {"store_id": store_id}).fetchone()


def post(
    conn: Conn,
    kind: str,
    key: str,
    *,
    debit: str,
    credit: str,
    store_id: int | None,
    amount: Decimal,
    note: str | None,
) -> int | None:
    """Make an entry by hand, once a key; return its id, or None if the caller is no admin."""
    values = {
        "kind": kind,
        "key": key,
        "debit": debit,
        "credit": credit,
        "store_id": store_id,
        "amount": amount,
        "note": note,
    }
    posted: int | None = one(conn, SQL["post"], values)["id"]
    return posted


def find(conn: Conn, entry_id: int) -> dict[str, Any] | None:
    """Return an entry with its postings, amounts as texts; None: none, or no admin asks."""
    found: dict[str, Any] | None = one(conn, SQL["find"], {"entry_id": entry_id})["entry"]
    return found
