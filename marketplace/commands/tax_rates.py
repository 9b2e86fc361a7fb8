"""tax-rates: lists, adds and closes the taxes of a country. Rates are never edited."""

import argparse
import re
import sys

import psycopg
from psycopg.rows import dict_row

from marketplace.config import settings
from marketplace.ops.arguments import percent
from marketplace.postgres.pool import Conn
from marketplace.queries import tax_rates


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Without a verb the rates in force are listed."""
    verbs = parser.add_subparsers(dest="verb")
    add = verbs.add_parser("add", help="add a rate, in force at once")
    add.add_argument("country", type=_country, help="where parcels go to: ID")
    add.add_argument("name", help="what it is called: PPN")
    add.add_argument("rate", type=percent, help="per cent of the whole price: 11")
    add.add_argument("--category", type=int, help="for one category and those below it")
    add.add_argument("--on-top", action="store_true", help="it is not in the prices")
    close = verbs.add_parser("close", help="end a rate now")
    close.add_argument("id", type=int)


def run(args: argparse.Namespace) -> int:
    """Do it, on a connection of the tables' owner; 1 and a reason if it cannot be done."""
    config = settings.load()
    with psycopg.connect(config.migrate_database_url, row_factory=dict_row) as conn:
        if args.verb == "add":
            return _add(conn, args)
        if args.verb == "close":
            return _close(conn, args.id)
        for row in tax_rates.in_force(conn):
            where = f"category {row['category_id']}" if row["category_id"] else "all"
            how = "in the prices" if row["included"] else "on top"
            rate = f"{row['rate'].normalize():f} %"
            print(f"{row['id']:6} {row['country']} {row['name']}: {rate} {how}, {where}")
    return 0


def _add(conn: Conn, args: argparse.Namespace) -> int:
    tax_rates.lock(conn)
    others = tax_rates.otherwise(conn, args.country, included=not args.on_top)
    if others:
        numbers = ", ".join(map(str, others))
        return _refuse(f"rates of a country are all in the prices or all on top; close {numbers}")
    try:
        rate_id = tax_rates.add(
            conn,
            args.country,
            args.name,
            args.rate,
            included=not args.on_top,
            category_id=args.category,
        )
    except psycopg.errors.ForeignKeyViolation:
        return _refuse(f"there is no category {args.category}")
    except psycopg.errors.CheckViolation:
        return _refuse("a name has 1 to 100 characters")
    print(f"Rate {rate_id} is in force.")
    return 0


def _close(conn: Conn, rate_id: int) -> int:
    tax_rates.lock(conn)
    if not tax_rates.close(conn, rate_id):
        return _refuse(f"there is no rate {rate_id} in force")
    print(f"Rate {rate_id} is closed.")
    return 0


def _country(text: str) -> str:
    if not re.fullmatch("[A-Z]{2}", text):
        raise argparse.ArgumentTypeError("two capitals, such as ID")
    return text


def _refuse(reason: str) -> int:
    print(f"Nothing was changed: {reason}.", file=sys.stderr)
    return 1
