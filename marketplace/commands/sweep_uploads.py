"""sweep-uploads: removes files of pictures that no row uses any more; the worker does the same
every six hours.

    python -m marketplace sweep-uploads [--min-age SECONDS]

Files are spared that were put less than --min-age seconds ago (a day): whoever put them may be
about to use them, and phones may still show what was removed. It runs beside uploads, and may be
stopped anywhere.
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
    """Sweep once, and say what is gone."""
    config = settings.load()
    uploads = of_uploads(config)
    db = Database.of_worker(config)
    try:
        files, size = images.sweep(db, uploads, args.min_age)
    finally:
        db.close()
    unfinished = uploads.clear_unfinished(args.min_age)
    print(
        f"{files} files of pictures that nobody uses, {size / 2**20:.1f} MB; {unfinished} that "
        "were never finished."
    )
    return 0
