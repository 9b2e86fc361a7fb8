"""What the doctor looks at. Statements: sql/queries/doctor.sql."""

from marketplace.db import Conn, Row, named_sql, one

SQL = named_sql("doctor")


def login(conn: Conn) -> Row:
    """Who the connection logged in as: name, and whether almighty, owner, application, worker."""
    return one(conn, SQL["login"])


def server(conn: Conn) -> Row:
    """Version, settings that keep data safe, encoding, and the server's clock (seconds since 1970)."""
    return one(conn, SQL["server"])
