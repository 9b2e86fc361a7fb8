"""The values that operators watch. Statements: sql/queries/metrics.sql."""

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql

SQL = named_sql("metrics")


def state(conn: Conn) -> list[Row]:
    """Return gauges of queue, workers, imports, change feed, orders and money: name, labels, value,
    words.
    """
    return conn.execute(SQL["state"]).fetchall()


def count(conn: Conn) -> None:
    """Count what takes a look at all orders, and keep it. For the worker."""
    conn.execute(SQL["count"])
