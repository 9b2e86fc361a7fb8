"""The queue. Statements: sql/queries/jobs.sql."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import psycopg

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql

SQL = named_sql("jobs")


def enqueue(conn: Conn, task: str, *, queue: str, lock: str | None = None, **args: Any) -> None:
    """Enqueue a job in its queue (jobs/queues.py), in the caller's transaction. Jobs with one lock
    run one after the other.
    """
    values = {"task": task, "queue": queue, "lock": lock, "args": orjson.dumps(args).decode()}
    conn.execute(SQL["enqueue"], values)


def enqueue_many(
    conn: Conn, task: str, *, queue: str, jobs: Sequence[tuple[Mapping[str, Any], int]]
) -> None:
    """Enqueue jobs of one kind, each with its arguments and the seconds after which it is due."""
    values = {
        "task": task,
        "queue": queue,
        "args": [orjson.dumps(args).decode() for args, _ in jobs],
        "seconds": [seconds for _, seconds in jobs],
    }
    conn.execute(SQL["enqueue_many"], values)


def enqueue_unless_waiting(conn: Conn, task: str, *, queue: str, lock: str, **args: Any) -> None:
    """Enqueue a job, unless one with its lock waits already: they are to do the same."""
    values = {"task": task, "queue": queue, "lock": lock, "args": orjson.dumps(args).decode()}
    conn.execute(SQL["enqueue_unless_waiting"], values)


async def configure(conn: psycopg.AsyncConnection[Any]) -> None:
    """Make a connection of the worker's queue ready: role, search path, time limits."""
    await conn.execute(SQL["configure"])
    await conn.commit()


async def sign(connector: Any, queues: Sequence[str]) -> None:
    """Show that a worker takes jobs of these queues; on the connections of its queue."""
    await connector.execute_query_async(SQL["sign"], queues=list(queues))


def unserved(conn: Conn, queues: Sequence[str]) -> list[Row]:
    """Return each queue's name, the seconds since a worker took its jobs (None if none ever did)
    and how many wait.
    """
    return conn.execute(SQL["unserved"], {"queues": list(queues)}).fetchall()
