"""explain: shows how PostgreSQL runs a statement of sql/queries, with values or without.

    python -m marketplace explain products.find product_id=7

With values it is run and measured, in a read-only transaction; missing ones are NULL.
A statement that writes is planned with the values and not run. Without any values it is planned for
unknown ones. It runs as the application's role, so that row-level security is in the plan.
"""

import argparse
import sys
from typing import Any

import psycopg
from psycopg import sql

from marketplace.config import settings
from marketplace.postgres.statements import ADMIN, StatementError, find, named_sql, numbered

SQL = named_sql("explain", ADMIN)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The statement and its values."""
    parser.add_argument("name", help="NOUN.NAME: the file of sql/queries and the statement in it")
    parser.add_argument(
        "values", nargs="*", metavar="key=value", help="value NULL, or none at all, is NULL"
    )
    parser.add_argument("--role", default="marketplace_app", help="as whom (default %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Print the plan."""
    try:
        found = find(args.name)
    except StatementError as error:
        print(error, file=sys.stderr)
        return 2
    names = numbered(found.text)[1]
    given = dict(each.partition("=")[::2] for each in args.values)
    if unknown := sorted(set(given) - set(names)):
        print(
            f"{args.name} takes {', '.join(names) or 'no values'}, not {', '.join(unknown)}.",
            file=sys.stderr,
        )
        return 2
    values = {each: None if given.get(each, "NULL") == "NULL" else given[each] for each in names}
    with psycopg.connect(settings.load().migrate_database_url, autocommit=True) as conn:
        conn.read_only = True
        try:
            for line in _plan(
                conn, found.text, values, args.role, measured=bool(given) or not names
            ):
                print(line)
        except psycopg.Error as error:
            print(f"{args.name}: {error}", file=sys.stderr)
            return 1
    return 0


def _plan(
    conn: psycopg.Connection[Any],
    text: str,
    values: dict[str, str | None],
    role: str,
    *,
    measured: bool,
) -> list[str]:
    """Return the lines of the plan."""
    if not measured:
        return _generic(conn, text, len(values), role)
    try:
        return _with_values(conn, SQL["measured"], text, values, role)
    except psycopg.errors.ReadOnlySqlTransaction:
        lines = _with_values(conn, SQL["planned"], text, values, role)
        return ["It writes: planned with these values, and not run.", *lines]


def _with_values(
    conn: psycopg.Connection[Any], how: Any, text: str, values: dict[str, str | None], role: str
) -> list[str]:
    with (
        conn.transaction(force_rollback=True),
        conn.cursor(binary=True) as cursor,
    ):  # binary: one statement at a time
        cursor.execute(SQL["as_role"], {"role": role, "plans": "force_custom_plan"})
        explained = sql.SQL(how).format(statement=sql.SQL(text))
        return [row[0] for row in cursor.execute(explained, values or None, prepare=False)]


def _generic(conn: psycopg.Connection[Any], text: str, count: int, role: str) -> list[str]:
    nulls = sql.SQL("({})").format(sql.SQL(", ").join([sql.NULL] * count))
    with conn.transaction(force_rollback=True), conn.cursor(binary=True) as cursor:
        cursor.execute(SQL["as_role"], {"role": role, "plans": "force_generic_plan"})
        cursor.execute(sql.SQL(SQL["prepared"]).format(statement=sql.SQL(numbered(text)[0])))
        return [
            row[0] for row in cursor.execute(sql.SQL(SQL["for_any_values"]).format(values=nulls))
        ]
