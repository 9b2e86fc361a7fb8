"""users: finds accounts, suspends them and lets them in again, and changes roles.

    python -m marketplace users find TEXT        by a part of the name or the address
    python -m marketplace users suspend WHO      signs them out everywhere, and stops their store
    python -m marketplace users reinstate WHO    lets them in again
    python -m marketplace users role WHO ROLE    buyer, seller or admin

WHO is an address or an id. All take effect at the account's next request.
"""

import argparse
import sys

import psycopg
from psycopg.rows import dict_row

from marketplace.config import settings
from marketplace.postgres.pool import Row
from marketplace.queries import users

#: How many `find` shows.
MOST = 50
ROLES = ("buyer", "seller", "admin")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A verb, and whom it is about."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    find = verbs.add_parser("find", help=f"show up to {MOST} accounts, newest first")
    find.add_argument("text", help="a part of the name or the address; an empty one shows all")
    for verb, words in (
        ("suspend", "sign them out, and let them in no more"),
        ("reinstate", "let them in again"),
        ("role", "give them another role"),
    ):
        verbs.add_parser(verb, help=words).add_argument("who", help="an address or an id")
    verbs.choices["role"].add_argument("role", choices=ROLES)


def run(args: argparse.Namespace) -> int:
    """Do it, on a connection of the tables' owner; 1 if there is no such account."""
    config = settings.load()
    with psycopg.connect(config.migrate_database_url, row_factory=dict_row) as conn:
        if args.verb == "find":
            return _find(conn, args.text)
        suspended = None if args.verb == "role" else args.verb == "suspend"
        role = args.role if args.verb == "role" else None
        user = users.manage_as_owner(conn, args.who, role=role, suspended=suspended)
        if user is None:
            print(
                f"Nothing was changed: {args.who} is nobody here, or the last admin.",
                file=sys.stderr,
            )
            return 1
    print(_line(user))
    return 0


def _find(conn: psycopg.Connection[Row], text: str) -> int:
    found = users.search(
        conn, search=text or None, role=None, suspended=None, after_id=None, limit=MOST, offset=0
    )
    for user in found:
        print(_line(user))
    if not found:
        print(f"Nobody's name or address has {text!r} in it.", file=sys.stderr)
    return 0 if found else 1


def _line(user: Row) -> str:
    state = "suspended" if user["suspended"] else "active"
    return f"{user['id']:>8}  {user['role']:<6}  {state:<9}  {user['email'] or '-'}  {user['name']}"
