"""Sign-in attempts. Statements: sql/queries/sign_in_attempts.sql."""

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("sign_in_attempts")


def begin(conn: Conn, email: str, ip: str | None) -> Row:
    """Count an attempt; return user_id, password_hash, guess (a key for the others here),
    retry_after in seconds or None.
    """
    return one(conn, SQL["begin"], {"email": email, "ip": ip})


def end(conn: Conn, guess: bytes, *, right_one: bool) -> None:
    """Forget all attempts, after the right password; or take one back that was not checked."""
    conn.execute(SQL["end"], {"guess": guess, "right_one": right_one})


def wrong(conn: Conn, guess: bytes, ip: str | None) -> Row:
    """Count a wrong password for its address; return tell_owner, spraying."""
    return one(conn, SQL["wrong"], {"guess": guess, "ip": ip})


def rehash(conn: Conn, user_id: int, old_hash: str, new_hash: str) -> None:
    """Replace a password's hash by one of higher cost, unless the password has changed
    meanwhile.
    """
    conn.execute(SQL["rehash"], {"user_id": user_id, "old_hash": old_hash, "new_hash": new_hash})
