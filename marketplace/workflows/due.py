"""What is due, one by one: each in a transaction of its own; one that fails holds up nobody.

The verbs look at the time again under the lock: it does no harm to run a timer twice, or beside
another worker.
"""

import logging
from collections.abc import Callable, Iterable

import psycopg

from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row

log = logging.getLogger("marketplace.jobs")


def each(
    db: Database,
    rows: Iterable[Row],
    move: Callable[[Conn, Row], bool],
    *,
    failed: str,
    job: Callable[[Row], str],
    stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Call `move` for each row until the process is told to end; return how many it has moved. One
    that fails is logged, in the words of `failed` and by the name that `job` gives it.
    """
    done = 0
    for row in rows:
        if stopping():
            break
        try:
            with db.working() as conn:
                done += move(conn, row)
        except psycopg.Error as error:
            log.error(failed, extra={"error": str(error)[:300], "job": job(row)})
    return done
