"""Accounts that stores are paid to directly. Statements: sql/queries/pay_accounts.sql."""

from collections.abc import Mapping

import orjson

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql

SQL = named_sql("pay_accounts")


def change(conn: Conn, store_id: int, account: Mapping[str, str] | None) -> Row | None:
    """Set the account of the caller's store, or take it away; None if it is not the caller's."""
    text = None if account is None else orjson.dumps(dict(account)).decode()
    return conn.execute(SQL["set"], {"store_id": store_id, "account": text}).fetchone()
