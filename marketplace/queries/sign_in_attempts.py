"""Sign-in attempts. Statements: sql/queries/sign_in_attempts.sql."""

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("sign_in_attempts")


def begin(conn: Conn, email: str, ip: str | None) -> Row:
    """Count an attempt; return ticket, salt (None if nobody has the address), retry_after
    (seconds).
    """
    return one(conn, SQL["begin"], {"email": email, "ip": ip})


def settle(conn: Conn, ticket: bytes, proof: str | None) -> Row:
    """Compare a proof; return outcome (right, wrong, unread), user_id and the consequences.

    These are tell_owner, spraying, and retry_after (seconds). Without a proof the attempt is taken
    back, as it was not checked.
    """
    return one(conn, SQL["settle"], {"ticket": ticket, "proof": proof})


def rehash(conn: Conn, user_id: int, old_hash: str, new_hash: str) -> None:
    """Replace a password's hash by one of higher cost, unless it has been changed meanwhile."""
    conn.execute(SQL["rehash"], {"user_id": user_id, "old_hash": old_hash, "new_hash": new_hash})
