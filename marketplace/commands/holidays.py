"""holidays: lists, adds and removes days on which no store has to send anything."""

import argparse
import sys
from datetime import date

import psycopg
from psycopg.rows import dict_row

from marketplace.config import settings
from marketplace.queries import holidays


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Without a verb the coming ones of COUNTRY are listed."""
    verbs = parser.add_subparsers(dest="verb")
    add = verbs.add_parser("add", help="add a day")
    add.add_argument("day", type=date.fromisoformat, help="2026-12-25")
    add.add_argument("name", help="what it is called")
    remove = verbs.add_parser("remove", help="take a day back")
    remove.add_argument("day", type=date.fromisoformat)


def run(args: argparse.Namespace) -> int:
    """Do it, on a connection of the tables' owner; 1 and a reason if it cannot be done."""
    config = settings.load()
    with psycopg.connect(config.migrate_database_url, row_factory=dict_row) as conn:
        if args.verb == "add":
            try:
                holidays.add(conn, config.country, args.day, args.name)
            except psycopg.errors.CheckViolation:
                return _refuse("a name has 1 to 100 characters")
        elif args.verb == "remove" and not holidays.remove(conn, config.country, args.day):
            return _refuse(f"{args.day} is no holiday of {config.country}")
        for row in holidays.coming(conn, config.country):
            print(f"{row['day']} {row['name']}")
    return 0


def _refuse(reason: str) -> int:
    print(f"Nothing was changed: {reason}.", file=sys.stderr)
    return 1
