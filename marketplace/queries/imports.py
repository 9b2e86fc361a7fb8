"""Imports, from the upload to their end. Statements: sql/queries/imports.sql.

The steps on the staged rows are in queries/import_rows.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from marketplace.catalog_csv import BadRow
from marketplace.db import Conn, Row, named_sql, one

SQL = named_sql("imports")


def add(
    conn: Conn,
    *,
    store_id: int,
    user_id: int,
    file_name: str | None,
    file_key: str,
    file_bytes: int,
    default_stock: int,
) -> int:
    """Add an import of the caller's, with the session the worker will act through; its id.

    imports_store_id_fkey refuses a store that does not exist.
    """
    values = {
        "store_id": store_id,
        "user_id": user_id,
        "file_name": file_name,
        "file_key": file_key,
        "file_bytes": file_bytes,
        "default_stock": default_stock,
    }
    return int(one(conn, SQL["add"], values)["id"])


def find(conn: Conn, import_id: int, store_id: int | None) -> Row | None:
    """One import of the store, or None. No store: an admin's view. `progress` is in per cent."""
    return conn.execute(SQL["find"], {"import_id": import_id, "store_id": store_id}).fetchone()


def search(conn: Conn, *, store_id: int | None, after_id: int | None, limit: int, offset: int) -> list[Row]:
    """Imports of the store (None: of all), newest first; `after_id` is the last one seen."""
    values = {"store_id": store_id, "after_id": after_id, "limit": limit, "offset": offset}
    return conn.execute(SQL["search"], values, prepare=False).fetchall()


def count(conn: Conn, *, store_id: int | None, limit: int) -> int:
    """How many there are, counted up to `limit`."""
    values = {"store_id": store_id, "limit": limit}
    return int(conn.execute(SQL["count"], values, prepare=False).fetchall()[0]["matches"])


def bad_rows(conn: Conn, import_id: int, *, after_line: int, limit: int) -> list[Row]:
    """The next bad rows: line; columns, codes and messages (several with `; ` between); cells, a list."""
    return conn.execute(SQL["bad_rows"], {"import_id": import_id, "after_line": after_line, "limit": limit}).fetchall()


def start(conn: Conn, import_id: int) -> Row | None:
    """Take an import up: id, store_id, state, attempt, file_key, default_stock. None when it has ended."""
    return conn.execute(SQL["start"], {"import_id": import_id}).fetchone()


def find_file(conn: Conn, import_id: int) -> str | None:
    """The key of an import's file in private storage; None when there is no such import."""
    row = conn.execute(SQL["find_file"], {"import_id": import_id}).fetchone()
    return row["file_key"] if row else None


def hold(conn: Conn, import_id: int, attempt: int) -> bool:
    """Lock the import until the transaction ends; False when another worker has it by now."""
    return conn.execute(SQL["hold"], {"import_id": import_id, "attempt": attempt}).fetchone() is not None


def add_errors(conn: Conn, import_id: int, rows: Sequence[BadRow]) -> None:
    """Write what is wrong with bad rows; the first error of each carries the row itself."""
    errors = [
        (
            row.line,
            number,
            error.column,
            error.code,
            error.message,
            orjson.dumps(row.cells).decode() if number == 1 else None,
        )
        for row in rows
        for number, error in enumerate(row.errors, 1)
    ]
    if errors:
        names = ("lines", "numbers", "column_names", "codes", "messages", "cells")
        values = dict(zip(names, map(list, zip(*errors, strict=True)), strict=True))
        conn.execute(SQL["add_errors"], {"import_id": import_id, **values})


def note_read(
    conn: Conn,
    import_id: int,
    *,
    valid: int,
    bad: int,
    bytes_read: int,
    columns: Mapping[str, Any],
    last: bool,
) -> None:
    """Count rows that were just read; after the last ones the import is `applying`."""
    values = {
        "import_id": import_id,
        "valid": valid,
        "bad": bad,
        "bytes_read": bytes_read,
        "columns": orjson.dumps(columns).decode(),
        "last": last,
    }
    conn.execute(SQL["note_read"], values)


def act(conn: Conn, import_id: int) -> Row:
    """Act as the user who sent the file from here on: user_id, role, store_id.

    Raises psycopg.errors.InvalidAuthorizationSpecification when they may not any more.
    """
    return one(conn, SQL["act"], {"import_id": import_id})


def finish(conn: Conn, import_id: int, *, error_code: str | None = None, error_message: str | None = None) -> None:
    """End the import and its session: done, or failed with a code and words."""
    values = {"import_id": import_id, "error_code": error_code, "error_message": error_message}
    conn.execute(SQL["finish"], values)
    conn.execute(SQL["end_session"], {"import_id": import_id})


def known_paths(conn: Conn) -> list[list[str]]:
    """Every category as the names from the top down to it."""
    return [row["path"] for row in conn.execute(SQL["known_paths"])]


def waiting_files(conn: Conn) -> set[str]:
    """Keys of the files that imports still need."""
    return {row["file_key"] for row in conn.execute(SQL["waiting_files"])}
