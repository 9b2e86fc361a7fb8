"""settle: compares the payments of a provider's file with ours, day by day."""

import argparse
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from marketplace.config import settings
from marketplace.config.env import ConfigError
from marketplace.config.settings import Config
from marketplace.integrations.payments import midtrans
from marketplace.postgres.database import Database
from marketplace.workflows import reconciliations

Differences = dict[date, Sequence[dict[str, Any]]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A file has the columns order id, amount, fee, date."""
    parser.add_argument("provider", choices=(midtrans.NAME,), help="whose file it is")
    parser.add_argument("file", type=Path, help="CSV: order id, amount, fee, date")


def run(args: argparse.Namespace) -> int:
    """Print how each day compares; 1 where one differs. Again replaces what was kept."""
    config = settings.load()
    db = Database.of_worker(config)
    try:
        found = compare(config, db, args.provider, args.file)
    finally:
        db.close()
    for day, differences in sorted(found.items()):
        print(f"{day}: {len(differences)} differences")
        for each in differences:
            print(f"  {each['reference']} {each['what']}: {each['ours']} / {each['theirs']}")
    return 1 if any(found.values()) else 0


def compare(config: Config, db: Database, provider: str, file: Path) -> Differences:
    """Compare each day that a file has; the differences. Raises ConfigError for a bad file."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = midtrans.statement(lines)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    if not config.midtrans_server_key:
        raise ConfigError("MIDTRANS_SERVER_KEY is not set.")
    adapter = midtrans.Midtrans(config, rows)
    return {
        day: reconciliations.compare(db, adapter, config, day) or ()
        for day in sorted({row.day for row in rows})
    }
