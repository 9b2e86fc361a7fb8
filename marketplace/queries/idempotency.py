"""Responses kept under the keys of their requests. Statements: sql/queries/idempotency.sql."""

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("idempotency")
#: Responses kept for one user: twice what a limit lets through at once, and no more than a few
#: dozen megabytes.
MOST = 5000


def take(conn: Conn, user_id: int, key: str) -> Row:
    """Take a key until the end of the transaction: `taken` is false while a duplicate has it.

    Returned with the stored response: fingerprint, status, location, version, body; all None if
    there is none.
    """
    values = {"user_id": user_id, "key": key}
    # Two statements: the second must see what a duplicate committed before the lock was ours.
    with conn.pipeline():
        lock = conn.execute(SQL["take"], values)
        found = conn.execute(SQL["find"], values)
    return {**(lock.fetchone() or {}), **(found.fetchone() or {"fingerprint": None})}


def keep(
    conn: Conn,
    user_id: int,
    key: str,
    *,
    fingerprint: bytes,
    status: int,
    location: str | None,
    version: str | None,
    body: bytes,
) -> None:
    """Store a response under its key, in the place of one that has expired. Of a user's the newest
    stay.
    """
    values = {
        "user_id": user_id,
        "key": key,
        "fingerprint": fingerprint,
        "status": status,
        "location": location,
        "version": version,
        "body": body,
    }
    with conn.pipeline():
        conn.execute(SQL["keep"], values)
        conn.execute(SQL["trim"], {"user_id": user_id, "most": MOST})


def sweep(conn: Conn, *, most: int) -> int:
    """Remove responses that have expired, at most so many; return how many."""
    return int(one(conn, SQL["sweep"], {"most": most})["swept"])
