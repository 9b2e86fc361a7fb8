"""What is kept ready for reading, brought up to date with the tables it is made from."""

from collections.abc import Callable, Sequence

from marketplace.db import Conn, Database
from marketplace.queries import documents

BATCH = 1000


class Interrupted(Exception):
    """The worker has been asked to stop: the job is to be done again, by whoever comes next."""


def refresh(conn: Conn, product_ids: Sequence[int], currency: str) -> None:
    """Write documents, category rows and search words of these products, in the transaction that changed them."""
    documents.write(conn, product_ids, currency)
    documents.write_categories(conn, product_ids)
    documents.write_search(conn, product_ids)


def rebuild(
    db: Database, by: str, id: int | None, currency: str, *, stopping: Callable[[], bool] = lambda: False
) -> int:
    """Refresh every product that a store, category or brand touches (or `all`); how many. For the worker.

    A transaction holds at most a thousand products. Doing it twice does no harm. Raises Interrupted.
    """
    done = after_id = 0
    while True:
        if stopping():
            raise Interrupted
        with db.working() as conn:
            product_ids = documents.touched(conn, by, id, after_id=after_id, limit=BATCH)
            if product_ids:
                documents.lock(conn, product_ids)
                refresh(conn, product_ids, currency)
        done += len(product_ids)
        if len(product_ids) < BATCH:
            return done
        after_id = product_ids[-1]
