"""Installs procrastinate's own schema into the schema `jobs`, and upgrades it with the library.

The files are the library's; ours is only where they go and who may do what with them.
`schema_migrations` has the newest applied one of its migration files under number 0.
"""

import hashlib
import time
from collections.abc import Callable
from importlib import resources
from typing import Any

import psycopg
from psycopg import sql

from marketplace.postgres.roles import MigrationError
from marketplace.postgres.statements import ADMIN, named_sql, script

SQL = named_sql("queue", ADMIN)


def install(conn: psycopg.Connection[Any], report: Callable[[str], None]) -> None:
    """Create the queue, or apply the library's migrations that it lacks."""
    folder = resources.files("procrastinate") / "sql"
    files = sorted(
        file.name for file in (folder / "migrations").iterdir() if file.name.endswith(".sql")
    )
    row = conn.execute(SQL["installed"]).fetchone()
    if row is None:
        conn.execute(SQL["make_schema"])
        conn.execute(SQL["describe_schema"])
        _apply(conn, (folder / "schema.sql").read_text(encoding="utf-8"), files[-1])
        report("the job queue")
    else:
        for name in (name for name in files if name > row[0]):
            _apply(conn, (folder / "migrations" / name).read_text(encoding="utf-8"), name)
            report(f"the job queue: {name}")
    with conn.transaction():
        _pin_functions(conn)
        conn.execute(script("queue_grants"))


def _apply(conn: psycopg.Connection[Any], text: str, newest: str) -> None:
    started = time.monotonic()
    try:
        with conn.transaction():
            conn.execute(SQL["enter_schema"])
            conn.execute(text.encode())
            values = {
                "name": newest,
                "checksum": hashlib.sha256(text.encode()).hexdigest(),
                "milliseconds": round((time.monotonic() - started) * 1000),
            }
            conn.execute(SQL["record"], values)
    except psycopg.Error as error:
        reason = f"ERROR {error.sqlstate} {error.diag.message_primary}"
        raise MigrationError(f"The job queue's {newest}: {reason}") from error


def _pin_functions(conn: psycopg.Connection[Any]) -> None:
    """Let each function find its tables whatever the caller's search_path is: the API's lacks
    `jobs`.
    """
    for (signature,) in conn.execute(SQL["unpinned"]).fetchall():
        conn.execute(sql.SQL(SQL["pin"]).format(function=sql.SQL(signature)))
