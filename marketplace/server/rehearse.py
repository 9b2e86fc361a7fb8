"""The rehearsal of a reload: loads the application, and makes PostgreSQL parse every statement.

It exits with REFUSED, and prints why, if a worker could not start, packages have changed, or a
statement would fail. It serves nobody. Nothing of the application is imported at the top: failures
of loading are what it looks for.
"""

import importlib
import os
import sys
import tempfile
import traceback
from pathlib import Path

from marketplace.server import packages
from marketplace.server.rehearsal import REFUSED


def main() -> int:
    """Return the exit status."""
    with tempfile.TemporaryDirectory() as counts:
        # Else this process would be counted among the workers.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = counts
        try:
            importlib.import_module("marketplace.app").create_app()
            mistakes = [*packages.changed(), *_mistakes()]
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            mistakes = [f"{type(error).__name__}: {error} ({place})"]
    print("\n".join(mistakes))
    return REFUSED if mistakes else 0


def _mistakes() -> list[str]:
    """Return PostgreSQL's errors; nothing while it is away: old workers lack it, too."""
    psycopg = importlib.import_module("psycopg")
    checks = importlib.import_module("marketplace.postgres.statement_checks")
    url = importlib.import_module("marketplace.config.settings").load().database_url
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as conn:
            return list(checks.check(conn, copying=False).mistakes)
    except psycopg.OperationalError:
        return []


if __name__ == "__main__":
    sys.exit(main())
