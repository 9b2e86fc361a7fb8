"""One import, from the file in private storage to products: what the worker does with it.

    queued -> reading    the file, row by row: good rows are staged, bad ones are reported
           -> applying   the staged rows, batch by batch, acting as the user who sent the file
           -> done | failed

Every step is a transaction of its own that counts what it did. After a worker was killed while reading, the
next one reads from the beginning; after one was killed while applying, the next one goes on where it stopped.
"""

import logging
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple, NoReturn

import psycopg
import psycopg_pool

from marketplace import catalog_csv
from marketplace.catalog_csv import BadRow, CatalogFile, CatalogRefused, GoodRow
from marketplace.config import Config
from marketplace.db import Conn, Database
from marketplace.queries import categories, import_rows, imports, jobs
from marketplace.queries.import_rows import Batch
from marketplace.storage import Storage
from marketplace.workflows import catalogue
from marketplace.workflows.catalogue import Interrupted

READ_ROWS = 5000
READ_CHARACTERS = 4_000_000
APPLY_ROWS = 1000
#: A database that is away, a lock that was not to be had: worth another try, with everything as it was.
PASSING = (psycopg.OperationalError, psycopg.InterfaceError, psycopg_pool.PoolTimeout)
log = logging.getLogger("marketplace.imports")


class Displaced(Exception):
    """Another worker has taken the import up: this one was too slow to be believed alive."""


class TreeChanged(Exception):
    """A category went away between being found and being locked; the batch is tried again."""


class Refused(Exception):
    """The import has failed for good: a code and words for the seller."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Work(NamedTuple):
    """What an import is run with."""

    db: Database
    files: Storage
    config: Config
    stopping: Callable[[], bool]
    id: int
    store_id: int
    attempt: int
    file_key: str
    default_stock: int


def run(
    db: Database,
    files: Storage,
    config: Config,
    import_id: int,
    *,
    stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Bring one import to its end. Doing it twice does no harm.

    Raises Interrupted, and PASSING errors, with all that was done kept: run it again. What a seller can do
    something about ends it as failed; a bug does so too, and is raised.
    """
    with db.working() as conn:
        row = imports.start(conn, import_id)
        file_key = row["file_key"] if row else imports.find_file(conn, import_id)
    if row is not None:
        work = Work(
            db,
            files,
            config,
            stopping,
            row["id"],
            row["store_id"],
            row["attempt"],
            row["file_key"],
            row["default_stock"],
        )
        try:
            _bring_to_end(work, row["state"])
        except Displaced:
            log.warning("import taken up by another worker", extra={"import_id": import_id})
            return
    if file_key is not None:
        files.delete(file_key)


def give_up(db: Database, import_id: int, code: str, message: str) -> None:
    """End an import as failed that cannot be run."""
    with db.working() as conn:
        imports.finish(conn, import_id, error_code=code, error_message=message)


def _bring_to_end(work: Work, state: str) -> None:
    started = time.monotonic()
    try:
        if state == "reading":
            _read(work)
        rows = _apply(work)
    except (CatalogRefused, Refused) as error:
        _finish(work, error.code, error.message)
        log.info("import failed", extra={"import_id": work.id, "error": error.code})
    except (Interrupted, Displaced, *PASSING):
        raise
    except Exception:
        _finish(work, "internal_error", "The import failed here; the operator finds the reason in the log.")
        raise
    else:
        _finish(work)
        elapsed = round((time.monotonic() - started) * 1000)
        log.info("import done", extra={"import_id": work.id, "rows": rows, "ms": elapsed})


def _hold(conn: Conn, work: Work) -> None:
    """Begin a step: nobody else is at this import until it ends."""
    if not imports.hold(conn, work.id, work.attempt):
        raise Displaced


def _finish(work: Work, error_code: str | None = None, error_message: str | None = None) -> None:
    with work.db.working() as conn:
        _hold(conn, work)
        imports.finish(conn, work.id, error_code=error_code, error_message=error_message)
        jobs.enqueue(conn, "refresh_category_counts", queue="quick", lock="category_counts")
        jobs.enqueue(conn, "refresh_search_words", queue="quick", lock="search_words")


# Reading ----------------------------------------------------------------------------------------------------


def _read(work: Work) -> None:
    """Stage the good rows of the file and report the bad ones."""
    with work.db.working() as conn:
        _hold(conn, work)
        import_rows.forget(conn, work.id)
        known = None if work.config.import_new_categories else _known_categories(conn)
    try:
        stream = work.files.open(work.file_key)
    except FileNotFoundError:
        raise Refused("file_missing", "The file is not in storage any more; send it again.") from None
    with stream:
        catalog = catalog_csv.read(stream, default_stock=work.default_stock, known_category=known)
        for good, bad in _portions(catalog):
            _stage(work, catalog, good, bad, last=False)
    _stage(work, catalog, [], [], last=True)


def _portions(catalog: CatalogFile) -> Iterator[tuple[list[GoodRow], list[BadRow]]]:
    """The rows, as many at a time as fit into memory whatever stands in them."""
    good: list[GoodRow] = []
    bad: list[BadRow] = []
    size = 0
    for row in catalog:
        if isinstance(row, GoodRow):
            good.append(row)
            size += len(row.description or "")
        else:
            bad.append(row)
            size += sum(map(len, row.cells))
        if len(good) + len(bad) >= READ_ROWS or size >= READ_CHARACTERS:
            yield good, bad
            good, bad, size = [], [], 0
    yield good, bad


def _stage(work: Work, catalog: CatalogFile, good: list[GoodRow], bad: list[BadRow], *, last: bool) -> None:
    if work.stopping():
        raise Interrupted
    with work.db.working() as conn:
        _hold(conn, work)
        import_rows.copy(conn, work.id, good)
        imports.add_errors(conn, work.id, bad)
        imports.note_read(
            conn,
            work.id,
            valid=len(good),
            bad=len(bad),
            bytes_read=catalog.bytes_read,
            columns={"header": catalog.header, **catalog.describe()},
            last=last,
        )


def _known_categories(conn: Conn) -> Callable[[tuple[str, ...]], bool]:
    """Whether there is a category, whatever its case."""
    paths = {tuple(name.lower() for name in path) for path in imports.known_paths(conn)}
    return lambda path: tuple(name.lower() for name in path) in paths


# Applying ---------------------------------------------------------------------------------------------------


def _apply(work: Work) -> int:
    """Take the staged rows into the catalogue; how many products that made in this run."""
    created = after_line = 0
    while True:
        if work.stopping():
            raise Interrupted
        try:
            batch, new = _apply_batch(work, after_line)
        except (TreeChanged, psycopg.errors.ForeignKeyViolation):
            continue  # a category or brand was removed meanwhile: the batch finds or makes it anew
        if batch is None:
            return created
        created += new
        after_line = batch.last_line


def _apply_batch(work: Work, after_line: int) -> tuple[Batch | None, int]:
    """The next rows, in one transaction: all of them created, skipped or refused, or none of them touched."""
    with work.db.working() as conn:
        _hold(conn, work)
        _act(conn, work)
        ahead = import_rows.next_batch(conn, work.id, after_line=after_line, limit=APPLY_ROWS)
        if ahead["last_line"] is None:
            return None, 0
        batch = Batch(work.id, work.store_id, after_line, ahead["last_line"])
        skipped = import_rows.skip_known(conn, batch)
        refused = 0
        if ahead["has_categories"]:
            refused = _settle_categories(conn, batch, new=work.config.import_new_categories)
        if ahead["has_brands"]:
            import_rows.add_brands(conn, batch)
        product_ids = import_rows.add_products(conn, batch)
        if product_ids:
            catalogue.refresh(conn, product_ids, work.config.currency)
        import_rows.end_batch(conn, batch, created=len(product_ids), skipped=skipped, refused=refused)
    return batch, len(product_ids)


def _act(conn: Conn, work: Work) -> None:
    """Act as the user who sent the file, if they still may write to the store."""
    try:
        user = imports.act(conn, work.id)
    except psycopg.errors.InvalidAuthorizationSpecification:
        _refuse_user()
    if user["role"] != "admin" and (user["role"] != "seller" or user["store_id"] != work.store_id):
        _refuse_user()


def _refuse_user() -> NoReturn:
    words = "The account that sent the file may not write to the store any more, or the file waited too long."
    raise Refused("session_ended", words) from None


def _settle_categories(conn: Conn, batch: Batch, *, new: bool) -> int:
    """See to it that the batch's categories are there and stay; how many rows were refused for want of them.

    The tree is locked before any category is, as everywhere.
    """
    if not new:
        import_rows.lock_categories(conn, batch)
        return import_rows.refuse_unknown(conn, batch)
    levels = import_rows.missing_levels(conn, batch)
    if levels:
        categories.lock_tree(conn)
    for level in range(1, levels + 1):
        import_rows.add_categories(conn, batch, level)
    import_rows.lock_categories(conn, batch)
    if import_rows.missing_levels(conn, batch):
        raise TreeChanged
    return 0
