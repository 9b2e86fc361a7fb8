"""Private images that a later call names. Statements: sql/queries/uploads.sql."""

from collections.abc import Sequence
from uuid import UUID

from marketplace.postgres.pool import Conn
from marketplace.postgres.statements import named_sql

SQL = named_sql("uploads")


def add(conn: Conn, upload_id: UUID, *, user_id: int, purpose: str, key: str, size: int) -> None:
    """Note an image whose file is stored."""
    values = {
        "upload_id": upload_id,
        "user_id": user_id,
        "purpose": purpose,
        "key": key,
        "bytes": size,
    }
    conn.execute(SQL["add"], values)


def wait(conn: Conn, user_id: int, *, most: int) -> int | None:
    """Return the seconds until a user has fewer than so many images that nothing names, a day old
    at most; None: there are fewer.
    """
    row = conn.execute(SQL["wait"], {"user_id": user_id, "most": most}).fetchone()
    return None if row is None else int(row["seconds"])


def sweep(conn: Conn, *, most: int) -> list[str]:
    """Forget images that nobody has named for a day, some at a time; the keys of their files. For
    the worker.
    """
    return [row["key"] for row in conn.execute(SQL["sweep"], {"most": most})]


def sweep_spent(conn: Conn, *, days: int, most: int) -> list[str]:
    """Forget images that a proof or a return named, so many days after its order ended, some at a
    time; the keys of their files. For the worker.
    """
    values = {"days": days, "most": most}
    return [row["key"] for row in conn.execute(SQL["sweep_spent"], values)]


def kept(conn: Conn, keys: Sequence[str]) -> set[str]:
    """Return which of these files a row names. For the worker."""
    return {row["key"] for row in conn.execute(SQL["kept"], {"keys": list(keys)})}
