"""The nightly proof that orders, stock and money are as they must be, and what is counted for
operators.
"""

import logging

from marketplace.postgres.database import Database
from marketplace.queries import invariants, metrics
from marketplace.telemetry.metrics import calls_since

log = logging.getLogger("marketplace.proofs")


def prove(db: Database) -> int:
    """Ask all invariants, log each that is broken, keep the outcome for the metrics; return how
    many are broken. For the worker.
    """
    with db.working() as conn:
        broken = invariants.broken(conn)
    for row in broken:
        extra = {"invariant": row["name"], "rows": row["broken"], "example": row["example"]}
        log.error("an invariant is broken", extra=extra)
    with db.working() as conn:  # on its own: the proof may take a minute, and writes nothing
        invariants.keep(conn, broken)
    return len(broken)


def count(db: Database) -> None:
    """Count orders, checkouts and lapsed holds. For the worker."""
    with db.working() as conn:
        metrics.count(conn)


def count_calls(db: Database, told: dict[tuple[str, str], float]) -> None:
    """Add what this process has called since it last did so; `told` is what it has said."""
    before = {**told}
    counts = calls_since(told)
    if not counts:
        return
    try:
        with db.working() as conn:
            metrics.add_calls(conn, counts)
    except BaseException:
        told.clear()
        told.update(before)
        raise
