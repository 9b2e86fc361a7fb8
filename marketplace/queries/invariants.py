"""What must always be so in the database. Statements: sql/queries/invariants.sql."""

from collections.abc import Sequence

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql

SQL = named_sql("invariants")


def broken(conn: Conn) -> list[Row]:
    """Return name, broken (how often) and example (one place) of each invariant that does not
    hold. For the worker.
    """
    return conn.execute(SQL["broken"]).fetchall()


def keep(conn: Conn, broken: Sequence[Row]) -> None:
    """Keep the outcome of a proof for the metrics: rows of `broken`. For the worker."""
    conn.execute(SQL["forget"])
    values = {
        "names": [row["name"] for row in broken],
        "counts": [row["broken"] for row in broken],
    }
    conn.execute(SQL["keep"], values)
