"""The server's log: one JSON object a line (log_lines.py), each with the id of the request it belongs to.

Nothing a client sends is logged but the method, the route (not the path), and the client's address: no header, body,
query string, cookie or token.
"""

import logging
import re
import secrets
import time
from typing import Any

import falcon

from marketplace import metrics, requests
from marketplace.config import Config
from marketplace.connections import begin_waiting, end_waiting, waited
from marketplace.db import Database
from marketplace.log_lines import JsonFormatter, current_request
from marketplace.log_stream import PatientHandler

log = logging.getLogger("marketplace.access")
_SANE_ID = re.compile(r"[A-Za-z0-9_.-]{8,64}\Z")


def install(level: str) -> None:
    """Send every logger of this process to standard error in this form."""
    handler = PatientHandler()
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # gunicorn's own line for a request has the path and query string, which may hold a secret; ours stands for it.
    logging.getLogger("gunicorn.access").disabled = True
    for noisy in ("PIL", "procrastinate"):
        logging.getLogger(noisy).setLevel("WARNING")
    logging.getLogger("psycopg.pool").setLevel("ERROR")  # each attempt, while the database is away


class AccessLog:
    """Middleware: gives the request its id; when it has been answered, counts it and writes one line."""

    def __init__(self, config: Config, db: Database) -> None:
        self._config = config
        self._db = db

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Take the client's own request id if it is sane, else make one."""
        sent = req.get_header("X-Request-ID") or ""
        req.context.request_id = sent if _SANE_ID.match(sent) else secrets.token_hex(8)
        req.context.config = self._config
        req.context.caller = None
        req.context.operation = None
        req.context.said = None
        req.context.started = time.perf_counter()
        begin_waiting()
        current_request.set(req.context.request_id)
        resp.set_header("X-Request-ID", req.context.request_id)

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool
    ) -> None:
        """Log the route, never the path: a path may hold what a client mistook for a parameter."""
        caller = req.context.caller
        seconds, database = time.perf_counter() - req.context.started, waited()
        end_waiting()
        metrics.answered(req.method, req.uri_template, resp.status_code, seconds, database)
        metrics.pool(self._db.stats)
        log.info(
            "request",
            extra={
                "method": req.method,
                "route": req.uri_template,
                "status": resp.status_code,
                "ms": round(seconds * 1000, 1),
                "database_ms": round(database * 1000, 1),
                "user_id": caller.user_id if caller else None,
                "ip": requests.client_ip(req),
            },
        )
