"""How gunicorn serves the API. Everything that differs between installations comes from the environment.

Each worker opens its own pool of connections at its first request: never before the fork.
"""

import os
from pathlib import Path
from typing import Any

from gunicorn import util
from gunicorn.http import wsgi

from marketplace import connections, unreadable

util.write_error = unreadable.answer

# Before marketplace.metrics is imported: workers count in files of one folder, and each of them answers for all.
DATA = Path(os.environ.get("DATA_DIR") or ".data").resolve()
COUNTS = Path(os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(DATA / "metrics")))
COUNTS.mkdir(mode=0o700, parents=True, exist_ok=True)

threads = int(os.environ.get("POOL_SIZE") or 4)  # one connection for each
workers = int(os.environ.get("WEB_CONCURRENCY") or min(2 * (os.cpu_count() or 1) + 1, 8))
worker_class = "gthread"
bind = os.environ.get("GUNICORN_BIND") or f"{os.environ.get('BIND') or '127.0.0.1'}:{os.environ.get('PORT') or 8000}"
preload_app = False
limit_request_line = 8190

timeout = 60  # a worker that shows no sign of life this long is replaced
graceful_timeout = 20
keepalive = 75  # longer than nginx keeps its side open, so that it is nginx who closes
max_requests = 20_000
max_requests_jitter = 2_000
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a heartbeat must not wait for a disk

forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS") or "127.0.0.1,::1"
wsgi.SERVER = "marketplace"  # the Server header: who looks for holes need not hear what runs here
control_socket_disable = True  # it would lie in the home folder, one for all projects
accesslog = None  # the application writes its own, one JSON object a request
LEVEL = (os.environ.get("LOG_LEVEL") or "INFO").upper()
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "marketplace.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
    "loggers": {
        "gunicorn.error": {"level": LEVEL, "handlers": ["stderr"], "propagate": False},
        # Its line would have the path and query string, and with them what must not be logged.
        "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
    },
}


def on_starting(server: Any) -> None:
    """Counts begin anew with the master; a reload goes on with them."""
    for file in COUNTS.glob("*.db"):
        file.unlink(missing_ok=True)


def worker_exit(server: Any, worker: Any) -> None:
    """Give the worker's connections back."""
    connections.close_all()
