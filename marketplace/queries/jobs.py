"""The queue. Statements: sql/queries/jobs.sql."""

from typing import Any

import orjson
import psycopg

from marketplace.postgres.pool import Conn
from marketplace.postgres.statements import named_sql

SQL = named_sql("jobs")


def enqueue(conn: Conn, task: str, *, queue: str, lock: str | None = None, **args: Any) -> None:
    """Enqueue a job in `quick` or `long`, in the caller's transaction. Jobs with one lock run one
    after the other.
    """
    values = {"task": task, "queue": queue, "lock": lock, "args": orjson.dumps(args).decode()}
    conn.execute(SQL["enqueue"], values)


async def configure(conn: psycopg.AsyncConnection[Any]) -> None:
    """Make a connection of the worker's queue ready: role, search path, time limits."""
    await conn.execute(SQL["configure"])
    await conn.commit()
