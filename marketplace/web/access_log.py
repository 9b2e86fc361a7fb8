"""The middleware that gives each request its id and writes its line in the log."""

import logging
import re
import secrets
import time
from typing import Any

import falcon

from marketplace.config.settings import Config
from marketplace.postgres.database import Database
from marketplace.postgres.pool import begin_waiting, end_waiting, waited
from marketplace.telemetry import metrics
from marketplace.telemetry.json_lines import current_request
from marketplace.web import client

log = logging.getLogger("marketplace.access")
_SANE_ID = re.compile(r"[A-Za-z0-9_.-]{8,64}\Z")


class AccessLog:
    """Middleware: gives the request its id; after the response, counts it and writes one line."""

    def __init__(self, config: Config, db: Database) -> None:
        self._config = config
        self._db = db

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Take the client's own request id if it is valid, else make one."""
        sent = req.get_header("X-Request-ID") or ""
        req.context.request_id = sent if _SANE_ID.match(sent) else secrets.token_hex(8)
        req.context.config = self._config
        req.context.started = time.perf_counter()
        begin_waiting()
        current_request.set(req.context.request_id)
        resp.set_header("X-Request-ID", req.context.request_id)

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool
    ) -> None:
        """Log the route, never the path: a path may hold a secret that a client put there by
        mistake.
        """
        caller = req.context.caller
        seconds, database = time.perf_counter() - req.context.started, waited()
        end_waiting()
        metrics.count_request(req.method, req.uri_template, resp.status_code, seconds, database)
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
                "ip": client.client_ip(req),
            },
        )
