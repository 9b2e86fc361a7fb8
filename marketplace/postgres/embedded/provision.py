"""Which database a command uses: that of DATABASE_URL, or else the embedded one.

The embedded server gets what a DBA would set up elsewhere: the owner `marketplace`, its database,
and a login each for the API and the worker, which own nothing.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from marketplace.config import settings
from marketplace.postgres import roles
from marketplace.postgres.embedded import server as embedded_server
from marketplace.postgres.statements import ADMIN, named_sql, script

SQL = named_sql("databases", ADMIN)
OWNER = "marketplace"
API = "marketplace_api"
WORKER = "marketplace_jobs"


@contextmanager
def connected() -> Iterator[bool]:
    """For the length of the block the environment has DATABASE_URL, MIGRATE_DATABASE_URL and
    WORKER_DATABASE_URL.

    If DATABASE_URL is given nothing is changed and the value is False. Else the embedded server
    runs during the block, found or started, and the value is True. Raises EmbeddedError or
    ConfigError.
    """
    config = settings.load()
    if config.database_url:
        yield False
        return
    server = embedded_server.start(config.data_dir)
    try:
        _prepare(server)
        os.environ["DATABASE_URL"] = server.dsn(OWNER, API)
        os.environ["MIGRATE_DATABASE_URL"] = server.dsn(OWNER, OWNER)
        os.environ["WORKER_DATABASE_URL"] = server.dsn(OWNER, WORKER)
        os.environ["PATH"] += f"{os.pathsep}{server.bin('.')}"  # psql, if the system has none
        yield True
    finally:
        server.stop()


def _prepare(server: embedded_server.Server) -> None:
    """Make the owner, its database and the logins, unless they exist."""
    with psycopg.connect(server.dsn("postgres", "postgres"), autocommit=True) as conn:
        _make_role(conn, "make_owner", OWNER)
        if conn.execute(SQL["exists"], {"database": OWNER}).fetchone() is None:
            conn.execute(sql.SQL(SQL["make"]).format(database=sql.Identifier(OWNER)))
    with psycopg.connect(server.dsn(OWNER, OWNER), autocommit=True) as conn:
        roles.ensure(conn)
    with psycopg.connect(server.dsn(OWNER, "postgres"), autocommit=True) as conn:
        conn.execute(script("large_objects"))
        _make_role(conn, "make_api_login", API)
        _make_role(conn, "make_worker_login", WORKER)
        if conn.execute(SQL["preloaded"]).fetchone() == ("pg_stat_statements",):
            conn.execute(SQL["be_quiet"])
            conn.execute(SQL["make_statistics"])


def _make_role(conn: psycopg.Connection[tuple[object, ...]], how: str, role: str) -> None:
    if conn.execute(SQL["role_exists"], {"role": role}).fetchone() is None:
        conn.execute(sql.SQL(SQL[how]).format(role=sql.Identifier(role)))
