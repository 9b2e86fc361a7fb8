"""The staged rows of an import on their way into the catalogue, a batch at a time.

With `skip_bad` a batch is two short transactions, so that no buyer waits: first products, images
and documents, then stock, which is locked before products everywhere. With `atomic` all batches are
one transaction, which locks the stock that it will change first. A dry run only reads.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import psycopg

from marketplace.config.settings import Config
from marketplace.files.storage import Storage
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn
from marketplace.queries import categories, documents, import_rows, imports
from marketplace.queries.import_rows import Batch, Matched
from marketplace.workflows import product_documents
from marketplace.workflows.product_documents import Interrupted

APPLY_ROWS = 1000
#: If nothing is written, batches may be larger.
LOOK_ROWS = 5000
#: New categories and brands that a dry run names.
NAMED = 100


class Displaced(Exception):
    """Another worker has taken the import over (this one was too slow and counted as dead), or it
    was cancelled.
    """


class TreeChanged(Exception):
    """A category was removed between being found and being locked; the batch is tried again."""


class Refused(Exception):
    """The import has failed for good: a code and words for the seller."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Found(Exception):
    """Staged rows turn out bad: `refuse` makes them so, in a transaction of its own."""

    def __init__(self, refuse: Callable[[Conn], None]) -> None:
        super().__init__()
        self.refuse = refuse


#: Somebody else was quicker: a category or brand was removed, a product made. The next try finds or
#: makes it.
OVERTAKEN = (TreeChanged, psycopg.errors.ForeignKeyViolation, psycopg.errors.UniqueViolation)


class Work(NamedTuple):
    """The context of an import's run."""

    db: Database
    files: Storage
    config: Config
    stopping: Callable[[], bool]
    id: int
    store_id: int
    attempt: int
    file_key: str
    file_bytes: int
    default_stock: int
    mode: str
    dry_run: bool
    on_match: str
    dialect: str | None
    decimal_sign: Any
    column_names: Mapping[str, Any] | None
    image_base: str | None
    fields: list[str]


class _Count(NamedTuple):
    """The outcome of the rows of a batch."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    hidden: int = 0

    def plus(self, other: "_Count") -> "_Count":
        return _Count(*(mine + its for mine, its in zip(self, other, strict=True)))


def hold(conn: Conn, work: Work) -> None:
    """Begin a step: nobody else works on this import until it ends."""
    if not imports.hold(conn, work.id, work.attempt):
        raise Displaced


def apply_in_batches(work: Work) -> None:
    """Apply the staged rows to the catalogue, or count what that would do."""
    after_line = 0
    while True:
        if work.stopping():
            raise Interrupted
        try:
            batch = _look(work, after_line) if work.dry_run else _apply(work, after_line)
        except OVERTAKEN:
            continue
        except Found as found:
            _refuse(work, found)
            continue
        if batch is None:
            return
        after_line = batch.last_line


def apply_at_once(work: Work) -> None:
    """Apply all staged rows to the catalogue in one transaction, or none of them."""
    while True:
        try:
            return _apply_all(work)
        except OVERTAKEN:
            continue
        except Found as found:
            _refuse(work, found)
            raise Refused(
                "bad_rows", "Rows turned out bad, so none was taken; errors.csv names them."
            ) from None


def _refuse(work: Work, found: Found) -> None:
    with work.db.working() as conn:
        hold(conn, work)
        found.refuse(conn)


def _look(work: Work, after_line: int) -> Batch | None:
    """Count what the next rows would do."""
    with work.db.working() as conn:
        hold(conn, work)
        batch, ahead = _next(conn, work, after_line, LOOK_ROWS)
        if batch is None:
            imports.keep_plan(conn, work.id, import_rows.new_things(conn, work.id, NAMED))
            return None
        met = _met(conn, batch)
        count = _counted(work, met, created=ahead["rows_ahead"] - len(met.met))
        imports.count_applied(conn, work.id, **count._asdict(), locked_ms=None)
    return batch


def _apply(work: Work, after_line: int) -> Batch | None:
    """Apply the next rows: products in one transaction, stock in another."""
    with work.db.working() as conn:
        hold(conn, work)
        _act(conn, work)
        batch, ahead = _next(conn, work, after_line, APPLY_ROWS)
        if batch is None:
            return None
        started = time.monotonic()
        met, count = _write(conn, work, batch, ahead)
        later = [] if work.on_match == "skip" else met.stocked
        if later:
            import_rows.settle(conn, work.id, later)
        import_rows.end_batch(conn, batch, keep=later)
        imports.count_applied(conn, work.id, **count._asdict(), locked_ms=_since(started))
    if later:
        _write_stock(work, batch, met)
    return batch


def _write_stock(work: Work, batch: Batch, met: Matched) -> None:
    with work.db.working() as conn:
        hold(conn, work)
        _act(conn, work)
        started = time.monotonic()
        import_rows.change_stock(conn, work.id, work.store_id, met.stocked, met.stocked_ids)
        import_rows.end_batch(conn, batch, keep=[])
        imports.count_applied(conn, work.id, **_Count()._asdict(), locked_ms=_since(started))


def _apply_all(work: Work) -> None:
    """Apply all rows. Another connection records progress meanwhile; the import is locked last, so
    that it can be cancelled.
    """
    with work.db.working() as conn:
        _act(conn, work)
        started = time.monotonic()
        if work.on_match == "update":
            import_rows.lock_stock_ahead(conn, work.id, work.store_id)
        count, after_line = _Count(), 0
        while True:
            if work.stopping():
                raise Interrupted
            batch, ahead = _next(conn, work, after_line, APPLY_ROWS)
            if batch is None:
                break
            met, more = _write(conn, work, batch, ahead)
            if met.stocked and work.on_match == "update":
                import_rows.change_stock(conn, work.id, work.store_id, met.stocked, met.stocked_ids)
            count, after_line = count.plus(more), batch.last_line
            _tell(work, more)
        hold(conn, work)
        imports.count_anew(conn, work.id, **count._asdict(), locked_ms=_since(started))
        import_rows.clear(conn, work.id)


def _tell(work: Work, count: _Count) -> None:
    """Record the progress of an unfinished transaction; stop it if the import was cancelled."""
    with work.db.working() as conn:
        if not imports.look(conn, work.id, work.attempt):
            raise Displaced
        imports.count_applied(conn, work.id, **count._asdict(), locked_ms=None)


def _next(
    conn: Conn, work: Work, after_line: int, limit: int
) -> tuple[Batch | None, dict[str, Any]]:
    ahead = import_rows.next_batch(conn, work.id, after_line=after_line, limit=limit)
    if ahead["last_line"] is None:
        return None, ahead
    return Batch(
        work.id, work.store_id, after_line, ahead["last_line"], work.default_stock, work.fields
    ), ahead


def _met(conn: Conn, batch: Batch) -> Matched:
    """Match the batch with products. Raises Found for rows whose keys match several products, and
    for those that match none and lack what a new one needs.
    """
    met = import_rows.match(conn, batch)
    if met.conflicts:
        raise Found(
            lambda later: import_rows.refuse_conflicts(later, batch.import_id, met.conflicts)
        )
    if met.incomplete:
        raise Found(
            lambda later: import_rows.refuse_incomplete(later, batch.import_id, met.incomplete)
        )
    return met


def _write(conn: Conn, work: Work, batch: Batch, ahead: dict[str, Any]) -> tuple[Matched, _Count]:
    """Write products, images and documents of a batch; return its matches, and the outcome of its
    rows.
    """
    met = _met(conn, batch)
    if work.on_match == "update" and (met.changed or met.pictures):
        documents.lock(conn, sorted({*met.changed_ids, *met.pictures_ids}))
        met = _met(conn, batch)  # what others have written until the lock was granted
    new = ahead["rows_ahead"] > len(met.met)
    if new or (work.on_match == "update" and met.changed):
        _settle_names(conn, work, batch, ahead)
    product_ids = import_rows.add_products(conn, batch, met.met) if new else []
    if product_ids:
        product_documents.add(conn, product_ids, work.config.currency)
    if work.on_match == "update":
        _change(conn, work, batch, met)
    return met, _counted(work, met, created=len(product_ids), before=ahead["settled"])


def _change(conn: Conn, work: Work, batch: Batch, met: Matched) -> None:
    """Write the differences to existing products."""
    if met.changed:
        import_rows.change_products(conn, batch, met.changed, met.changed_ids)
    if met.pictures:
        import_rows.change_images(conn, batch, met.pictures, met.pictures_ids)
        changed = set(met.changed_ids)
        import_rows.touch_products(
            conn, batch, [each for each in met.pictures_ids if each not in changed]
        )
    touched = sorted({*met.changed_ids, *met.pictures_ids})
    if touched:
        product_documents.refresh(conn, touched, work.config.currency)


def _counted(work: Work, met: Matched, *, created: int, before: Sequence[int] = ()) -> _Count:
    """Count the outcome of the rows; `before`: lines that were counted when all of them except the
    stock was written.
    """
    if work.on_match == "skip":
        return _Count(created=created, skipped=len(met.met), hidden=len(met.hidden))
    touched = {*met.changed, *met.pictures, *met.stocked}
    return _Count(
        created=created,
        updated=len(touched.difference(before)),
        unchanged=len(set(met.met).difference(touched, before)),
        hidden=len(set(met.hidden).difference(before)),
    )


def _settle_names(conn: Conn, work: Work, batch: Batch, ahead: dict[str, Any]) -> None:
    """Make sure that the batch's categories and brands exist and stay. The tree is locked before
    any category.
    """
    if ahead["has_categories"]:
        if work.config.import_new_categories:
            levels = import_rows.missing_levels(conn, batch)
            if levels:
                categories.lock_tree(conn)
            for level in range(1, levels + 1):
                import_rows.add_categories(conn, batch, level)
        import_rows.lock_categories(conn, batch)
        if import_rows.missing_levels(conn, batch):
            if work.config.import_new_categories:
                raise TreeChanged
            raise Found(lambda later: import_rows.refuse_unknown(later, batch))
    if ahead["has_brands"]:
        import_rows.add_brands(conn, batch)


def _act(conn: Conn, work: Work) -> None:
    """Act as the user who sent the file, if they still may write to the store."""
    try:
        user = imports.act(conn, work.id)
    except psycopg.errors.InvalidAuthorizationSpecification:
        _refuse_user()
    if user["role"] != "admin" and (user["role"] != "seller" or user["store_id"] != work.store_id):
        _refuse_user()


def _refuse_user() -> NoReturn:
    words = (
        "The account that sent the file may not write to the store any more, or the file "
        "waited too long."
    )
    raise Refused("session_ended", words) from None


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
