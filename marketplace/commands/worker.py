"""worker: runs background jobs: imports (queue long), mails and upkeep (queue quick)."""

import argparse

from marketplace.config import settings
from marketplace.jobs import registry
from marketplace.jobs.worker import Worker
from marketplace.telemetry import logs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One process does both queues; several may share the work, on any number of machines."""
    parser.add_argument(
        "--queue",
        action="append",
        choices=registry.QUEUES,
        help="only this queue (may be given twice)",
    )


def run(args: argparse.Namespace) -> int:
    """Work until SIGTERM or SIGINT; running jobs stop at their next step and go on later."""
    config = settings.load()
    logs.install(config.log_level)
    Worker(config, args.queue or registry.QUEUES).run()
    return 0
