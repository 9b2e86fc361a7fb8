"""The values that operators watch. Statements: sql/queries/metrics.sql."""

from collections.abc import Mapping

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


def add_calls(conn: Conn, counts: Mapping[tuple[str, str], float]) -> None:
    """Add what a worker has called, by name and label, to what all have. For the worker."""
    values = {
        "names": [name for name, _ in counts],
        "labels": [label for _, label in counts],
        "values": list(counts.values()),
    }
    conn.execute(SQL["add_calls"], values)
