"""Databases as a whole. Statements: sql/admin/databases.sql."""

import time
from typing import Any

import psycopg
from psycopg import sql

from marketplace.postgres.statements import ADMIN, named_sql

SQL = named_sql("databases", ADMIN)
PATIENCE = 60.0


def drop(conn: psycopg.Connection[Any], name: str) -> None:
    """Drop a database, if it exists, and end all connections to it; `conn` is in autocommit.

    Only a superuser may end an autovacuum as a connection. For others the server ends it, where a
    database is dropped that nobody else uses. Raises InsufficientPrivilege if the database belongs
    to somebody else, and ObjectInUse if clients come back for a minute.
    """
    with_all, unused = (
        sql.SQL(SQL[statement]).format(database=sql.Identifier(name))
        for statement in ("drop", "drop_unused")
    )
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            conn.execute(with_all)
            return
        except psycopg.errors.InsufficientPrivilege:
            pass
        try:
            conn.execute(unused)
            return
        except psycopg.errors.ObjectInUse:
            if time.monotonic() > deadline:
                raise
