"""migrate: brings the database up to the files of sql/migrations."""

import argparse

from marketplace.config import settings
from marketplace.postgres import migrations


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None: the owner's connection is MIGRATE_DATABASE_URL, or DATABASE_URL."""


def run(args: argparse.Namespace) -> int:
    """Apply the missing files and report that."""
    applied = migrations.migrate(settings.load().migrate_database_url, print)
    print(f"{applied} migrations applied." if applied else "The database is up to date.")
    return 0
