"""The access log: gives each request its id and writes its line in the log."""

import logging
import os
import re
import time

import falcon

from marketplace.config.settings import Config
from marketplace.postgres.database import Database
from marketplace.postgres.pool import begin_waiting, end_waiting
from marketplace.telemetry import metrics
from marketplace.telemetry.json_lines import RequestRecord, current_request
from marketplace.web import client

log = logging.getLogger("marketplace.access")
_SANE_ID = re.compile(r"[A-Za-z0-9_.-]{8,64}\Z")


class AccessLog:
    """Gives the request its id; after the response, counts it and writes one line."""

    def __init__(self, config: Config, db: Database) -> None:
        self._config = config
        self._db = db

    def begin(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Take the client's own request id if it is valid, else make one. Note the second from
        which on everything in the response is read.
        """
        state = req.context
        sent = req.env.get("HTTP_X_REQUEST_ID")
        state.request_id = sent if sent and _SANE_ID.match(sent) else os.urandom(8).hex()
        state.config = self._config
        state.started = time.perf_counter()
        state.second = int(time.time())
        state.ip = client.client_ip(req)
        begin_waiting()
        current_request.set(state.request_id)
        resp.set_header("X-Request-ID", state.request_id)

    def end(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Log the route, never the path: a path may hold a secret that a client put there by
        mistake.
        """
        state, status = req.context, resp.status_code
        seconds, database = time.perf_counter() - state.started, end_waiting()
        metrics.count_request(req.method, req.uri_template, status, seconds, database)
        metrics.pool(self._db.stats)
        if not log.isEnabledFor(logging.INFO):
            return
        fields = {
            "method": req.method,
            "route": req.uri_template,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "database_ms": round(database * 1000, 1),
            "user_id": state.caller.user_id if state.caller else None,
            "ip": state.ip,
        }
        log.handle(RequestRecord(fields))
