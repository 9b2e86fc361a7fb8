"""One import, from the file in private storage to products: the worker's part.

    queued -> reading    the file is surveyed, then read: good rows staged, bad ones reported
           -> applying   staged rows are matched and applied (workflows/import_variants.py,
                         import_batches.py)
           -> done | failed | cancelled

A dry run goes through all of it and writes nothing; its staged rows stay until it is applied or
cancelled. Every step is a transaction of its own that counts what it did. After a worker was killed
while reading, the next one reads from the start; after one was killed while applying, the next
one goes on where it stopped.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import psycopg
import psycopg_pool

from marketplace import catalogue_csv
from marketplace.catalogue_csv import BadRow, CatalogFile, CatalogRefused, GoodRow
from marketplace.config.settings import Config
from marketplace.files.storage import Storage, StorageUnavailableError, own_image
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import import_changes, import_rows, imports, jobs
from marketplace.text.messages import say
from marketplace.workflows import import_batches
from marketplace.workflows.import_work import Displaced, Refused, Work, hold
from marketplace.workflows.product_documents import Interrupted

READ_ROWS = 5000
READ_CHARACTERS = 4_000_000
REPORT_ROWS = 2000
REPORT_LINES = 50_000
#: Ended imports of a store that are kept, and how much their reports take together, the newest in
#: any case.
KEPT = 1000
KEPT_BYTES = 200 * 1024 * 1024
#: Bytes of a bad row in the report beside its cells.
ROW_BYTES = 150
#: Wished categories that an import names.
NAMED = 100
#: A database or a bucket that is away, a lock that was not available: worth another try, with
#: everything unchanged.
PASSING = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg_pool.PoolTimeout,
    StorageUnavailableError,
)
log = logging.getLogger("marketplace.imports")


class _Portion(NamedTuple):
    good: list[GoodRow]
    bad: list[BadRow]
    shared: int


def run(
    db: Database,
    files: Storage,
    config: Config,
    import_id: int,
    *,
    stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Bring one import to its end. Doing it twice does no harm.

    Raises Interrupted, and PASSING errors, with all finished work kept: run it again. A failure
    that the seller can do something about ends it as failed; a bug does so too, and is raised.
    """
    with db.working() as conn:
        row = imports.start(conn, import_id)
    if row is not None:
        try:
            _bring_to_end(_work(db, files, config, row, stopping), row["state"])
        except Displaced:
            log.warning(
                "import taken over by another worker, or cancelled", extra={"import_id": import_id}
            )
    _clear_up(db, files, import_id)


def give_up(db: Database, import_id: int, code: str, message: str) -> None:
    """End an import as failed that cannot be run."""
    with db.working() as conn:
        imports.finish(conn, import_id, error_code=code, error_message=message)


def _work(
    db: Database, files: Storage, config: Config, row: Row, stopping: Callable[[], bool]
) -> Work:
    own = {name: row[name] for name in Work._fields if name in row}
    return Work(db=db, files=files, config=config, stopping=stopping, **own)


def _clear_up(db: Database, files: Storage, import_id: int) -> None:
    """Remove what an import that has ended for good leaves behind; one that is still run, or may
    be, keeps it.
    """
    with db.working() as conn:
        ended = imports.find_ended(conn, import_id)
        if ended is None:
            return
        import_rows.clear(conn, import_id)
        import_changes.weigh(conn, import_id)
        imports.end_session(conn, import_id)
        imports.trim(conn, import_id, most=KEPT, most_bytes=KEPT_BYTES)
    files.delete(ended)


def _bring_to_end(work: Work, state: str) -> None:
    started = time.monotonic()
    try:
        if state == "reading":
            work = work._replace(fields=_read(work))
        _fit_categories(work)
        if work.mode == "atomic" and not work.dry_run:
            import_batches.apply_at_once(work)
        else:
            import_batches.apply_in_batches(work)
        _complete_report(work)
    except (CatalogRefused, Refused) as error:
        _complete_report(work)
        _finish(work, error.code, error.message)
        log.info("import failed", extra={"import_id": work.id, "error": error.code})
    except (Interrupted, Displaced, *PASSING):
        raise
    except Exception:
        _finish(
            work,
            "internal_error",
            say("The import failed here; the operator finds the reason in the log."),
        )
        raise
    else:
        _finish(work)
        elapsed = round((time.monotonic() - started) * 1000)
        log.info("import done", extra={"import_id": work.id, "ms": elapsed})


def _finish(work: Work, error_code: str | None = None, error_message: str | None = None) -> None:
    with work.db.working() as conn:
        hold(conn, work)
        imports.finish(conn, work.id, error_code=error_code, error_message=error_message)
        import_changes.weigh(conn, work.id)
        if work.dry_run:
            return
        jobs.enqueue(conn, "refresh_category_counts", queue="quick", lock="category_counts")
        jobs.enqueue(conn, "refresh_search_words", queue="quick", lock="search_words")
        jobs.enqueue(conn, "clear_names", queue="quick", lock="names")
    with work.db.working() as conn:
        imports.settle_search(conn)


# Reading
# --------------------------------------------------------------------------------------------------


def _read(work: Work) -> list[str]:
    """Stage the good rows of the file and report the bad ones; return the fields of products in its
    columns.
    """
    with work.db.working() as conn:
        hold(conn, work)
        import_rows.forget(conn, work.id)
    with _opened(work) as stream:
        catalog = _surveyed(work, stream)
        _require_few(work, catalog.rows_total)
        for portion in _portions(catalog, work.config.uploads_urls):
            _stage(work, catalog, portion)
        with work.db.working() as conn:
            hold(conn, work)
            _note(conn, work, catalog, _Portion([], [], 0))
            import_rows.settle_twins(conn, work.id)
            ended = imports.end_reading(conn, work.id)
    if work.mode == "atomic" and not work.dry_run and ended["rows_bad"]:
        words = say(
            "{count} rows are bad, so none was taken; errors.csv names them.",
            count=f"{ended['rows_bad']:,}",
        )
        raise Refused("bad_rows", words)
    return catalog.fields


def _opened(work: Work) -> BinaryIO:
    try:
        return work.files.open(work.file_key)
    except FileNotFoundError:
        raise Refused(
            "file_missing", "The file is not in storage any more; send it again."
        ) from None


def _surveyed(work: Work, stream: BinaryIO) -> CatalogFile:
    """Return the file after its first reading."""

    def watch(bytes_read: int, rows_total: int | None = None) -> None:
        if work.stopping():
            raise Interrupted
        with work.db.working() as conn:
            hold(conn, work)
            imports.note_survey(conn, work.id, bytes_read=bytes_read, rows_total=rows_total)

    with work.db.working() as conn:
        known = None if work.config.import_new_categories else _known_categories(conn)
    catalog = _file(work, stream, known_category=known, watch=watch)
    watch(work.file_bytes, catalog.rows_total)
    return catalog


def _file(work: Work, stream: BinaryIO, **more: Any) -> CatalogFile:
    """Return the file, to be read with the seller's options."""
    return catalogue_csv.read(
        stream,
        dialect=work.dialect,
        decimal=work.decimal_sign,
        currency=work.config.currency,
        columns=work.column_names or {},
        image_base=work.image_base or "",
        **more,
    )


def _require_few(work: Work, rows: int) -> None:
    """Refuse too many rows for one transaction, which must end some time."""
    most = work.config.import_atomic_max_rows
    if work.mode == "atomic" and rows > most:
        words = say(
            "The file has {rows} rows; mode=atomic takes at most {most}. Send it without.",
            rows=f"{rows:,}",
            most=f"{most:,}",
        )
        raise Refused("too_many_rows", words)


def _portions(catalog: CatalogFile, uploads_urls: Sequence[str]) -> Iterator[_Portion]:
    """Yield the rows, as many at a time as fit into memory whatever is in them."""
    good: list[GoodRow] = []
    bad: list[BadRow] = []
    shared = size = 0
    for row in catalog:
        if isinstance(row, GoodRow):
            good.append(_with_own_images(row, uploads_urls) if row.image_urls else row)
            size += len(row.description or "")
        elif isinstance(row, BadRow):
            bad.append(row)
            size += sum(map(len, row.cells))
        else:
            shared += 1
        if len(good) + len(bad) >= READ_ROWS or size >= READ_CHARACTERS:
            yield _Portion(good, bad, shared)
            good, bad = [], []
            shared = size = 0
    yield _Portion(good, bad, shared)


def _with_own_images(row: GoodRow, uploads_urls: Sequence[str]) -> GoodRow:
    """Return the row with our own uploads among its images."""
    row = row._replace(image_urls=tuple(own_image(url, uploads_urls) for url in row.image_urls))
    if row.variant_image is None:
        return row
    return row._replace(
        variant_image=own_image(row.variant_image, uploads_urls),
        gallery=tuple(own_image(url, uploads_urls) for url in row.gallery),
    )


def _stage(work: Work, catalog: CatalogFile, portion: _Portion) -> None:
    if work.stopping():
        raise Interrupted
    with work.db.working() as conn:
        hold(conn, work)
        import_rows.copy(conn, work.id, portion.good, grouped=work.variants != "separate")
        imports.add_errors(conn, work.id, portion.bad)
        _note(conn, work, catalog, portion)


def _note(conn: Conn, work: Work, catalog: CatalogFile, portion: _Portion) -> None:
    imports.note_read(
        conn,
        work.id,
        valid=len(portion.good),
        bad=len(portion.bad),
        shared=portion.shared,
        report_bytes=sum(ROW_BYTES + sum(map(len, row.cells)) for row in portion.bad),
        bytes_read=catalog.bytes_read,
        columns={"header": catalog.header, **catalog.describe()},
        fields=catalog.fields,
    )


def _fit_categories(work: Work) -> None:
    """Hold the file to the number of categories that it and its store may make: other rows go to
    the nearest one.

    It runs before rows are matched or applied, for the first time or again. The import is locked
    last, so that it can be cancelled meanwhile.
    """
    config = work.config
    if not config.import_new_categories:
        return  # the reader has refused rows whose category does not exist
    with work.db.working() as conn:
        room = imports.category_room(
            conn,
            work.id,
            a_file=config.import_new_categories,
            a_store=config.import_new_categories_store,
        )
        if room is None or not import_rows.fit_categories(conn, work.id, room=room):
            return
        wished = import_rows.wishes(conn, work.id, NAMED)
        hold(conn, work)
        imports.note_wishes(
            conn, work.id, {name: wished[name] for name in ("count", "first")}, wished["rows"]
        )


def _known_categories(conn: Conn) -> Callable[[tuple[str, ...]], bool]:
    """Return a function that tells whether a category exists, whatever its case."""
    paths = {tuple(name.lower() for name in path) for path in imports.known_paths(conn)}
    return lambda path: tuple(name.lower() for name in path) in paths


# The report
# -------------------------------------------------------------------------------------------------


def _complete_report(work: Work) -> None:
    """Put the cells of rows that turned out bad after the reading into the report: the file is read
    again.
    """
    while wanted := _bare_lines(work):
        with _opened(work) as stream:
            catalog = _file(work, stream)
            found: dict[int, list[str]] = {}
            for line, cells in catalog.cells():
                if line in wanted:
                    found[line] = cells
                    wanted.discard(line)
                if len(found) >= REPORT_ROWS or not wanted:
                    _fill(work, found)
                if not wanted:
                    break
            _fill(work, found)
        if wanted:
            log.error(
                "rows of the report are not in the file",
                extra={"import_id": work.id, "rows": len(wanted)},
            )
            return


def _bare_lines(work: Work) -> set[int]:
    """Return lines that still lack their cells, not more than fit into memory."""
    with work.db.working() as conn:
        return set(imports.bare_errors(conn, work.id, limit=REPORT_LINES))


def _fill(work: Work, found: dict[int, list[str]]) -> None:
    if found:
        with work.db.working() as conn:
            hold(conn, work)
            imports.fill_errors(conn, work.id, found)
        found.clear()
