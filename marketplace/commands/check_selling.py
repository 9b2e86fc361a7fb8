"""check-selling: proves that stock, orders and money are as they must be.

    python -m marketplace check-selling

Asks every view of the schema `invariants`, as the worker, while the service goes on. Prints each
that does not hold, how often and one place. The status is 1 where there is any.
"""

import argparse

from marketplace.config import settings
from marketplace.postgres.database import Database
from marketplace.queries import invariants


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def run(args: argparse.Namespace) -> int:
    """Print what is broken. Return 1 where something is."""
    db = Database.of_worker(settings.load())
    try:
        with db.working() as conn:
            broken = invariants.broken(conn)
            invariants.keep(conn, broken)
    finally:
        db.close()
    for row in broken:
        print(f"{row['name']}: {row['broken']} broken, one of them: {row['example']}")
    if not broken:
        print("All invariants hold.")
    return 1 if broken else 0
