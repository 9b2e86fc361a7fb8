"""Is the process alive, can it serve, and how does it do?"""

import time
from pathlib import Path

import falcon
import psycopg
import psycopg_pool

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

    @operation("getHealth", "Whether the process answers", roles=PUBLIC, responses={200: STATUS})
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer at once, without looking at anything."""
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
        """Answer 503 while the database is away or behind this code's migrations, and once the
        server is to stop.
        """
        resp.set_header("Cache-Control", "no-store")
        if draining.under_way():
            raise Problem("unavailable", "It is about to stop.")
        with self.db.primary() as conn:
            pending = migrations.pending(conn)
        if pending:
            raise Problem(
                "unavailable",
                say("{count} migrations wait; run `make migrate`.", count=len(pending)),
            )
        resp.media = {"status": "ready"}


class Metrics:
    """/metrics"""

    def __init__(self, db: Database, data_dir: Path) -> None:
        self.db = db
        self.backup = data_dir / "last-backup"  # what `backup` writes when it has ended well

    @operation(
        "getMetrics",
        "How the service does (Prometheus)",
        roles=PUBLIC,
        responses={200: None},
        produces=("text/plain",),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer what all workers have counted, and what the database knows; without the latter
        while it is away.

        For who looks after the machine: nginx lets nobody else through.
        """
        rows = None
        try:
            with self.db.primary() as conn:
                rows = queries.state(conn)
        except (psycopg.OperationalError, psycopg.InterfaceError, psycopg_pool.PoolTimeout):
            pass  # it says so itself: marketplace_database_up 0
        resp.set_header("Cache-Control", "no-store")
        resp.content_type = metrics.MEDIA_TYPE
        resp.stream = [metrics.text(rows, self._backup_age())]  # never twice the same: no ETag

    def _backup_age(self) -> float | None:
        """Seconds since a backup of this host ended well; None where none ever did."""
        try:
            return time.time() - self.backup.stat().st_mtime
        except OSError:
            return None
