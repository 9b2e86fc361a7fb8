"""psql: opens PostgreSQL's own terminal on the database, as the owner of the tables."""

import argparse
import os
import shutil
import signal
import subprocess
import sys

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from marketplace import config as configuration

takes_anything = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Everything behind the name goes to psql as it is."""
    parser.usage = "python -m marketplace psql [what psql itself takes, such as -c 'SELECT 1']"


def run(args: argparse.Namespace) -> int:
    """Run psql. The password travels in the environment: arguments stand in the list of processes."""
    program = shutil.which("psql")
    if program is None:
        print("There is no psql here; install postgresql-client (Debian) or libpq (Homebrew).", file=sys.stderr)
        return 1
    parts = conninfo_to_dict(configuration.load().migrate_database_url)
    env = {**os.environ, "PGAPPNAME": "marketplace-psql"}
    if password := parts.pop("password", None):
        env["PGPASSWORD"] = str(password)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in psql ends a query, not us
    return subprocess.run([program, make_conninfo("", **parts), *args.rest], env=env, check=False).returncode
