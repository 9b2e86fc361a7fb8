"""paid-out: books what a payment provider has paid out to the bank, once a day of it."""

import argparse
from datetime import date, datetime, timezone

from marketplace.config import settings
from marketplace.config.env import ConfigError
from marketplace.integrations.payments import midtrans, pretend
from marketplace.ops.arguments import money
from marketplace.postgres.database import Database
from marketplace.queries import reconciliations
from marketplace.workflows import pricing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sum is that of the bank's statement."""
    parser.add_argument("provider", choices=(midtrans.NAME, pretend.NAME), help="who has paid")
    parser.add_argument("day", type=_day, help="the day of the provider's statement: 2026-11-30")
    parser.add_argument("amount", type=money, help="what has arrived: 1191600.00")


def run(args: argparse.Namespace) -> int:
    """Book it, and print what the books still have with the provider; again is the same entry."""
    config = settings.load()
    if args.amount % pricing.step_of(config.currency):
        raise ConfigError(f"Nobody pays out a part of a coin of {config.currency}: {args.amount}.")
    db = Database.of_worker(config)
    try:
        with db.working() as conn:
            entry = reconciliations.post_settlement(conn, args.provider, args.day, args.amount)
            booked = reconciliations.settled(conn, entry)
            left = reconciliations.left(conn, args.provider)
    finally:
        db.close()
    if booked != args.amount:
        raise ConfigError(
            f"For {args.day} {booked} of {args.provider} are booked already, by entry {entry}."
        )
    print(f"Entry {entry}: {booked} of {args.provider} for {args.day}; {left} are left there.")
    return 0


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("a day: 2026-11-30") from None
    if day > datetime.now(timezone.utc).date():
        raise argparse.ArgumentTypeError("a day that has come")
    return day
