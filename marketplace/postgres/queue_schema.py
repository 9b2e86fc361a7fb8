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

#: Enqueueing needs to insert a job and to read its id; only the worker may read the arguments of
#: jobs.
_GRANTS = """
GRANT USAGE ON SCHEMA jobs TO marketplace_app, marketplace_worker, marketplace_readonly;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA jobs TO marketplace_app, marketplace_worker;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA jobs TO marketplace_app, marketplace_worker;
GRANT INSERT ON jobs.procrastinate_jobs, jobs.procrastinate_events TO marketplace_app;
GRANT SELECT
(id, queue_name, task_name, priority, lock, queueing_lock, status, scheduled_at, attempts)
ON jobs.procrastinate_jobs TO marketplace_app, marketplace_readonly;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA jobs TO marketplace_worker;
"""

#: Before each job, whoever enqueues it (sql/migrations/V0019). Made once: it waits for writers.
_GUARD = """
DO $$
BEGIN
    IF to_regprocedure('public.guard_jobs()') IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_trigger
        WHERE tgrelid = 'jobs.procrastinate_jobs'::regclass AND tgname = 'guard_jobs'
    ) THEN
        CREATE TRIGGER guard_jobs BEFORE INSERT ON jobs.procrastinate_jobs
        FOR EACH ROW EXECUTE FUNCTION public.guard_jobs();
    END IF;
END
$$;
"""


def install(conn: psycopg.Connection[Any], report: Callable[[str], None]) -> None:
    """Create the queue, or apply the library's migrations that it lacks."""
    folder = resources.files("procrastinate") / "sql"
    files = sorted(
        file.name for file in (folder / "migrations").iterdir() if file.name.endswith(".sql")
    )
    row = conn.execute("SELECT name FROM public.schema_migrations WHERE version = 0").fetchone()
    if row is None:
        conn.execute("CREATE SCHEMA IF NOT EXISTS jobs")
        conn.execute(
            "COMMENT ON SCHEMA jobs IS 'The job queue: tables and functions of the library "
            "procrastinate.'"
        )
        _apply(conn, (folder / "schema.sql").read_text(encoding="utf-8"), files[-1])
        report("the job queue")
    else:
        for name in (name for name in files if name > row[0]):
            _apply(conn, (folder / "migrations" / name).read_text(encoding="utf-8"), name)
            report(f"the job queue: {name}")
    with conn.transaction():
        _pin_functions(conn)
        conn.execute(_GRANTS)
        conn.execute(_GUARD)


def _apply(conn: psycopg.Connection[Any], text: str, newest: str) -> None:
    started = time.monotonic()
    try:
        with conn.transaction():
            conn.execute("SET LOCAL lock_timeout = '5s'")
            conn.execute("SET LOCAL search_path = jobs, public, pg_temp")
            conn.execute(text.encode())
            conn.execute(
                "INSERT INTO public.schema_migrations (version, name, checksum, milliseconds) "
                "VALUES (0, %s, %s, %s)"
                " ON CONFLICT (version) DO UPDATE SET name = excluded.name, checksum = "
                "excluded.checksum,"
                " applied_at = now(), milliseconds = excluded.milliseconds",
                [
                    newest,
                    hashlib.sha256(text.encode()).hexdigest(),
                    round((time.monotonic() - started) * 1000),
                ],
            )
    except psycopg.Error as error:
        reason = f"ERROR {error.sqlstate} {error.diag.message_primary}"
        raise MigrationError(f"The job queue's {newest}: {reason}") from error


def _pin_functions(conn: psycopg.Connection[Any]) -> None:
    """Let each function find its tables whatever the caller's search_path is: the API's lacks
    `jobs`.
    """
    found = conn.execute(
        "SELECT oid::regprocedure::text FROM pg_proc"
        " WHERE pronamespace = 'jobs'::regnamespace AND proconfig IS NULL"
    )
    for (signature,) in found.fetchall():
        conn.execute(
            sql.SQL("ALTER FUNCTION {} SET search_path = jobs, public, pg_temp").format(
                sql.SQL(signature)
            )
        )
