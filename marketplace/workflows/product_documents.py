"""Product documents: the prepared data for reading, brought up to date with the tables."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import NamedTuple

from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn
from marketplace.queries import documents

BATCH = 1000
#: Fields of a product that its rows of categories repeat.
LISTED = frozenset({"name", "price", "hidden", "category_id"})
#: Fields that it is found by; options: a variant has come or gone. The price is one word among
#: many, which is exchanged by itself.
FOUND_BY = frozenset({"name", "description", "category_id", "brand_id", "options"})


class Interrupted(Exception):
    """The worker has been told to stop: the next one does the job again."""


class Untrue(NamedTuple):
    """Products whose documents, category rows or search words differed from the tables, by id."""

    documents: list[int]
    categories: list[int]
    search: list[int]

    def products(self) -> list[int]:
        """All of them, each once."""
        return sorted({*self.documents, *self.categories, *self.search})

    def without(self, waiting: Set[int]) -> "Untrue":
        """Without these."""
        return Untrue(*([each for each in ids if each not in waiting] for ids in self))


def refresh(conn: Conn, product_ids: Sequence[int], currency: str) -> Untrue:
    """Write documents, category rows and search words of these products, in the transaction that
    changed them; return what was wrong.
    """
    (written,) = send(conn, product_ids, currency)
    return Untrue(written["documents"], written["categories"], written["search"])


def send(conn: Conn, product_ids: Sequence[int], currency: str) -> documents.Cursor:
    """The same in a pipeline of the caller's."""
    return documents.write(
        conn, currency, documents=product_ids, categories=product_ids, words=product_ids
    )


def send_changed(conn: Conn, changed: Mapping[int, Set[str]], currency: str) -> None:
    """The same for products, by id, of which these fields alone have changed, their images or none
    of them: only what repeats them is written.
    """

    def having(some: Set[str]) -> list[int]:
        return sorted(product_id for product_id, fields in changed.items() if fields & some)

    words = having(FOUND_BY)
    documents.write(
        conn,
        currency,
        documents=sorted(changed),
        categories=having(LISTED),
        words=words,
        prices=[product_id for product_id in having({"price"}) if product_id not in {*words}],
    )


def rebuild(
    db: Database,
    by: str,
    id: int | None,
    currency: str,
    *,
    stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Refresh every product that a store, category or brand touches (or `all`); return how many.
    For the worker.

    A transaction holds at most a thousand products. Doing it twice does no harm. Raises
    Interrupted.
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


def check(db: Database, currency: str, *, mend: bool) -> Iterator[tuple[int, Untrue, int]]:
    """Compare all products with the tables, a thousand in a transaction; yield (last id, what is
    wrong, how many wait).

    They are written anew, and what that changes was wrong. The transaction is rolled back unless
    they are to be repaired. What a pending job will write is only counted.
    """
    after_id = 0
    while True:
        with db.working() as conn:
            product_ids = documents.touched(conn, "all", None, after_id=after_id, limit=BATCH)
            if not product_ids:
                return
            with conn.transaction(force_rollback=not mend):
                documents.lock(conn, product_ids)
                found = refresh(conn, product_ids, currency)
                # After the lock: a job that waits for it cannot have ended meanwhile.
                waiting = (
                    set(documents.waiting(conn, found.products())) if found.products() else set()
                )
        after_id = product_ids[-1]
        yield after_id, found.without(waiting), len(waiting)
