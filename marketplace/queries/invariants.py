"""What must always be so in the database. Statements: sql/queries/invariants.sql."""

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql

SQL = named_sql("invariants")


def broken(conn: Conn) -> list[Row]:
    """Return name, broken (how often) and example (one place) of each invariant that does not
    hold. For the worker.
    """
    return conn.execute(SQL["broken"]).fetchall()
