"""What is due, one by one: each in a transaction of its own; one that fails holds up nobody.

The verbs look at the time again under the lock: it does no harm to run a timer twice, or beside
another worker.
"""

import logging
from collections.abc import Callable

import psycopg

from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row

log = logging.getLogger("marketplace.jobs")

#: Rows that a look takes (of a kind), and looks of a run; the next minute takes more.
MOST, LOOKS = 100, 10


def each(
    db: Database,
    find: Callable[[Conn, list[int], int], list[Row]],
    move: Callable[[Conn, Row], bool],
    *,
    failed: str,
    job: Callable[[Row], str],
    stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Call `move` for each row that `find` gives until the process is told to end; return how many
    it has moved. One that fails is logged, in the words of `failed` and by the name that `job`
    gives it. `find` is told the ids that this run has had: what fails or has to wait each time does
    not stand before what can be moved.
    """
    done, had = 0, list[int]()
    for _ in range(LOOKS):
        with db.working() as conn:
            rows = find(conn, had, MOST)
        for row in rows:
            if stopping():
                return done
            try:
                with db.working() as conn:
                    done += move(conn, row)
            except Exception as error:
                if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
                    raise  # the database is away, for all of them
                log.exception(failed, extra={"error": str(error)[:300], "job": job(row)})
        if len(rows) < MOST:
            break
        had += [row["id"] for row in rows]
    return done
