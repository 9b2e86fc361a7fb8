"""Rate limits. Statements: sql/queries/limits.sql."""

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("limits")


def take(conn: Conn, key: str, *, every: float, burst: int) -> Row:
    """Take one use of a limit; return remaining, reset_after, and retry_after (seconds, or None if
    it was granted).
    """
    return one(conn, SQL["take"], {"key": key, "every": every, "burst": burst})


def find_caller_and_take(
    conn: Conn, session_hash: bytes, *, rate_class: str, every: float, burst: int
) -> Row | None:
    """Return what sessions.find and take() return, together; None if the session is not alive."""
    values = {"session_hash": session_hash, "class": rate_class, "every": every, "burst": burst}
    return conn.execute(SQL["find_caller_and_take"], values).fetchone()
