"""psql: opens PostgreSQL's own terminal on the database, as the owner of the tables."""

import argparse
import shutil
import signal
import subprocess
import sys

import psycopg

from marketplace.config import settings
from marketplace.config.folders import program
from marketplace.postgres import programs

takes_anything = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Everything after the name goes to psql unchanged."""
    parser.usage = f"{program()} psql [what psql itself takes, such as -c 'SELECT 1']"


def run(args: argparse.Namespace) -> int:
    """Run the psql of the server's version or a newer one; else whichever is here."""
    url = settings.load().migrate_database_url
    try:
        program = str(programs.fitting("psql", _server_version(url))[0])
    except programs.ProgramError as error:
        older = shutil.which("psql")
        if older is None:
            print(error, file=sys.stderr)
            return 1
        print(f"{error}; some of psql's own commands may fail.", file=sys.stderr)
        program = older
    address, env = programs.connection(url)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in psql ends a query, not us
    return subprocess.run([program, address, *args.rest], env=env, check=False).returncode


def _server_version(url: str) -> int:
    """Return the server's major version, such as 18."""
    with psycopg.connect(url) as conn:
        return conn.info.server_version // 10_000
