"""commission: shows and sets what the platform takes of what is placed from now on."""

import argparse
from decimal import Decimal

import psycopg
from psycopg.rows import dict_row

from marketplace.config import settings
from marketplace.ops.arguments import percent
from marketplace.queries import commission


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Without a verb the rule in force is shown."""
    verbs = parser.add_subparsers(dest="verb")
    change = verbs.add_parser("set", help="begin another rule; orders keep the one they had")
    change.add_argument("rate", type=percent, help="per cent of the price without discounts: 5")
    change.add_argument("--tax", type=percent, default=Decimal(0), help="per cent of tax on that")
    change.add_argument("--note", help="why")


def run(args: argparse.Namespace) -> int:
    """Do it, on a connection of the tables' owner."""
    config = settings.load()
    with psycopg.connect(config.migrate_database_url, row_factory=dict_row) as conn:
        if args.verb == "set":
            commission.change(conn, args.rate, args.tax, args.note)
        rule = commission.now(conn)
    rate, tax = (f"{rule[name].normalize():f}" for name in ("rate", "tax_rate"))
    print(f"Rule {rule['id']}: {rate} %, and {tax} % tax on it.")
    return 0
