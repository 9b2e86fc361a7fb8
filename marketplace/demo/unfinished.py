"""A demo shop whose making was interrupted: nobody was served from its database; it is made anew.

A file in the data folder names the database while the shop is being made. The name is of the server
and the database themselves, so that the file of one says nothing of another.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

from marketplace.config.settings import Config
from marketplace.postgres import databases
from marketplace.postgres.embedded import provision
from marketplace.postgres.embedded import server as embedded_server
from marketplace.postgres.pool import Conn
from marketplace.queries import demo as queries

FILE = "demo-unfinished"


@contextmanager
def noted(config: Config, owner: Conn) -> Iterator[None]:
    """Have the file there until the block has come to its end."""
    file = _file(config)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(queries.origin(owner), encoding="utf-8")
    yield
    file.unlink(missing_ok=True)


def discard(config: Config, report: Callable[[str], None]) -> None:
    """Drop the embedded database if the shop in it is unfinished. Call it before a connection."""
    file = _file(config)
    if config.database_url or not file.exists():
        return
    server = embedded_server.start(config.data_dir)
    try:
        if _is_in(server.dsn(provision.OWNER, "postgres"), file.read_text(encoding="utf-8")):
            report("The demo shop was interrupted while it was made; it is made anew.")
            with psycopg.connect(server.dsn("postgres", "postgres"), autocommit=True) as conn:
                databases.drop(conn, provision.OWNER)
    finally:
        server.stop()
    file.unlink(missing_ok=True)


def _is_in(url: str, origin: str) -> bool:
    """Return whether this is the database that the file names."""
    try:
        with psycopg.connect(url, autocommit=True, row_factory=dict_row) as conn:
            return queries.origin(conn) == origin
    except (psycopg.OperationalError, psycopg.errors.UndefinedFunction):
        return False  # there is no such database, or nothing in it


def _file(config: Config) -> Path:
    return config.data_dir / FILE
