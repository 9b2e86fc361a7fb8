"""CPU, time and memory of an import by the command line, of COPY and of the loop of an ORM."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from marketplace.config.env import ConfigError
from marketplace.config.settings import ROOT
from tools.bench import databases, orm, processes
from tools.bench.catalogue_file import HEADER, Written

COPIES = 3
BLOCK = 1 << 16
LOOK_SECONDS = 0.5
#: All variables that name a database: an import must find only that of the bench.
LOGINS = ("DATABASE_URL", "MIGRATE_DATABASE_URL", "WORKER_DATABASE_URL")


class Cost(NamedTuple):
    """Microseconds of CPU a row, of the client and of PostgreSQL; the most megabytes, if they were
    measured.
    """

    client: float
    database: float
    rows: int
    seconds: float
    memory: float = 0.0
    backend_memory: float = 0.0

    @property
    def cpu(self) -> float:
        """The sum of both."""
        return self.client + self.database

    @property
    def rate(self) -> float:
        """The rows a second."""
        return self.rows / self.seconds


def postmaster(url: str) -> int:
    """Return the process that is the parent of all of the server's. Raises ConfigError if it is on
    another machine.
    """
    with psycopg.connect(url) as conn:
        backend = conn.execute(databases.SQL["own_backend"]).fetchone()
        try:
            return processes.parent(backend[0] if backend else 0)
        except FileNotFoundError:
            raise ConfigError(
                "The CPU time of PostgreSQL is counted, so it must run on this machine."
            ) from None


def of_copy(url: str, made: Written) -> Cost:
    """COPY into a bare table of texts; return the median of a few."""
    columns = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in HEADER)
    costs = []
    with psycopg.connect(url, autocommit=True) as conn:

        def copy() -> int:
            into = "COPY bare FROM STDIN (FORMAT csv, HEADER)"
            with made.path.open("rb") as source, conn.cursor().copy(into) as out:
                while block := source.read(BLOCK):
                    out.write(block)
            return made.rows

        for _ in range(COPIES):
            conn.execute(sql.SQL("CREATE TABLE bare ({})").format(columns))
            costs.append(_of(copy, conn.info.backend_pid))
            conn.execute("DROP TABLE bare")
    return sorted(costs, key=lambda cost: cost.cpu)[COPIES // 2]


def of_orm(url: str, file: Path, rows: int) -> Cost:
    """Run the loop of the first system over the first rows of a file."""
    with orm.session(url) as (session, backend):
        return _of(lambda: orm.take(session, file, rows), backend)


def of_import(
    url: str, postmaster: int, folder: Path, made: Written, store: int
) -> tuple[Cost, dict[str, Any]]:
    """Run an import by the command line; return its own report, nothing if it was refused."""
    command = [
        sys.executable,
        "-m",
        "marketplace",
        "import",
        str(made.path),
        "--store",
        str(store),
        "--json",
    ]
    before, started = processes.total(postmaster), time.monotonic()
    env = _environment(url, folder)
    with (
        subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as process,
        Watch(process.pid, postmaster) as watch,
    ):
        said = process.stdout.read() if process.stdout else ""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - started
    client = 1e6 * (used.ru_utime + used.ru_stime) / made.rows
    database = (processes.total(postmaster) - before) / made.rows
    return Cost(
        client, database, made.rows, seconds, watch.memory, watch.backend_memory
    ), json.loads(said or "{}")


def _of(work: Callable[[], int], backend: int) -> Cost:
    """Measure what this process and one backend do; `work` returns how many rows it took."""
    client = os.getpid()
    before, started = processes.cpu([client, backend]), time.monotonic()
    rows = work()
    seconds = time.monotonic() - started
    after = processes.cpu([client, backend])
    return Cost(
        (after[client] - before[client]) / rows,
        (after[backend] - before[backend]) / rows,
        rows,
        seconds,
    )


def _environment(url: str, folder: Path) -> dict[str, str]:
    env = {**os.environ, **dict.fromkeys(LOGINS, url)}
    for name in LOGINS:
        env.pop(f"{name}_FILE", None)
    folders = {"DATA_DIR": str(folder / "data"), "UPLOADS_DIR": str(folder / "uploads")}
    return {**env, **folders, "IMPORT_NEW_CATEGORIES": "9999"}  # the file has more than a store may


class Watch:
    """Check twice a second, for the length of the block, the most megabytes of a process, and of
    the largest of the server's own.

    The rusage of a process will not do: it starts with the memory of its parent.
    """

    def __init__(self, pid: int, postmaster: int) -> None:
        self.memory = 0.0
        self.backend_memory = 0.0
        self._pid = pid
        self._postmaster = postmaster
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(LOOK_SECONDS):
            self.memory = max(self.memory, processes.peak(self._pid))
            own = [processes.own_memory(pid) for pid in processes.tree(self._postmaster)]
            self.backend_memory = max(self.backend_memory, *own)
