"""The measured servers: gunicorn and granian, each with the application, an empty one and the bare
prototype.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from marketplace.config.settings import ROOT, Config
from tools.bench import processes

WORKERS, THREADS = 2, 4
READY_SECONDS = 30
HOST = "127.0.0.1"


class Server(NamedTuple):
    """A server with the application, and the same one with hello.py and with prototype.py, by their
    ports and processes.
    """

    name: str
    port: int
    pid: int
    hello_port: int
    hello_pid: int
    bare_port: int
    bare_pid: int


class StartError(Exception):
    """A server did not come up; the message has the end of its log."""


@contextmanager
def running(config: Config) -> Iterator[list[Server]]:
    """Both servers for the length of the block; their logs go to files that are thrown away."""
    env = {
        **os.environ,
        "DATABASE_URL": config.database_url,
        "SECRET_KEY": config.secret_keys[0],
        "RATE_LIMITS": "off",  # all of it comes from one address
        "POOL_SIZE": str(THREADS),
        "WEB_CONCURRENCY": str(WORKERS),
    }
    env.pop("MIGRATE_DATABASE_URL", None)
    env.pop("WORKER_DATABASE_URL", None)
    with ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        started = []
        for name, command in (("gunicorn", _gunicorn), ("granian", _granian)):
            made = [
                stack.enter_context(_process(command(what), port, env, logs / f"{name}-{port}.log"))
                for what, port in (
                    ("marketplace.app:create_app", _free_port()),
                    ("tools.bench.hello:app", _free_port()),
                    ("tools.bench.prototype:create_app", _free_port()),
                )
            ]
            started.append(Server(name, *made[0], *made[1], *made[2]))
        yield started


def workers(pid: int) -> list[int]:
    """The processes that respond, without the one that watches them."""
    return processes.tree(pid)[1:]


def _gunicorn(what: str) -> list[str]:
    target = f"{what}()" if what.endswith("create_app") else what
    return [
        "gunicorn",
        "-c",
        "gunicorn.conf.py",
        "--max-requests",
        "0",
        "-b",
        f"{HOST}:{{port}}",
        target,
    ]


def _granian(what: str) -> list[str]:
    factory = ["--factory"] if what.endswith("create_app") else []
    return [
        *("granian", "--interface", "wsgi", "--host", HOST, "--port", "{port}", "--no-ws"),
        *("--workers", str(WORKERS), "--blocking-threads", str(THREADS), *factory, what),
    ]


@contextmanager
def _process(
    command: list[str], port: int, env: dict[str, str], log: Path
) -> Iterator[tuple[int, int]]:
    """Run a Python module until the end of the block; (port, pid) as soon as it responds."""
    words = [word.replace("{port}", str(port)) for word in command]
    with log.open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=ROOT, env=env, stdout=out, stderr=out
        )
    try:
        _wait(child, port, command[0], log)
        yield port, child.pid
    finally:
        child.terminate()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _wait(child: "subprocess.Popen[bytes]", port: int, name: str, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while child.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    raise StartError(
        f"{name} did not start: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}"
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
