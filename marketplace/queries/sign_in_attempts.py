"""Passwords as they are tried. Statements: sql/queries/sign_in_attempts.sql."""

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("sign_in_attempts")


def begin(conn: Conn, email: str, ip: str | None) -> Row:
    """Count an attempt: ticket, salt (None where nobody has the address), retry_after (seconds)."""
    return one(conn, SQL["begin"], {"email": email, "ip": ip})


def settle(conn: Conn, ticket: bytes, proof: str | None) -> Row:
    """Have a proof compared: outcome (right, wrong, unread), user_id and what follows from it.

    That is tell_owner, spraying, and retry_after (seconds). Without a proof the attempt is taken
    back, as it was not looked at.
    """
    return one(conn, SQL["settle"], {"ticket": ticket, "proof": proof})


def rehash(conn: Conn, user_id: int, old_hash: str, new_hash: str) -> None:
    """Replace a password's hash by one of higher cost, unless it has been changed meanwhile."""
    conn.execute(SQL["rehash"], {"user_id": user_id, "old_hash": old_hash, "new_hash": new_hash})
