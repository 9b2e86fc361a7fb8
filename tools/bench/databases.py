"""The database of the generated shop, `marketplace_bench`: on the server of DATABASE_URL, or on the embedded one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from marketplace import config as configuration
from marketplace import databases, embedded

NAME = "marketplace_bench"


class Urls(NamedTuple):
    """Who may make the database, who owns it, and as whom the API logs in."""

    maker: str
    owner: str
    api: str


@contextmanager
def served(name: str = NAME) -> Iterator[Urls]:
    """The logins for a database of that name, which need not exist, for the length of the block.

    The owner of DATABASE_URL (MIGRATE_DATABASE_URL, where given) must be allowed to make databases.
    """
    with databases.connected() as own:
        config = configuration.load()
        owner, api = _on(config.migrate_database_url, name), _on(config.database_url, name)
        if not own:
            yield Urls(config.migrate_database_url, owner, api)
            return
        server = embedded.start(config.data_dir)
        try:
            yield Urls(server.dsn("postgres", "postgres"), owner, api)
        finally:
            server.stop()


def make_anew(urls: Urls) -> None:
    """Drop the database, where there is one, and make it, empty."""
    wanted = conninfo_to_dict(urls.owner)
    name, owner = sql.Identifier(str(wanted["dbname"])), sql.Identifier(str(wanted["user"]))
    with psycopg.connect(urls.maker, autocommit=True) as conn:
        conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        conn.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, owner))


def _on(url: str, name: str) -> str:
    """The same login, another database."""
    return make_conninfo("", **{**conninfo_to_dict(url), "dbname": name, "user": user_of(url)})


def user_of(url: str) -> str:
    """The role a connection string logs in as."""
    return str(conninfo_to_dict(url).get("user") or os.environ.get("PGUSER") or "postgres")
