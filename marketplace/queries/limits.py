"""Limits on how often who may call. Statements: sql/queries/limits.sql."""

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("limits")


def take(conn: Conn, key: str, *, every: float, burst: int) -> Row:
    """One use of a limit: remaining, reset_after, and retry_after (seconds, or None where it is
    taken).
    """
    return one(conn, SQL["take"], {"key": key, "every": every, "burst": burst})


def find_caller_and_take(
    conn: Conn, session_hash: bytes, *, rate_class: str, every: float, burst: int
) -> Row | None:
    """What sessions.find and take() answer, together; None where the session is not alive."""
    values = {"session_hash": session_hash, "class": rate_class, "every": every, "burst": burst}
    return conn.execute(SQL["find_caller_and_take"], values).fetchone()
