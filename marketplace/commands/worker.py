"""worker: runs background jobs: rebuilds, mails, imports, payments, and what is due at a time."""

import argparse

from marketplace.config import settings
from marketplace.jobs.queues import QUEUES
from marketplace.jobs.worker import Worker
from marketplace.telemetry import logs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One process does all queues; several may share the work, on any number of machines."""
    parser.add_argument(
        "--queue",
        action="append",
        choices=tuple(QUEUES),
        help="only this queue (may be given several times)",
    )


def run(args: argparse.Namespace) -> int:
    """Work until SIGTERM or SIGINT; running jobs stop at their next step and go on later."""
    config = settings.load()
    logs.install(config.log_level)
    Worker(config, args.queue or tuple(QUEUES)).run()
    return 0
