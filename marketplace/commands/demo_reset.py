"""demo-reset: throws the embedded database away and loads the demo shop anew."""

import argparse
import sys

import psycopg

from marketplace import demo
from marketplace.config import settings
from marketplace.postgres import databases, migrations
from marketplace.postgres.embedded import provision
from marketplace.postgres.embedded import server as embedded_server

own_database = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--yes, for scripts: nothing can be restored."""
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def run(args: argparse.Namespace) -> int:
    """Drop, migrate, load; 1 if another database is configured, or the reply is no."""
    config = settings.load()
    if config.database_url or config.production:
        print(
            "demo-reset only works on the embedded database; DATABASE_URL names another.",
            file=sys.stderr,
        )
        return 1
    if not args.yes and not _agreed(f"All data in {config.data_dir} will be lost. Type yes: "):
        print("Nothing was changed.")
        return 1
    server = embedded_server.start(config.data_dir)
    try:
        with psycopg.connect(server.dsn("postgres", "postgres"), autocommit=True) as conn:
            databases.drop(conn, provision.OWNER)
        with provision.connected():
            config = settings.load()
            migrations.migrate(config.migrate_database_url, print)
            demo.load(config, print)
    finally:
        server.stop()
    return 0


def _agreed(question: str) -> bool:
    try:
        return input(question).strip() == "yes"
    except EOFError:
        return False
