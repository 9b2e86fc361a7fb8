"""check-sql: makes PostgreSQL prepare every statement of sql/queries, and reports errors."""

import argparse
import re
from typing import Any

import psycopg

from marketplace.commands.explain import numbered
from marketplace.config import settings
from marketplace.postgres import migrations
from marketplace.postgres.statements import QUERIES, named_sql

PREPARE = "PREPARE checked AS "
_COPY = re.compile(r"(?:--.*\n|\s)*COPY\b")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The nouns to check; all if none is given."""
    parser.add_argument("nouns", nargs="*", help="files of sql/queries without .sql (all)")


def run(args: argparse.Namespace) -> int:
    """Print file, line, name and reason of every statement that cannot be prepared; 1 if there
    is one.
    """
    wrong = checked = 0
    with psycopg.connect(settings.load().migrate_database_url, autocommit=True) as conn:
        if waiting := migrations.pending(conn):
            print(
                f"{len(waiting)} migrations are not applied ({waiting[0]}, ...): make migrate "
                "comes first."
            )
            return 1
        for noun in args.nouns or sorted(path.stem for path in QUERIES.glob("*.sql")):
            for name, text in named_sql(noun).items():
                checked += 1
                try:
                    _check(conn, text)
                except psycopg.Error as error:
                    wrong += 1
                    place = f"sql/queries/{noun}.sql:{_line(noun, name, text, error)}"
                    print(f"{place}: {name}: {error.diag.message_primary}")
    print(
        f"{checked} statements, {wrong} wrong."
        if wrong
        else f"{checked} statements, all understood."
    )
    return 1 if wrong else 0


def _check(conn: psycopg.Connection[Any], text: str) -> None:
    """Raise PostgreSQL's error about a statement. COPY cannot be prepared: it is started and rolled
    back.
    """
    if _COPY.match(text):
        with conn.transaction(force_rollback=True), conn.cursor().copy(text):
            return
    conn.execute(f"{PREPARE}{numbered(text)[0]}".encode())
    conn.execute("DEALLOCATE checked")


def _line(noun: str, name: str, text: str, error: psycopg.Error) -> int:
    """Return the line of the file at which PostgreSQL points, or the statement's first."""
    lines = (QUERIES / f"{noun}.sql").read_text(encoding="utf-8").splitlines()
    first = (
        next(number for number, line in enumerate(lines, 1) if line.strip() == f"-- name: {name}")
        + 1
    )
    while not lines[first - 1].strip():
        first += 1
    offset = (
        int(error.diag.statement_position or 1) - 1 - (0 if _COPY.match(text) else len(PREPARE))
    )
    return first + numbered(text)[0].count("\n", 0, max(offset, 0))
