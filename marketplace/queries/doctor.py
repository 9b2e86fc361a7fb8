"""What the doctor looks at. Statements: sql/queries/doctor.sql."""

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("doctor")


def login(conn: Conn) -> Row:
    """Who the connection logged in as: name, and whether almighty, owner, application, worker."""
    return one(conn, SQL["login"])


def server(conn: Conn) -> Row:
    """Version, settings that keep data safe and tell what is slow, encoding, clock (seconds
    since 1970).
    """
    return one(conn, SQL["server"])


def last_sign(conn: Conn) -> Row:
    """`seconds` since a worker was last heard of, None where none ever was."""
    return one(conn, SQL["last_sign"])


def replica(conn: Conn) -> Row:
    """Whether it is a `replica`, whether it gives `feedback`, and how many `seconds_behind` it
    is.
    """
    return one(conn, SQL["replica"])
