"""Accounts that stores are paid to directly. Statements: sql/queries/pay_accounts.sql."""

from collections.abc import Mapping
from typing import Any

import orjson

from marketplace.postgres.pool import Conn
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("pay_accounts")


def find(conn: Conn, store_id: int) -> dict[str, Any] | None:
    """Return the account of the caller's store, or None."""
    row = conn.execute(SQL["find"], {"store_id": store_id}).fetchone()
    return row["account"] if row else None


def change(conn: Conn, store_id: int, account: Mapping[str, str | None] | None) -> None:
    """Set the account of the caller's store, or take it away."""
    text = None if account is None else orjson.dumps(dict(account)).decode()
    conn.execute(SQL["set"], {"store_id": store_id, "account": text})


def keep_code(conn: Conn, upload_id: str | None) -> bool:
    """Keep the image of the caller's QR code, or none; whether it is one of theirs."""
    return bool(one(conn, SQL["keep_code"], {"upload_id": upload_id})["kept"])
