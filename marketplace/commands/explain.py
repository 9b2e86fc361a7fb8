"""explain: shows how PostgreSQL runs a statement of sql/queries, with values or without.

    python -m marketplace explain products.find product_id=7

With values it is run (and rolled back) and measured; missing ones are NULL. Without any it is
planned for unknown values. It runs as the application's role, so that row-level security is in the
plan.
"""

import argparse
import re
import sys

import psycopg
from psycopg import sql

from marketplace.config import settings
from marketplace.postgres.statements import QUERIES, named_sql

_PLACEHOLDER = re.compile(r"%\((\w+)\)s|%%")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The statement and its values."""
    parser.add_argument("name", help="NOUN.NAME: the file of sql/queries and the statement in it")
    parser.add_argument(
        "values", nargs="*", metavar="key=value", help="value NULL, or none at all, is NULL"
    )
    parser.add_argument("--role", default="marketplace_app", help="as whom (default %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Print the plan."""
    noun, _, name = args.name.partition(".")
    statements = named_sql(noun) if (QUERIES / f"{noun}.sql").is_file() else {}
    if name not in statements:
        known = [f"{noun}.{each}" for each in statements] or sorted(
            file.stem for file in QUERIES.glob("*.sql")
        )
        print(f"There is no statement {args.name}; there are {', '.join(known)}.", file=sys.stderr)
        return 2
    return _show(args, *numbered(statements[name]))


def _show(args: argparse.Namespace, text: str, names: list[str]) -> int:
    given = dict(each.partition("=")[::2] for each in args.values)
    if unknown := sorted(set(given) - set(names)):
        print(
            f"{args.name} takes {', '.join(names) or 'no values'}, not {', '.join(unknown)}.",
            file=sys.stderr,
        )
        return 2
    values = [None if given.get(each, "NULL") == "NULL" else given[each] for each in names]
    with psycopg.connect(settings.load().migrate_database_url, autocommit=True) as conn:
        try:
            for line in _plan(conn, text, values, args.role, measured=bool(given) or not names):
                print(line)
        except psycopg.Error as error:
            print(f"{args.name}: {error}", file=sys.stderr)
            return 1
    return 0


def numbered(text: str) -> tuple[str, list[str]]:
    """Return a statement with $1, $2 in place of %(name)s, as PostgreSQL itself takes it, and the
    names in their order.
    """
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[1] is None:
            return "%"
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    return _PLACEHOLDER.sub(number, text), names


def _plan(
    conn: "psycopg.Connection[tuple[str, ...]]",
    text: str,
    values: list[str | None],
    role: str,
    *,
    measured: bool,
) -> list[str]:
    """Return the lines of the plan. The transaction is rolled back: what the statement did is
    undone.
    """
    with conn.transaction(force_rollback=True):
        conn.execute("SELECT set_config('role', %s, true)", [role])
        conn.execute("SET LOCAL jit = off")
        conn.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        conn.execute(
            f"SET LOCAL plan_cache_mode = force_{'custom' if measured else 'generic'}_plan"
        )
        conn.execute(f"PREPARE explained AS {text}".encode())
        call = sql.SQL("EXPLAIN ({}) EXECUTE explained").format(
            sql.SQL("ANALYZE, BUFFERS" if measured else "VERBOSE")
        )
        if values:
            call += sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, values)))
        return [row[0] for row in conn.execute(call)]
