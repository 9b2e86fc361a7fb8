"""check-documents: compares product documents with the tables; --rebuild repairs them.

    python -m marketplace check-documents [--rebuild]

They are what lists, searches and product pages read. Documents, category rows and search words of
every product are made anew and compared, a thousand in
a transaction, while the service goes on. Work that a rename has left to the worker is not counted
as wrong. The status is 1 if something is wrong and was not repaired.
"""

import argparse

from marketplace.config import settings
from marketplace.ops.progress import Progress
from marketplace.postgres.database import Database
from marketplace.queries import documents
from marketplace.workflows import product_documents

SHOWN = 10
WAITING = "about to be written by a job of the worker"
WRITTEN = "written, which a job of the worker was about to do"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--rebuild."""
    parser.add_argument(
        "--rebuild", action="store_true", help="write what is wrong as it should be"
    )


def run(args: argparse.Namespace) -> int:
    """Check all products; print what is wrong, by kind, with the first ids."""
    config = settings.load()
    db = Database.of_worker(config)
    wrong = product_documents.Untrue([], [], [])
    waiting = last_id = 0
    try:
        with db.working() as conn:
            newest = documents.last_id(conn)
        with Progress("products, by id", max(newest, 1)) as bar:
            for last_id, found, left in product_documents.check(
                db, config.currency, mend=args.rebuild
            ):
                for all_ids, ids in zip(wrong, found, strict=True):
                    all_ids.extend(ids)
                waiting += left
                bar.reach(last_id)
    finally:
        db.close()
    _report(wrong, waiting, mended=args.rebuild)
    return 1 if wrong.products() and not args.rebuild else 0


def _report(wrong: product_documents.Untrue, waiting: int, *, mended: bool) -> None:
    for what, ids in wrong._asdict().items():
        if ids:
            shown = ", ".join(map(str, ids[:SHOWN])) + (", ..." if len(ids) > SHOWN else "")
            print(
                f"{what}: {len(ids)} {'were' if mended else 'are'} not what the tables say: "
                f"products {shown}"
            )
    if waiting:
        print(f"{waiting} products are {WRITTEN if mended else WAITING}.")
    count = len(wrong.products())
    if not count:
        print("All documents, category rows and search words are true.")
    elif not mended:
        print(f"{count} products are wrong; repair them with --rebuild.")
