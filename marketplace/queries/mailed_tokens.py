"""Tokens sent by mail. Statements: sql/queries/mailed_tokens.sql."""

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("mailed_tokens")


def issue(conn: Conn, *, email: str, kind: str, token_hash: bytes, seconds: int) -> Row | None:
    """Return user_id and email to write to; None if no mail is to be sent. For the worker."""
    values = {"email": email, "kind": kind, "token_hash": token_hash, "seconds": seconds}
    found = one(conn, SQL["issue"], values)
    return found if found["user_id"] is not None else None


def find_reset(conn: Conn, token_hash: bytes) -> Row | None:
    """Return name and email of the account whose password a token may set; None if
    it is invalid.
    """
    return conn.execute(SQL["find_reset"], {"token_hash": token_hash}).fetchone()


def reset_password(conn: Conn, token_hash: bytes, password_hash: str) -> int | None:
    """Use a token up: set the password, end all sessions. Return whose; None if it is not valid any
    more.
    """
    values = {"token_hash": token_hash, "password_hash": password_hash}
    user_id: int | None = one(conn, SQL["reset_password"], values)["user_id"]
    return user_id


def verify_email(conn: Conn, token_hash: bytes) -> int | None:
    """Use a token up: the address is verified. Return whose; None if it is not valid any more."""
    user_id: int | None = one(conn, SQL["verify_email"], {"token_hash": token_hash})["user_id"]
    return user_id
