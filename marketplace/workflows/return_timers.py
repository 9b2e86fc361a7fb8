"""Timers of returns: what nobody has answered in time is decided by silence, each return in a
transaction of its own.

The verb looks at the time again under the lock, so that it does no harm to run this twice, or
beside another worker.
"""

import logging
from collections.abc import Callable

import psycopg

from marketplace.postgres.database import Database
from marketplace.queries import returns

#: Returns that a run takes; the next minute takes more.
MOST = 100
log = logging.getLogger("marketplace.jobs")


def run(db: Database, stopping: Callable[[], bool] = lambda: False) -> int:
    """Move what is due; return how many were. One that fails is logged and holds up nobody."""
    with db.working() as conn:
        due = returns.due(conn, most=MOST)
    done = 0
    for row in due:
        if stopping():
            break
        try:
            with db.working() as conn:
                told = returns.move(conn, row["order_id"], row["id"], row["step"])
                done += told not in (None, "not_due")
        except psycopg.Error as error:
            extra = {"error": str(error)[:300], "job": f"return {row['id']} {row['step']}"}
            log.error("a return was not moved", extra=extra)
    return done
