"""Timers of returns: what nobody has answered in time is decided by silence."""

from collections.abc import Callable

from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import returns
from marketplace.workflows import due


def run(db: Database, stopping: Callable[[], bool] = lambda: False) -> int:
    """Move what is due; return how many were. One that fails is logged and holds up nobody."""
    return due.each(
        db,
        returns.due,
        _move,
        failed="a return was not moved",
        job=lambda row: f"return {row['id']} {row['step']}",
        stopping=stopping,
    )


def _move(conn: Conn, row: Row) -> bool:
    told = returns.move(conn, row["order_id"], row["id"], row["step"])
    return told not in (None, "not_due")
