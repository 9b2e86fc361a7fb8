"""How gunicorn serves the API. Everything that differs between installations comes from the
environment.

Each worker opens its own pool of connections at its first request, never before the fork. Each
loads the application itself, so that a HUP takes new code: what the master has loaded, its workers
have too. That is wanted of packages of others, which the master loads before it forks. From
marketplace the master loads only modules that need nothing but the standard library,
and forgets them when it reads this file again. If `-c` names this file by an absolute path, HUP
follows links in that path anew, and only then: a release may be behind one, and a worker that is
replaced before HUP belongs to the release of its neighbours.
"""

import importlib
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from gunicorn import util
from gunicorn.http import wsgi


def release_of(folder: Path) -> Path | None:
    """Return the checkout whose configuration lies in a folder; None where the code is an
    installed package, and this file in it or a copy.
    """
    return folder if Path(folder, "marketplace", "__init__.py").exists() else None


RELEASE = release_of(Path(__file__).resolve().parent)
if RELEASE is not None:
    sys.path[:] = [
        str(RELEASE),
        *(each for each in sys.path if not Path(each, "gunicorn.conf.py").exists()),
    ]
for name in [each for each in sys.modules if each.partition(".")[0] == "marketplace"]:
    del sys.modules[name]
importlib.invalidate_caches()
places = importlib.import_module("marketplace.config.places")
server_workers = importlib.import_module("marketplace.server.workers")
draining = importlib.import_module("marketplace.server.draining")
rehearsal = importlib.import_module("marketplace.server.rehearsal")
packages = importlib.import_module("marketplace.server.packages")

chdir = str(RELEASE or Path.cwd())

# Before marketplace.telemetry.metrics is imported: workers count in files of one folder, and each
# of them reports for all.
DATA = Path(os.environ.get("DATA_DIR") or ".data").resolve()
COUNTS = Path(os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(DATA / "metrics")))
COUNTS.mkdir(mode=0o700, parents=True, exist_ok=True)

pool = max(int(os.environ.get("POOL_SIZE") or 4), 1)  # the application refuses 0, in words
# A thread for each connection, one that may wait for a connection, and one that can still respond
# then; beside them those that wait for a password to be hashed.
threads = pool + 2 + places.PASSWORDS
workers = server_workers.workers(pool)
# Where there is no epoll, as on macOS, slow clients hold threads.
worker_class = "marketplace.server.patient.PatientWorker" if hasattr(select, "epoll") else "gthread"
host = (os.environ.get("BIND") or "127.0.0.1").strip("[]")
bind = os.environ.get("GUNICORN_BIND") or (
    f"{f'[{host}]' if ':' in host else host}:{os.environ.get('PORT') or 8000}"
)
preload_app = False
limit_request_line = 8190

timeout = 60  # a worker without a heartbeat for this long is replaced
graceful_timeout = 20
#: Seconds in which /readyz returns 503 and everything else goes on, before the server stops: a
#: little more than the pause between two checks of a balancer that has other servers to send to.
DRAIN_SECONDS = min(max(float(os.environ.get("DRAIN_SECONDS") or 0), 0.0), 60.0)
keepalive = 75  # longer than nginx keeps its side open, so that nginx closes it
max_requests = 20_000  # and up to as many more: workers that started together must not end together
max_requests_jitter = 20_000
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a heartbeat must not wait for a disk

forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS") or "127.0.0.1,::1"
wsgi.SERVER = "marketplace"  # the Server header: do not tell attackers what runs here
control_socket_disable = True  # it would be in the home folder, one for all projects
accesslog = None  # the application writes its own, one JSON object a request
#: The pipe through which new workers report that they are ready, during a reload; and the seconds
#: they have for that, or twice what the rehearsal took where that is more.
READY: list[int] = []
TAKE_OVER = 15.0
LEVEL = (os.environ.get("LOG_LEVEL") or "INFO").upper()
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "marketplace.telemetry.text_lines.formatter"}},
    "handlers": {
        "stderr": {"()": "marketplace.telemetry.stderr.PatientHandler", "formatter": "json"}
    },
    "root": {"level": "INFO", "handlers": ["stderr"]},
    "loggers": {
        "gunicorn.error": {"level": LEVEL, "handlers": ["stderr"], "propagate": False},
        # Its line would have the path and query string, and with them secrets that must not be
        # logged.
        "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
    },
}


def write_error(sock: socket.socket, status: int, reason: str, words: str) -> None:
    """Respond in our shape to what gunicorn could not read."""
    from marketplace.server import bad_requests

    bad_requests.answer(sock, status, reason, words)


util.write_error = write_error


def on_starting(server: Any) -> None:
    """Counts start anew with the master; they continue after a reload. So do the packages."""
    draining.forget()
    for file in COUNTS.glob("*.db"):
        file.unlink(missing_ok=True)
    packages.share()


def on_reload(server: Any) -> None:
    """Let the old workers serve until the new ones are ready; gunicorn itself would end them while
    those still import.

    After the new ones have started, gunicorn calls `manage_workers` to end surplus workers.
    """
    READY[:] = os.pipe()

    def take_over() -> None:
        del server.manage_workers  # for this once
        ready, told = READY
        READY.clear()
        os.close(told)
        deadline = time.monotonic() + max(TAKE_OVER, 2 * getattr(server, "rehearsed", 0.0))
        missing = server.num_workers
        while (
            missing > 0 and select.select([ready], [], [], max(0.0, deadline - time.monotonic()))[0]
        ):
            said = len(os.read(ready, missing))
            missing = missing - said if said else 0  # they have all died
        os.close(ready)
        server.manage_workers()

    server.manage_workers = take_over


def post_worker_init(worker: Any) -> None:
    """Tell the master that this worker can serve, if it waits for that."""
    worker.log.info("Worker ready (pid: %s)", os.getpid())
    if READY:
        os.write(READY[1], b"+")
        for end in READY:
            os.close(end)
        READY.clear()


def when_ready(server: Any) -> None:
    """On TERM let /readyz return 503 first, then wait DRAIN_SECONDS, while workers and socket stay
    open. On HUP rehearse the new code first, and change nothing if that fails.
    """
    stop, reload = server.handle_term, server.reload

    def drain() -> None:
        draining.begin()
        wait(server, DRAIN_SECONDS)
        stop()

    def rehearse_and_reload() -> None:
        started = time.monotonic()
        refused = rehearsal.refusal(release_of(Path(server.cfg.config).resolve().parent))
        server.rehearsed = time.monotonic() - started
        if refused is None:
            reload()
        else:
            server.log.error("The reload is refused, and the old workers go on: %s", refused)

    server.handle_term, server.reload = drain, rehearse_and_reload


def wait(server: Any, seconds: float) -> None:
    """Look after the workers for that long. Another signal to stop ends it, and a reload comes too
    late.
    """
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        for number in server.wait_for_signals(timeout=min(left, 1.0)):
            if number == signal.SIGTERM:
                return
            if number in (signal.SIGINT, signal.SIGQUIT):
                server.handle_quit()
            if number == signal.SIGCHLD:
                server.handle_chld()
        server.murder_workers()
        server.manage_workers()


def worker_exit(server: Any, worker: Any) -> None:
    """Return the worker's connections."""
    from marketplace.postgres import pool as connections

    connections.close_all()
