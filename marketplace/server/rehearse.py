"""The rehearsal of a reload, a program: loads the application, and has PostgreSQL read every statement.

It exits with REFUSED, and prints why, where a worker could not begin or a statement would fail. It serves nobody.
Nothing of the application is imported at the top: what fails while it is loaded is what is looked for.
"""

import importlib
import os
import sys
import tempfile
import traceback
from pathlib import Path

from marketplace.server.rehearsal import REFUSED


def main() -> int:
    """Return the exit status."""
    with tempfile.TemporaryDirectory() as counts:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = counts  # or this process would be counted among the workers
        try:
            importlib.import_module("marketplace.app").create_app()
            mistakes = _mistakes()
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            mistakes = [f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"]
    print("\n".join(mistakes))
    return REFUSED if mistakes else 0


def _mistakes() -> list[str]:
    """What PostgreSQL does not understand; nothing while it is away, as the old workers cannot reach it either."""
    psycopg = importlib.import_module("psycopg")
    checks = importlib.import_module("marketplace.postgres.statement_checks")
    url = os.environ["DATABASE_URL"]
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as conn:
            return list(checks.check(conn, copying=False).mistakes)
    except psycopg.OperationalError:
        return []


if __name__ == "__main__":
    sys.exit(main())
