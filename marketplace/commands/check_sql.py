"""check-sql: makes PostgreSQL parse every statement of sql/queries, and reports errors.

    python -m marketplace check-sql [NOUN ...]

Nothing is executed. Each error is one line with the file and its line; the status is 1 if there is
one.
"""

import argparse
import sys

import psycopg

from marketplace.config import settings
from marketplace.config.folders import command
from marketplace.postgres import migrations, statement_checks
from marketplace.postgres.statements import ADMIN, named_sql, nouns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The nouns to check; all if none is given."""
    parser.add_argument("nouns", nargs="*", help="files of sql/queries without .sql (all)")


def run(args: argparse.Namespace) -> int:
    """Print file, line, name and reason of every error; 1 if there is one."""
    known = nouns()
    if unknown := [noun for noun in args.nouns if noun not in known]:
        print(
            f"There is no {', '.join(unknown)} in sql/queries; there are {', '.join(known)}.",
            file=sys.stderr,
        )
        return 2
    with psycopg.connect(settings.load().migrate_database_url, autocommit=True) as conn:
        conn.execute(named_sql("explain", ADMIN)["only_look"])
        if waiting := migrations.pending(conn):
            missing = f"{len(waiting)} migrations are not applied ({waiting[0]}, ...)"
            print(f"{missing}: {command('migrate')} comes first.")
            return 1
        count, mistakes = statement_checks.check(conn, args.nouns)
    for line in mistakes:
        print(line)
    wrong = f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}"
    print(f"{count} statements, {wrong}." if mistakes else f"{count} statements, all understood.")
    return 1 if mistakes else 0
