"""Whether the demo shop is to be loaded. Statements: sql/queries/demo.sql."""

from marketplace.postgres.pool import Conn
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("demo")


def lock(conn: Conn) -> None:
    """Be the only one to load the demo shop until the connection closes."""
    conn.execute(SQL["lock"])


def is_needed(conn: Conn) -> bool:
    """Return whether there is no user yet."""
    return bool(one(conn, SQL["is_needed"])["needed"])


def origin(conn: Conn) -> str:
    """Return which database of which server this is."""
    return str(one(conn, SQL["origin"])["origin"])
