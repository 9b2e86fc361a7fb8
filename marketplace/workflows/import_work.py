"""One import at work: its means, how its steps begin and fail, and what both kinds of rows need."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import psycopg

from marketplace.config.settings import Config
from marketplace.files.storage import Storage
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn
from marketplace.queries import categories, import_changes, import_rows, import_variants, imports
from marketplace.queries.import_rows import Batch, WrongRow

APPLY_ROWS = 1000
#: If nothing is written, batches may be larger.
LOOK_ROWS = 5000
#: Images of a change that are told.
TOLD_IMAGES = 10


class Displaced(Exception):
    """Another worker has taken the import over (this one was too slow and counted as dead), or it
    was cancelled.
    """


class Unsettled(Exception):
    """The catalogue has changed beside the import: a category was removed between being found and
    being locked, or a row belongs to a product with variants by now, or does not any more. Groups
    are settled again, and the rest of the rows is tried again.
    """


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
OVERTAKEN = (psycopg.errors.ForeignKeyViolation, psycopg.errors.UniqueViolation)


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
    variants: str
    fields: list[str]


class Count(NamedTuple):
    """The outcome of the rows of a batch."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    hidden: int = 0
    raised: int = 0

    def plus(self, other: "Count") -> "Count":
        """Return the sum."""
        return Count(*(mine + its for mine, its in zip(self, other, strict=True)))


def hold(conn: Conn, work: Work) -> None:
    """Begin a step: nobody else works on this import until it ends."""
    if not imports.hold(conn, work.id, work.attempt):
        raise Displaced


def act(conn: Conn, work: Work) -> None:
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


def refuse(work: Work, found: Found) -> None:
    """Turn rows into bad ones."""
    with work.db.working() as conn:
        hold(conn, work)
        found.refuse(conn)


def refuse_all(work: Work) -> NoReturn:
    """End an import that is one transaction, and of which rows turned out bad."""
    raise Refused(
        "bad_rows", "Rows turned out bad, so none was taken; errors.csv names them."
    ) from None


def tell(work: Work, count: Count) -> None:
    """Record the progress of an unfinished transaction; stop it if the import was cancelled."""
    with work.db.working() as conn:
        if not imports.look(conn, work.id, work.attempt):
            raise Displaced
        imports.count_applied(conn, work.id, **count._asdict(), locked_ms=None)


def found_wrong(import_id: int, wrong: Sequence[WrongRow]) -> Found:
    """Return the finding that rows are wrong."""
    return Found(lambda conn: import_rows.refuse(conn, import_id, wrong))


def settle_groups(work: Work) -> None:
    """Settle which rows are variants of one product, before rows are applied, for the first time
    or again.

    A group one of whose rows is of a simple product stays apart, unless variants are to be
    together; a row of a product that has variants goes with them.
    """
    with work.db.working() as conn:
        hold(conn, work)
        there = import_variants.any_there(conn, work.id, work.store_id)
        if not (there["in_store"] or there["in_file"]):
            return
        if (
            there["in_file"]
            and work.variants == "auto"
            and import_variants.part(conn, work.id, work.store_id)
        ):
            import_rows.settle_twins(conn, work.id)
        if there["in_store"]:
            import_variants.attach(conn, work.id, work.store_id)
        refused = import_variants.refuse_groups(conn, work.id)
    if refused and work.mode == "atomic" and not work.dry_run:
        refuse_all(work)


def settle_names(
    conn: Conn, work: Work, batch: Batch, *, has_categories: bool, has_brands: bool
) -> None:
    """Make sure that the batch's categories and brands exist and stay. The tree is locked before
    any category.
    """
    if has_categories:
        if work.config.import_new_categories:
            levels = import_rows.missing_levels(conn, batch)
            if levels:
                categories.lock_tree(conn)
            for level in range(1, levels + 1):
                import_rows.add_categories(conn, batch, level)
        import_rows.lock_categories(conn, batch)
        if import_rows.missing_levels(conn, batch):
            if work.config.import_new_categories:
                raise Unsettled
            raise Found(lambda later: import_rows.refuse_unknown(later, batch))
    if has_brands:
        import_rows.add_brands(conn, batch)


def change_stock(
    conn: Conn, work: Work, batch: Batch, stocked: Sequence[import_rows.Stocked]
) -> None:
    """Write the stock of rows whose rest stands already; those that expected another one are bad
    rows, and nothing is told of them.
    """
    wrong = import_rows.change_stock(conn, batch, stocked)
    if wrong:
        import_rows.refuse(conn, work.id, wrong)
        import_changes.leave_out(conn, work.id, [each.line for each in wrong])


def milliseconds_since(started: float) -> int:
    """Return how long ago a time of the monotonic clock was."""
    return round((time.monotonic() - started) * 1000)
