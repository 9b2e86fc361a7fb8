"""Health checks and metrics of the process."""

import time
from pathlib import Path

import falcon
import psycopg
import psycopg_pool

from marketplace.config.folders import command
from marketplace.contract.errors import Problem
from marketplace.contract.operations import PUBLIC, operation
from marketplace.contract.validation import Named
from marketplace.postgres import migrations
from marketplace.postgres.database import Database
from marketplace.queries import metrics as queries
from marketplace.server import draining
from marketplace.telemetry import metrics
from marketplace.text.messages import say

STATUS = Named("Status", {"status": {"type": "string"}})


class Alive:
    """/healthz"""

    @operation("getHealth", "Whether the process responds", roles=PUBLIC, responses={200: STATUS})
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return at once, without checking anything."""
        resp.set_header("Cache-Control", "no-store")
        resp.media = {"status": "ok"}


class Ready:
    """/readyz"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getReadiness",
        "Whether requests can be served: database there, migrations applied, not about to stop",
        roles=PUBLIC,
        responses={200: STATUS},
        problems=("unavailable",),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return 503 while the database is away or behind this code's migrations, and once the
        server is about to stop.
        """
        resp.set_header("Cache-Control", "no-store")
        if draining.under_way():
            raise Problem("unavailable", "It is about to stop.")
        with self.db.primary() as conn:
            pending = migrations.pending(conn)
        if pending:
            raise Problem(
                "unavailable",
                say(
                    "{count} migrations wait; run `{command}`.",
                    count=len(pending),
                    command=command("migrate"),
                ),
            )
        resp.media = {"status": "ready"}


class Metrics:
    """/metrics"""

    def __init__(self, db: Database, data_dir: Path) -> None:
        self.db = db
        self.backup = data_dir / "last-backup"  # `backup` writes it when it has ended well

    @operation(
        "getMetrics",
        "Metrics of the service (Prometheus)",
        roles=PUBLIC,
        responses={200: None},
        produces=("text/plain",),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the counts of all workers, and the database's gauges; without the latter while it
        is away.

        For operators: nginx lets nobody else through.
        """
        rows = None
        try:
            with self.db.primary() as conn:
                rows = queries.state(conn)
        except (psycopg.OperationalError, psycopg.InterfaceError, psycopg_pool.PoolTimeout):
            pass  # it reports that itself: marketplace_database_up 0
        resp.set_header("Cache-Control", "no-store")
        resp.content_type = metrics.MEDIA_TYPE
        resp.stream = [metrics.text(rows, self._backup_age())]  # never twice the same: no ETag

    def _backup_age(self) -> float | None:
        """Return the seconds since the last successful backup of this host; None
        if there is none.
        """
        try:
            return time.time() - self.backup.stat().st_mtime
        except OSError:
            return None
