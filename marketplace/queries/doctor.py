"""Statements of the doctor: sql/queries/doctor.sql."""

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("doctor")


def login(conn: Conn) -> Row:
    """Return who the connection logged in as: name, and whether almighty, owner, application,
    worker.
    """
    return one(conn, SQL["login"])


def server(conn: Conn) -> Row:
    """Return version, settings that keep data safe and tell what is slow, encoding, clock (seconds
    since 1970).
    """
    return one(conn, SQL["server"])


def last_sign(conn: Conn) -> Row:
    """Return `seconds` since the last heartbeat of a worker, None if there was none."""
    return one(conn, SQL["last_sign"])


def replica(conn: Conn) -> Row:
    """Return whether it is a `replica`, whether it gives `feedback`, and how many `seconds_behind`
    it is.
    """
    return one(conn, SQL["replica"])


def notifications(conn: Conn, provider: str, most: int) -> list[bytes]:
    """Return the newest callbacks of a provider, as they came."""
    rows = conn.execute(SQL["notifications"], {"provider": provider, "most": most}).fetchall()
    return [bytes(row["body"]) for row in rows]
