"""A system for trials from outside: gunicorn on a PostgreSQL of its own, which waits for its disk as
one in use does; and what is asked of it after each trial.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import dict_row

from marketplace.config.settings import ROOT
from support.server import KEY, Server
from support.stock import broken

#: What the log of a request that failed for no reason of its own has.
FAILURE = re.compile(r'unexpected failure|is a bug|"status": ?500')


class Started(NamedTuple):
    """A server, its database's owner, and its folder."""

    url: str
    server: Server
    folder: Path


class Program:
    """A process of the system beside the API, which may be killed and started again."""

    def __init__(self, log: Path, env: dict[str, str], *words: str) -> None:
        self.log = log
        self._env, self._words = env, words
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._words],
                cwd=ROOT, env=self._env, stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self) -> None:
        """kill -9."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(30)
        self.kill()

    def errors(self) -> list[str]:
        """Lines of its log that are an operator's business."""
        text = self.log.read_text(errors="replace")
        return [line for line in text.splitlines() if re.search(r"ERROR|Traceback", line)]


def worker(it: Started, **settings: str) -> Program:
    """A worker of all queues, beside the API."""
    return Program(it.folder / "worker.log", environment(it, **settings), "marketplace", "worker")


def environment(it: Started, **settings: str) -> dict[str, str]:
    """What its processes find in the environment."""
    return {
        **os.environ, "DATABASE_URL": it.url, "DATA_DIR": f"{it.folder}/data",
        "UPLOADS_DIR": f"{it.folder}/uploads", "SECRET_KEY": KEY, **settings,
    }  # fmt: skip


class TrialSystem:
    """The system that a trial is about; `url` is the owner's."""

    def __init__(self, url: str, server: Server) -> None:
        self.url, self.server = url, server

    def owner(self) -> Any:
        """A connection with the rights of the owner of the tables."""
        return psycopg.connect(self.url, row_factory=dict_row)

    def deadlocks(self) -> int:
        """How many deadlocks the database has had."""
        with self.owner() as conn:
            return deadlocks(conn)

    def faults(self, since: int | None = None) -> list[str]:
        """What is not as it must be: invariants, deadlocks `since`, a 500 in the log."""
        with self.owner() as conn:
            found = [f"invariant {name}: {times}" for name, times in broken(conn, orders=True)]
        if since is not None:
            time.sleep(1)  # backends tell of deadlocks when they end
            more = self.deadlocks() - since
            found += [f"{more} deadlocks"] if more else []
        log = self.server.log.read_text(errors="replace")
        return found + ["a 500 in the log"] * bool(FAILURE.search(log))


def deadlocks(conn: Any) -> int:
    """How many deadlocks the database has had; its threads have ended and told."""
    row = conn.execute(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    ).fetchone()
    conn.rollback()
    return int(row["deadlocks"])


@contextlib.contextmanager
def started(**settings: str) -> Iterator[Started]:
    """A system without limits of rate whose tokens outlive a trial."""
    from marketplace.postgres import migrations
    from marketplace.postgres.embedded import server as embedded

    with tempfile.TemporaryDirectory() as folder:
        postgres = embedded.start(Path(folder) / "postgres")
        url = postgres.dsn("postgres", "postgres")
        migrations.migrate(url, lambda line: None)
        settings = {"RATE_LIMITS": "off", "ACCESS_TOKEN_MINUTES": "600", **settings}
        server = Server(url, Path(folder), **settings)
        try:
            yield Started(url, server, Path(folder))
        finally:
            server.stop()
            postgres.stop()
