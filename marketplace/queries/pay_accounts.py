"""Accounts that stores are paid to directly. Statements: sql/queries/pay_accounts.sql."""

from collections.abc import Mapping

import orjson

from marketplace.postgres.pool import Conn
from marketplace.postgres.statements import named_sql

SQL = named_sql("pay_accounts")


def change(conn: Conn, store_id: int, account: Mapping[str, str] | None) -> None:
    """Set the account of the caller's store, or take it away."""
    text = None if account is None else orjson.dumps(dict(account)).decode()
    conn.execute(SQL["set"], {"store_id": store_id, "account": text})
