"""psql: opens PostgreSQL's own terminal on the database, as the owner of the tables."""

import argparse
import shutil
import signal
import subprocess
import sys

from marketplace.config import settings
from marketplace.postgres import programs

takes_anything = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Everything behind the name goes to psql as it is."""
    parser.usage = "python -m marketplace psql [what psql itself takes, such as -c 'SELECT 1']"


def run(args: argparse.Namespace) -> int:
    """Run psql, whichever is first on the PATH."""
    program = shutil.which("psql")
    if program is None:
        print(
            "There is no psql here; install postgresql-client (Debian) or libpq (Homebrew).",
            file=sys.stderr,
        )
        return 1
    address, env = programs.connection(settings.load().migrate_database_url)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in psql ends a query, not us
    return subprocess.run([program, address, *args.rest], env=env, check=False).returncode
