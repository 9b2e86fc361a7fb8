"""What the worker does once a day, so that nothing grows without end and nothing runs out."""

import time
from collections.abc import Callable

from marketplace.db import Conn, Database
from marketplace.queries import activities, audit, changes, idempotency, imports, sessions
from marketplace.storage import Storage
from marketplace.workflows import pictures

MONTHS = 13
BATCH = 5000
DAY = 86_400


def run(db: Database, private: Storage, uploads: Storage, *, change_retention_days: int) -> None:
    """Make partitions ahead, forget what is long dead, remove files that nobody waits for. Safe to repeat."""
    with db.working() as conn:
        activities.make_partitions(conn, months=MONTHS)
        audit.make_partitions(conn, months=MONTHS)
    _sweep(db, lambda conn: sessions.sweep(conn, most=BATCH))
    _sweep(db, lambda conn: idempotency.sweep(conn, most=BATCH))
    _sweep(db, lambda conn: changes.prune(conn, days=change_retention_days, most=BATCH))
    _sweep_imports(db, private)
    pictures.sweep(db, uploads, DAY)
    for storage in (private, uploads):
        storage.clear_unfinished(DAY)


def _sweep(db: Database, some: Callable[[Conn], int]) -> None:
    """Sweep until a batch is not full any more, each batch in a transaction of its own."""
    swept = BATCH
    while swept >= BATCH:
        with db.working() as conn:
            swept = some(conn)


def _sweep_imports(db: Database, private: Storage) -> None:
    """Remove what imports leave when a process is killed between two steps, and dry runs that are too old."""
    with db.working() as conn:
        imports.expire(conn)
        waiting = imports.waiting_files(conn)
    before = time.time() - DAY
    for stored in private.keys("imports/"):
        if stored.modified < before and stored.key not in waiting:
            private.delete(stored.key)
