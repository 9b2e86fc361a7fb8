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
from marketplace.config.settings import ROOT
from marketplace.postgres import roles
from marketplace.postgres.embedded import server as embedded_server

LARGE_OBJECTS = ROOT / "sql" / "admin" / "large_objects.sql"
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
        _role(conn, OWNER, "LOGIN CREATEROLE IN ROLE pg_read_all_stats")
        if conn.execute("SELECT FROM pg_database WHERE datname = %s", [OWNER]).fetchone() is None:
            conn.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(sql.Identifier(OWNER)))
    with psycopg.connect(server.dsn(OWNER, OWNER), autocommit=True) as conn:
        roles.ensure(conn)
    with psycopg.connect(server.dsn(OWNER, "postgres"), autocommit=True) as conn:
        conn.execute(LARGE_OBJECTS.read_bytes())
        _role(conn, API, "LOGIN IN ROLE marketplace_app")
        _role(conn, WORKER, "LOGIN IN ROLE marketplace_worker")
        if conn.execute("SHOW shared_preload_libraries").fetchone() == ("pg_stat_statements",):
            conn.execute("SET client_min_messages = warning")
            conn.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")


def _role(conn: psycopg.Connection[tuple[object, ...]], name: str, options: str) -> None:
    if conn.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is None:
        conn.execute(f"CREATE ROLE {name} {options}")
