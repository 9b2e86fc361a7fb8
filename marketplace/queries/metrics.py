"""The values that operators watch. Statements: sql/queries/metrics.sql."""

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql

SQL = named_sql("metrics")


def state(conn: Conn) -> list[Row]:
    """Return gauges of queue, workers, imports and change feed: name, label (or an empty text),
    value, words.
    """
    return conn.execute(SQL["state"]).fetchall()
