"""A PostgreSQL that may be broken: a cluster of its own that pg_ctl starts, reached by TCP,
maybe on a small disk.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from marketplace.postgres import migrations
from marketplace.postgres.embedded import account as server_account
from marketplace.postgres.embedded import lock_files
from marketplace.postgres.embedded import server as embedded_server
from marketplace.postgres.embedded.account import Account


class Breakable:
    """A server to stop, freeze and kill. `url` is the owner's, by TCP; `admin` the superuser's,
    by its socket.
    """

    def __init__(self, cluster: Path, binaries: Path, account: Account | None, port: int) -> None:
        self.cluster, self.binaries, self.account, self.port = cluster, binaries, account, port
        self.admin = make_conninfo(host=str(cluster), port=port, user="postgres", dbname="postgres")
        self.url = make_conninfo(host="127.0.0.1", port=port, user="marketplace", dbname="shop")

    def control(self, *words: str) -> None:
        """Run pg_ctl as the server's user, and wait for what it was told to do."""
        log = ["-l", str(self.cluster / "chaos.log")] if words[0] in ("start", "restart") else []
        command = [
            str(self.binaries / "pg_ctl"),
            "-D",
            str(self.cluster),
            "-w",
            "-t",
            "60",
            *log,
            *words,
        ]
        subprocess.run(
            command, check=True, capture_output=True, **server_account.running_as(self.account)
        )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and all its backends."""
        pid = lock_files.running(self.cluster)
        assert pid is not None, "it does not run"
        shown = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
        )
        for each in (pid, *map(int, shown.stdout.split())):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, number)

    def tell(self, statement: str, *values: Any, database: str = "shop") -> list[tuple[Any, ...]]:
        """Run a statement as the superuser: its rows."""
        with psycopg.connect(make_conninfo(self.admin, dbname=database), autocommit=True) as conn:
            cursor = conn.execute(statement, values or None)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def configure(self, **settings: str) -> None:
        """Write settings to its file; they count from the next start or reload."""
        with (self.cluster / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())


@contextmanager
def breakable(folder: Path, wal: Path | None = None, **settings: str) -> Iterator[Breakable]:
    """A migrated database that keeps what it acknowledges (fsync), stopped at the end whatever
    became of it.

    Its write-ahead log lies in a folder of its own, where one is given.
    """
    folder.chmod(0o755)
    first = embedded_server.start(folder / "pg")
    with psycopg.connect(first.dsn("postgres", "postgres"), autocommit=True) as conn:
        conn.execute("CREATE ROLE marketplace LOGIN CREATEROLE CREATEDB")
        conn.execute("CREATE DATABASE shop OWNER marketplace")
    migrations.migrate(first.dsn("shop", "marketplace"), lambda line: None)
    binaries = first.bin("pg_ctl").parent
    first.stop()
    cluster = server_account.place(folder / "pg")
    server = Breakable(cluster, binaries, server_account.account_for(cluster), free_port())
    if wal is not None:
        shutil.copytree(cluster / "pg_wal", wal, dirs_exist_ok=True)
        shutil.rmtree(cluster / "pg_wal")
        (cluster / "pg_wal").symlink_to(wal)
        for path in (wal, *wal.rglob("*")):
            shutil.chown(path, server.account.uid if server.account else None, -1)
    server.configure(
        listen_addresses="127.0.0.1",
        port=str(server.port),
        unix_socket_directories=str(cluster),
        jit="off",
        **settings,
    )
    server.control("start")
    try:
        yield server
    finally:
        with contextlib.suppress(AssertionError):
            server.signal(signal.SIGCONT)
        with contextlib.suppress(subprocess.CalledProcessError):
            server.control("stop", "-m", "immediate")


@contextmanager
def small_disk(where: Path, megabytes: float) -> Iterator[Path]:
    """A disk in memory of so many megabytes, for root."""
    where.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={int(megabytes * 1024)}k", "tmpfs", str(where)],
        check=True,
    )
    where.chmod(0o755)
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", str(where)], check=False)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Not a byte is left on the disk."""
    file = disk / "filler"
    with file.open("wb", buffering=0) as handle, contextlib.suppress(OSError):
        while True:
            handle.write(b"x" * 4096)
    try:
        yield
    finally:
        file.unlink()


@contextmanager
def wire(checks: Path, port: int) -> Iterator[tuple[int, str]]:
    """The script tcpchaos.py before a port: where it listens, and where it takes commands."""
    here, control = free_port(), free_port()
    addresses = [
        "--listen",
        f"127.0.0.1:{here}",
        "--to",
        f"127.0.0.1:{port}",
        "--control",
        f"127.0.0.1:{control}",
    ]
    relay = subprocess.Popen([sys.executable, str(checks / "tcpchaos.py"), *addresses])
    try:
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", control)).close()
                break
            time.sleep(0.05)
        yield here, f"127.0.0.1:{control}"
    finally:
        relay.kill()
        relay.wait()


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
