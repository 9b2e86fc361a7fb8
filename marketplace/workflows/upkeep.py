"""The worker's housekeeping every six hours, so that nothing grows without end and nothing runs
out.
"""

import time
from collections.abc import Callable
from functools import partial

from marketplace.config.settings import Config
from marketplace.files.storage import Storage
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn
from marketplace.queries import carts, changes, idempotency, imports, search, sessions, upkeep
from marketplace.workflows import images
from marketplace.workflows import uploads as uploads_workflow

MONTHS = 13
BATCH = 5000
#: Deleted one by one, with all rows that refer to them.
ACCOUNTS = 200
IMPORTS = 20
#: Seconds after which a private image that nothing names is removed.
DAY = 24 * 3600
#: Days after which a cart that nobody has touched is removed.
CART_DAYS = 180
#: Days for which what providers told is kept, and the number of a parcel after its order ended.
CALLBACK_DAYS = 400
TRACKING_DAYS = 180
#: Living sessions of a user, and used refresh tokens of a session: the newest stay.
SESSIONS = 100
TOKENS = 200
#: Seconds for which an unused file is left alone: its row may be on its way. With a run every six
#: hours, it is gone in a day.
YOUNG = 12 * 3600


def run(db: Database, private: Storage, uploads: Storage, config: Config) -> None:
    """Make partitions ahead, delete what is long dead, remove files that nobody waits for. Safe to
    repeat.
    """
    _make_months(db)
    _sweep(db, lambda conn: sessions.sweep(conn, most=BATCH))
    _sweep(db, lambda conn: idempotency.sweep(conn, most=BATCH))
    _sweep(db, lambda conn: changes.prune(conn, days=config.change_retention_days, most=BATCH))
    _sweep(db, lambda conn: carts.sweep(conn, days=CART_DAYS, most=BATCH))
    _sweep(db, lambda conn: upkeep.sweep_callbacks(conn, days=CALLBACK_DAYS, most=BATCH))
    _sweep(db, lambda conn: upkeep.forget_ended(conn, days=TRACKING_DAYS, most=BATCH))
    uploads_workflow.sweep(db, private, DAY)
    uploads_workflow.sweep_spent(db, private, TRACKING_DAYS)
    _sweep_accounts(db, config.unconfirmed_user_days)
    _prune_words(db)
    with db.working() as conn:
        upkeep.sweep_guarding(conn)
        upkeep.sweep_surplus(conn, sessions=SESSIONS, tokens=TOKENS)
    _drop_months(db, config)
    _sweep_imports(db, private)
    _forget_imports(db, config)
    images.sweep(db, uploads, YOUNG)
    for storage in (private, uploads):
        storage.clear_unfinished(YOUNG)


def _make_months(db: Database) -> None:
    """Make months ahead for each table that has them."""
    with db.working() as conn:
        for table in upkeep.month_tables(conn):
            upkeep.make_months(conn, table, months=MONTHS)


def _drop_months(db: Database, config: Config) -> None:
    """Drop the months that each table has kept long enough, each table in a transaction of its own.

    Stock is proven from its last opening, which must not go with a month of movements.
    """
    days_of = {
        "activities": config.activity_retention_days,
        "audit": config.audit_retention_days,
    }
    with db.working() as conn:
        tables = upkeep.month_tables(conn)
    for table, keep_days in tables.items():
        days = days_of.get(table, keep_days)
        if days is None:
            continue
        if table == "stock_movements":
            _sweep(db, partial(upkeep.reopen_stock, days=days - 1, most=BATCH))
        with db.working() as conn:
            upkeep.drop_months(conn, table, days=days)


def _sweep(db: Database, some: Callable[[Conn], int]) -> None:
    """Sweep until a batch is not full any more, each batch in a transaction of its own."""
    swept = BATCH
    while swept >= BATCH:
        with db.working() as conn:
            swept = some(conn)


def _sweep_accounts(db: Database, days: int) -> None:
    """Delete accounts that were never confirmed and that nobody has used for so long."""
    last: int | None = 0
    while last is not None:
        with db.working() as conn:
            _, last = upkeep.sweep_unconfirmed(conn, days=days, after=last, most=ACCOUNTS)


def _prune_words(db: Database) -> None:
    """Delete words that no product has any more."""
    last: str | None = ""
    while last is not None:
        with db.working() as conn:
            _, last = search.prune_words(conn, after=last, most=BATCH)


def _forget_imports(db: Database, config: Config) -> None:
    """Forget reports, then imports, that ended long ago."""
    forgotten = 1
    while forgotten:
        with db.working() as conn:
            forgotten = imports.forget_old(
                conn,
                report_days=config.import_report_days,
                days=config.import_retention_days,
                most=IMPORTS,
            )


def _sweep_imports(db: Database, private: Storage) -> None:
    """Remove what imports leave when a process is killed between two steps, and dry runs that are
    too old.
    """
    with db.working() as conn:
        imports.expire(conn)
        waiting = imports.waiting_files(conn)
    before = time.time() - YOUNG
    for stored in private.keys("imports/"):
        if stored.modified < before and stored.key not in waiting:
            private.delete(stored.key)
