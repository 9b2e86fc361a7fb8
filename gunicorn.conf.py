"""How gunicorn serves the API. Every value can be set by the environment; the defaults fit one machine."""

import multiprocessing
import os
from pathlib import Path
from typing import Any

from marketplace import config, db, logs

_settings = config.load()

bind = os.environ.get("GUNICORN_BIND") or f"{_settings.host}:{_settings.port}"
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY") or min(2 * multiprocessing.cpu_count(), 16))
# A thread waits for a connection only while another uses it: as many threads as connections.
threads = _settings.pool_size
# Behind nginx connections are kept; a phone that talks to gunicorn itself is not waited for long.
keepalive = 15
timeout = 60
graceful_timeout = 30
# A worker is replaced now and then, not all at once, so that what it gathered is given back.
max_requests = 20_000
max_requests_jitter = 2_000
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - gunicorn's own heartbeat files
# Each worker opens its own pool; a pool opened before the fork breaks requests.
preload_app = False
# Otherwise all gunicorns of a user share one socket in the home folder.
control_socket_disable = True
# The application writes its own line for each request.
accesslog = None
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")
limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 8190


def on_starting(server: Any) -> None:
    """The master's own lines in the same form as the application's."""
    logs.install(_settings.log_level)


def worker_exit(server: Any, worker: Any) -> None:
    """Give the connections back to PostgreSQL."""
    db.close_all()
