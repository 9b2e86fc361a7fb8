"""sweep-uploads: removes image files that no row uses any more; the worker does the same.

    python -m marketplace sweep-uploads [--min-age SECONDS]

Files stored less than --min-age seconds ago (a day) are spared: a request may be about to use them,
and phones may still show removed ones. The worker runs it every six
hours. It runs beside uploads, and may be stopped anywhere.
"""

import argparse

from marketplace.config import settings
from marketplace.files.stores import of_uploads
from marketplace.postgres.database import Database
from marketplace.workflows import images, upkeep


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--min-age."""
    parser.add_argument(
        "--min-age", type=float, default=upkeep.YOUNG, metavar="SECONDS", help="default %(default)s"
    )


def run(args: argparse.Namespace) -> int:
    """Sweep once, and report what is gone."""
    config = settings.load()
    uploads = of_uploads(config)
    db = Database.of_worker(config)
    try:
        files, size = images.sweep(db, uploads, args.min_age)
    finally:
        db.close()
    unfinished = uploads.clear_unfinished(args.min_age)
    print(
        f"{files} image files that nobody uses, {size / 2**20:.1f} MB; {unfinished} that "
        "were never finished."
    )
    return 0
