"""Brings a database up to the files of sql/migrations: forward only, each once; many starts at once
are fine.

`schema_migrations` lists the applied files with a checksum: a released file is never edited. Each
file is one transaction, except one that starts with `-- no transaction`: one statement (CREATE
INDEX CONCURRENTLY). Connect as the owner of the database, directly and not through a pooler: the
lock belongs to the session.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg.errors import error_from_result
from psycopg.rows import tuple_row

from marketplace.config.folders import SQL as FOLDER
from marketplace.postgres import queue_schema, roles
from marketplace.postgres.roles import MigrationError
from marketplace.postgres.statements import ADMIN, named_sql, script

__all__ = ["MIGRATIONS", "MigrationError", "migrate", "pending"]

MIGRATIONS = FOLDER / "migrations"
SQL = named_sql("migrate", ADMIN)
LOCALE = named_sql("doctor")["locale"]
LOCK = 0x6D61726B6574  # "market"; the key of the advisory lock
LOCK_TIMEOUT = (
    "1s"  # everybody else who needs the table queues up behind us, and gives up after three seconds
)
LOCK_TRIES = 20
LONGEST_PAUSE = 5
#: Functions that give a restored dump what it lacks.
SETTLE = ("settle_change_feed", "settle_event_cursors", "settle_database")
_FILE_NAME = re.compile(r"V(\d{4,9})__[a-z0-9_]+\.sql\Z")


class Migration(NamedTuple):
    """One file."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """Return the SHA-256 of the text, the same whatever line endings git has made."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def alone(self) -> bool:
        """Whether it must not run in a transaction."""
        return self.text.startswith("-- no transaction")


def migrate(dsn: str, report: Callable[[str], None], directory: Path = MIGRATIONS) -> int:
    """Apply the missing files, with a line each to `report`. Return how many. Raises
    MigrationError.
    """
    files = _read(directory)
    with _connected(dsn) as conn, _locked(conn, report):
        conn.execute(script("ledger"))
        applied = _applied(conn)
        _check_locale(conn, bool(applied), report)
        _check(files, applied, report)
        roles.ensure(conn)
        conn.execute(SQL["grant_ledger"])
        missing = [file for file in files if file.version not in applied]
        for file in missing:
            _apply(conn, file, report)
        queue_schema.install(conn, report)
        if _value(conn, "has_months"):
            conn.execute(SQL["make_months"])
        for settle in SETTLE:
            if _value(conn, "has_function", signature=f"public.{settle}()"):
                conn.execute(SQL[settle])
    return len(missing)


def pending(conn: psycopg.Connection[Any], directory: Path = MIGRATIONS) -> list[str]:
    """Return names of the files that this database lacks; one cheap query, which the application's
    role may make.
    """
    try:
        applied = {version for version, _, _ in _rows(conn)}
    except psycopg.errors.UndefinedTable:
        applied = set()
    names = [path.name for path in sorted(directory.glob("V*.sql"))]
    return [name for name in names if int(name[1:].partition("__")[0]) not in applied]


@contextmanager
def _connected(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    try:
        conn = psycopg.connect(
            dsn,
            autocommit=True,
            application_name="marketplace-migrate",
            client_encoding="UTF8",
            prepare_threshold=None,
        )
    except psycopg.OperationalError as error:
        raise MigrationError(
            "The database of MIGRATE_DATABASE_URL (or DATABASE_URL) does not"
            f" respond: {str(error).strip().splitlines()[0]}"
        ) from error
    with conn:
        conn.execute(SQL["prepare_session"])
        yield conn


@contextmanager
def _locked(conn: psycopg.Connection[Any], report: Callable[[str], None]) -> Iterator[None]:
    """Take the lock: one migration at a time. It tries again and again, since a wait inside a
    statement would hold a snapshot, and a CREATE INDEX CONCURRENTLY of the one that has the lock
    would wait for that for ever.
    """
    waiting = False
    while not _value(conn, "try_lock", key=LOCK):
        if not waiting:
            report("Another migration is running; waiting for it.")
            waiting = True
        time.sleep(0.1)
    try:
        yield
    finally:
        if not conn.closed:
            conn.execute(SQL["unlock"], {"key": LOCK})


def _read(directory: Path) -> list[Migration]:
    found: dict[int, Migration] = {}
    for path in sorted(directory.glob("*.sql")):
        match = _FILE_NAME.match(path.name)
        if match is None:
            raise MigrationError(f"{path.name}: a migration is named like V0001__accounts.sql.")
        file = Migration(int(match[1]), path.name, path.read_text(encoding="utf-8"))
        if file.version < 1 or file.version in found:
            raise MigrationError(f"{path.name}: the number {file.version} is taken.")
        found[file.version] = file
    return sorted(found.values())


def _applied(conn: psycopg.Connection[Any]) -> dict[int, tuple[str, str]]:
    return {version: (name, checksum) for version, name, checksum in _rows(conn) if version > 0}


def _rows(conn: psycopg.Connection[Any]) -> list[tuple[int, str, str]]:
    with conn.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(SQL["applied"]).fetchall()


def _check(
    files: list[Migration], applied: dict[int, tuple[str, str]], report: Callable[[str], None]
) -> None:
    """Refuse a database that was not made from these files."""
    known = {file.version: file for file in files}
    newest_here, newest_there = max(known, default=0), max(applied, default=0)
    for version, (name, checksum) in sorted(applied.items()):
        if version not in known:
            if version > newest_here:
                report(f"The database is ahead of this code: it has {name}.")
                continue
            raise MigrationError(
                f"The database has {name}, which this checkout lacks: it is not from this history."
            )
        if known[version].checksum != checksum:
            raise MigrationError(
                f"{known[version].name} was edited after it had been applied as {name};"
                " put it back, and say what should change in a new file."
            )
    for file in files:
        if file.version not in applied and file.version < newest_there:
            raise MigrationError(
                f"{file.name} comes before {applied[newest_there][0]}, which has been applied;"
                " give it a higher number."
            )


def _check_locale(
    conn: psycopg.Connection[Any], in_use: bool, report: Callable[[str], None]
) -> None:
    """Refuse a new database whose locale spoils search, slugs and e-mail addresses. One that is in
    use cannot be given another: it is only reported.
    """
    with conn.cursor(row_factory=tuple_row) as cursor:
        encoding, locale, letters = cursor.execute(LOCALE).fetchall()[0]
    if letters:
        return
    words = (
        f"The database has the encoding {encoding} and the locale {locale}, which do not know"
        " letters beyond ASCII as they are needed: search, slugs and e-mail addresses would go"
        " wrong. Create it with: TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"
    )
    if not in_use:
        raise MigrationError(words)
    report(words)


def _apply(conn: psycopg.Connection[Any], file: Migration, report: Callable[[str], None]) -> None:
    for attempt in range(1, LOCK_TRIES + 1):
        started = time.monotonic()
        try:
            if file.alone:
                _wait_for_locks(conn, "0", transaction=False)
                _run(conn, file)
                _record(conn, file, started)
            else:
                with conn.transaction():
                    _wait_for_locks(conn, LOCK_TIMEOUT, transaction=True)
                    _run(conn, file)
                    _record(conn, file, started)
            break
        except psycopg.errors.LockNotAvailable as error:
            if attempt == LOCK_TRIES:
                raise MigrationError(f"{file.name}: a table it needs is in use: {error}") from error
            report(
                f"{file.name}: a table it needs is in use; trying again ({attempt} of "
                f"{LOCK_TRIES})."
            )
            time.sleep(min(attempt, LONGEST_PAUSE))
    report(f"{file.name} ({time.monotonic() - started:.1f} s)")


def _run(conn: psycopg.Connection[Any], file: Migration) -> None:
    """Send the whole file unchanged, like psql -f; on failure say where."""
    conn.pgconn.send_query(file.text.encode())
    done = 0
    failed = None
    while (result := conn.pgconn.get_result()) is not None:
        if result.error_message:
            failed = failed or error_from_result(result, encoding="utf-8")
        elif failed is None:
            done += 1
    if isinstance(failed, psycopg.errors.LockNotAvailable):
        raise failed
    if failed is not None:
        raise MigrationError(_where(file, failed, done)) from failed


def _where(file: Migration, error: psycopg.Error, done: int) -> str:
    """Return file:line if the server names a place in the text, else which statement of the file it
    was.
    """
    position = error.diag.statement_position
    if position:
        place = f"{file.name}:{file.text.count(chr(10), 0, int(position) - 1) + 1}"
    else:
        place = f"{file.name}: statement {done + 1}"
    context = f" ({error.diag.context.splitlines()[0]})" if error.diag.context else ""
    detail = f" {error.diag.message_detail}" if error.diag.message_detail else ""
    left = " It may have left an invalid index behind: drop it first." if file.alone else ""
    return f"{place}: ERROR {error.sqlstate} {error.diag.message_primary}{detail}{context}{left}"


def _record(conn: psycopg.Connection[Any], file: Migration, started: float) -> None:
    values = {
        "version": file.version,
        "name": file.name,
        "checksum": file.checksum,
        "milliseconds": round((time.monotonic() - started) * 1000),
    }
    conn.execute(SQL["record"], values)


def _wait_for_locks(conn: psycopg.Connection[Any], time: str, *, transaction: bool) -> None:
    conn.execute(SQL["wait_for_locks"], {"time": time, "transaction": transaction})


def _value(conn: psycopg.Connection[Any], name: str, **values: Any) -> Any:
    row = conn.execute(SQL[name], values).fetchone()
    return row[0] if row else None
