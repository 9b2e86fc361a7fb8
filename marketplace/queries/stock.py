"""Stock. Statements: sql/queries/stock.sql."""

from marketplace.postgres.pool import Conn
from marketplace.postgres.statements import named_sql

SQL = named_sql("stock")

#: Most pieces of what runs low: a list of low stock goes up to this.
LOW = 20


def refresh_low(conn: Conn) -> None:
    """List anew what is on sale and runs low. For the worker."""
    conn.execute(SQL["refresh_low"], {"most": LOW})
