"""What keeps tables from growing without end. Statements: sql/queries/upkeep.sql."""

from marketplace.postgres.pool import Conn
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("upkeep")


def sweep_guarding(conn: Conn) -> None:
    """Forget counts and mailed tokens that mean nothing any more."""
    conn.execute(SQL["sweep_guarding"])


def drop_months(conn: Conn, parent: str, *, days: int) -> int:
    """Drop the months of `activities` or `audit` that ended so many days ago; how many."""
    return int(one(conn, SQL["drop_months"], {"parent": parent, "days": days})["dropped"])
