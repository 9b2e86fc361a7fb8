"""The database of the generated shop, `marketplace_bench`: on the server of DATABASE_URL, or on
the embedded one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from marketplace.config import settings
from marketplace.config.env import ConfigError
from marketplace.postgres.databases import drop
from marketplace.postgres.embedded import provision
from marketplace.postgres.embedded import server as embedded_server
from marketplace.postgres.statements import named_sql

NAME = "marketplace_bench"
SQL = named_sql("bench", Path(__file__).parent)


class Urls(NamedTuple):
    """Who may make the database, who owns it, and the login of the API."""

    maker: str
    owner: str
    api: str


@contextmanager
def served(name: str = NAME) -> Iterator[Urls]:
    """The logins for a database of that name, which need not exist, for the length of the block.

    The owner of DATABASE_URL (MIGRATE_DATABASE_URL, if given) must be allowed to make databases.
    """
    with provision.connected() as own:
        config = settings.load()
        owner, api = _on(config.migrate_database_url, name), _on(config.database_url, name)
        if not own:
            yield Urls(config.migrate_database_url, owner, api)
            return
        server = embedded_server.start(config.data_dir)
        try:
            yield Urls(server.dsn("postgres", "postgres"), owner, api)
        finally:
            server.stop()


def make_anew(urls: Urls) -> None:
    """Drop the database, if there is one, and make it, empty."""
    wanted = conninfo_to_dict(urls.owner)
    name, owner = str(wanted["dbname"]), sql.Identifier(str(wanted["user"]))
    with psycopg.connect(urls.maker, autocommit=True) as conn:
        drop(conn, name)
        conn.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), owner))


def described(urls: Urls) -> str:
    """Return the shop, as it was recorded when it was full. Raises ConfigError if there is none."""
    name = conninfo_to_dict(urls.owner)["dbname"]
    with psycopg.connect(urls.maker, row_factory=dict_row) as conn:
        row = conn.execute(SQL["describe"], {"name": name}).fetchone()
    if row is None or row["description"] is None:
        raise ConfigError(f"There is no generated shop in {name}: `make bench-data` makes one.")
    return str(row["description"])


def _on(url: str, name: str) -> str:
    """Return the same login for another database."""
    return make_conninfo("", **{**conninfo_to_dict(url), "dbname": name, "user": user_of(url)})


def user_of(url: str) -> str:
    """Return the role that a connection string logs in as."""
    return str(conninfo_to_dict(url).get("user") or os.environ.get("PGUSER") or "postgres")
