"""Imports, from the upload to their end. Statements: sql/queries/imports.sql.

The steps on the staged rows are in queries/import_rows.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from marketplace.catalogue_csv import BadRow
from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one
from marketplace.text.messages import kept

SQL = named_sql("imports")


class Options(NamedTuple):
    """The options of an import. `column_names`: our names of columns to the file's, as JSON."""

    default_stock: int = 0
    mode: str = "skip_bad"
    dry_run: bool = False
    on_match: str = "update"
    dialect: str | None = None
    decimal_sign: str | None = None
    column_names: str | None = None
    image_base: str | None = None
    variants: str = "auto"


def add(
    conn: Conn,
    *,
    store_id: int,
    user_id: int,
    file_name: str | None,
    file_key: str,
    file_bytes: int,
    options: Options,
) -> int:
    """Add an import of the caller's, with the session the worker will act through; return its id.

    imports_store_id_fkey refuses a store that does not exist.
    """
    values = {
        "store_id": store_id,
        "user_id": user_id,
        "file_name": file_name,
        "file_key": file_key,
        "file_bytes": file_bytes,
        **options._asdict(),
    }
    return int(one(conn, SQL["add"], values)["id"])


def add_for_store(
    conn: Conn, store: str, *, file_name: str, file_key: str, file_bytes: int, options: Options
) -> Row | None:
    """Add an import that acts as the owner of a store, given by id or name; return id and store_id.
    For the tables' owner.
    """
    values = {
        "store": store,
        "file_name": file_name,
        "file_key": file_key,
        "file_bytes": file_bytes,
        **options._asdict(),
    }
    return conn.execute(SQL["add_for_store"], values).fetchone()


def lock_store(conn: Conn, store_id: int) -> None:
    """Wait until nobody else adds an import of the store, and keep others waiting until the
    transaction ends.
    """
    conn.execute(SQL["lock_store"], {"store_id": store_id})


def waiting(conn: Conn, store_id: int) -> Row:
    """Return how many `files` of a store wait or run, and how many `bytes` they are together."""
    return one(conn, SQL["waiting"], {"store_id": store_id})


def find(conn: Conn, import_id: int, store_id: int | None) -> Row | None:
    """Return one import of the store, or None. No store: an admin's view. `progress` is in per
    cent.
    """
    return conn.execute(SQL["find"], {"import_id": import_id, "store_id": store_id}).fetchone()


def search(
    conn: Conn, *, store_id: int | None, after_id: int | None, limit: int, offset: int
) -> list[Row]:
    """Return imports of the store (None: of all), newest first; `after_id` is the last one seen."""
    values = {"store_id": store_id, "after_id": after_id, "limit": limit, "offset": offset}
    return conn.execute(SQL["search"], values, prepare=False).fetchall()


def count(conn: Conn, *, store_id: int | None, limit: int) -> int:
    """Return how many there are, counted up to `limit`."""
    values = {"store_id": store_id, "limit": limit}
    return int(conn.execute(SQL["count"], values, prepare=False).fetchall()[0]["matches"])


def bad_rows(conn: Conn, import_id: int, *, after_line: int, limit: int) -> list[Row]:
    """Return the next bad rows: line; columns, codes, messages and their parts, lists of the same
    length; cells, a list.
    """
    return conn.execute(
        SQL["bad_rows"], {"import_id": import_id, "after_line": after_line, "limit": limit}
    ).fetchall()


def lock(conn: Conn, import_id: int, store_id: int | None) -> Row | None:
    """Lock an import of the store; return id, store_id, state, dry_run, mode, rows_bad, expired; or
    None.
    """
    return conn.execute(SQL["lock"], {"import_id": import_id, "store_id": store_id}).fetchone()


def cancel(conn: Conn, import_id: int) -> None:
    """End a locked import; the worker cleans up after it."""
    conn.execute(SQL["cancel"], {"import_id": import_id})


def apply(conn: Conn, import_id: int) -> None:
    """Turn a locked dry run into a real import of the caller's."""
    conn.execute(SQL["apply"], {"import_id": import_id})


def start(conn: Conn, import_id: int) -> Row | None:
    """Take an import; return what it takes to run it, None if it has ended."""
    return conn.execute(SQL["start"], {"import_id": import_id}).fetchone()


def find_ended(conn: Conn, import_id: int) -> str | None:
    """Return the key of the file of an import that has ended for good; None if it has not."""
    row = conn.execute(SQL["find_ended"], {"import_id": import_id}).fetchone()
    return row["file_key"] if row else None


def hold(conn: Conn, import_id: int, attempt: int) -> bool:
    """Lock the import until the transaction ends; False if another worker has it by now, or it has
    ended.
    """
    return (
        conn.execute(SQL["hold"], {"import_id": import_id, "attempt": attempt}).fetchone()
        is not None
    )


def look(conn: Conn, import_id: int, attempt: int) -> bool:
    """Return whether the import is still this worker's, without a lock."""
    return (
        conn.execute(SQL["look"], {"import_id": import_id, "attempt": attempt}).fetchone()
        is not None
    )


def add_errors(conn: Conn, import_id: int, rows: Sequence[BadRow]) -> None:
    """Write the errors of bad rows; the first error of each carries the row itself."""
    errors = [
        (
            row.line,
            number,
            error.column,
            error.code,
            error.message,
            _json(kept(error.message)),
            orjson.dumps(row.cells).decode() if number == 1 else None,
        )
        for row in rows
        for number, error in enumerate(row.errors, 1)
    ]
    if errors:
        names = ("lines", "numbers", "column_names", "codes", "messages", "said", "cells")
        values = dict(zip(names, map(list, zip(*errors, strict=True)), strict=True))
        conn.execute(SQL["add_errors"], {"import_id": import_id, **values})


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def bare_errors(conn: Conn, import_id: int, *, limit: int) -> list[int]:
    """Return the first lines of bad rows whose cells are not in the report yet."""
    return [
        row["line"]
        for row in conn.execute(SQL["bare_errors"], {"import_id": import_id, "limit": limit})
    ]


def fill_errors(conn: Conn, import_id: int, cells: Mapping[int, Sequence[str]]) -> None:
    """Put the cells of bad rows into the report, by line."""
    values = {
        "import_id": import_id,
        "lines": list(cells),
        "cells": [orjson.dumps(list(each)).decode() for each in cells.values()],
    }
    conn.execute(SQL["fill_errors"], values)


def note_survey(conn: Conn, import_id: int, *, bytes_read: int, rows_total: int | None) -> None:
    """Note how far the first reading is, and at its end how many rows there are."""
    conn.execute(
        SQL["note_survey"],
        {"import_id": import_id, "bytes_read": bytes_read, "rows_total": rows_total},
    )


def note_read(
    conn: Conn,
    import_id: int,
    *,
    valid: int,
    bad: int,
    shared: int,
    report_bytes: int,
    bytes_read: int,
    columns: Mapping[str, Any],
    fields: Sequence[str],
) -> None:
    """Count rows that were just read."""
    values = {
        "import_id": import_id,
        "valid": valid,
        "bad": bad,
        "shared": shared,
        "report_bytes": report_bytes,
        "bytes_read": bytes_read,
        "columns": orjson.dumps(columns).decode(),
        "fields": list(fields),
    }
    conn.execute(SQL["note_read"], values)


def end_reading(conn: Conn, import_id: int) -> Row:
    """Note that all rows are read, with rows_valid and rows_bad."""
    return one(conn, SQL["end_reading"], {"import_id": import_id})


def count_applied(
    conn: Conn,
    import_id: int,
    *,
    created: int,
    updated: int,
    unchanged: int,
    skipped: int,
    hidden: int,
    raised: int,
    locked_ms: int | None,
) -> None:
    """Count the outcome of rows; `locked_ms`: how long that held products."""
    values = {
        "import_id": import_id,
        "created": created,
        "updated": updated,
        "unchanged": unchanged,
        "skipped": skipped,
        "hidden": hidden,
        "raised": raised,
        "locked_ms": locked_ms,
    }
    conn.execute(SQL["count_applied"], values)


def count_anew(
    conn: Conn,
    import_id: int,
    *,
    created: int,
    updated: int,
    unchanged: int,
    skipped: int,
    hidden: int,
    raised: int,
    locked_ms: int,
) -> None:
    """Count the outcome of all rows, at the end of the one transaction that did it; rows skipped
    while reading stay.
    """
    values = {
        "import_id": import_id,
        "created": created,
        "updated": updated,
        "unchanged": unchanged,
        "skipped": skipped,
        "hidden": hidden,
        "raised": raised,
        "locked_ms": locked_ms,
    }
    conn.execute(SQL["count_anew"], values)


def category_room(conn: Conn, import_id: int, *, a_file: int, a_store: int) -> int | None:
    """Return how many categories the import may still make; None for as many as its file names."""
    values = {"import_id": import_id, "a_file": a_file, "a_store": a_store}
    room: int | None = one(conn, SQL["category_room"], values)["room"]
    return room


def note_wishes(conn: Conn, import_id: int, wished: Mapping[str, Any], rows: int) -> None:
    """Note the categories that the import might not make, and how many rows name them."""
    values = {"import_id": import_id, "wished": orjson.dumps(wished).decode(), "rows": rows}
    conn.execute(SQL["note_wishes"], values)


def trim(conn: Conn, import_id: int, *, most: int, most_bytes: int) -> int:
    """Forget the oldest ended imports and reports of this import's store; return how many."""
    row = conn.execute(
        SQL["trim"], {"import_id": import_id, "most": most, "most_bytes": most_bytes}
    ).fetchone()
    return int(row["forgotten"]) if row else 0


def forget_old(conn: Conn, *, report_days: int, days: int, most: int) -> int:
    """Forget reports and imports that ended so many days ago, at most so many of each; return how
    many.
    """
    return int(
        one(conn, SQL["forget_old"], {"report_days": report_days, "days": days, "most": most})[
            "forgotten"
        ]
    )


def keep_plan(conn: Conn, import_id: int, plan: Mapping[str, Any]) -> None:
    """Note what a dry run found would be new."""
    conn.execute(SQL["keep_plan"], {"import_id": import_id, "plan": orjson.dumps(plan).decode()})


def settle_search(conn: Conn) -> None:
    """Merge pending words into the indexes."""
    conn.execute(SQL["settle_search"])


def expire(conn: Conn) -> None:
    """Remove staged rows that nobody will apply any more."""
    conn.execute(SQL["expire"])


def worker_alive(conn: Conn) -> bool:
    """Return whether a worker is there to take jobs."""
    return bool(one(conn, SQL["worker_alive"])["alive"])


def act(conn: Conn, import_id: int) -> Row:
    """Act as the user who sent the file from here on; return user_id, role, store_id.

    Raises psycopg.errors.InvalidAuthorizationSpecification when they may not any more.
    """
    return one(conn, SQL["act"], {"import_id": import_id})


def finish(
    conn: Conn, import_id: int, *, error_code: str | None = None, error_message: str | None = None
) -> None:
    """End the import and its session: done, or failed with a code and words."""
    values = {
        "import_id": import_id,
        "error_code": error_code,
        "error_message": error_message,
        "error_said": _json(kept(error_message)) if error_message else None,
    }
    conn.execute(SQL["finish"], values)
    end_session(conn, import_id)


def end_session(conn: Conn, import_id: int) -> None:
    """End the import's session: nobody acts for it any more."""
    conn.execute(SQL["end_session"], {"import_id": import_id})


def known_paths(conn: Conn) -> list[list[str]]:
    """Return every category as the names from the top down to it."""
    return [row["path"] for row in conn.execute(SQL["known_paths"])]


def waiting_files(conn: Conn) -> set[str]:
    """Return keys of the files that imports still need."""
    return {row["file_key"] for row in conn.execute(SQL["waiting_files"])}
