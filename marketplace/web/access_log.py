"""The access log: gives each request its id and writes its line in the log."""

import logging
import os
import re
import time
from collections.abc import Mapping
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
#: What the records of all requests have in common.
_RECORD = logging.LogRecord(
    "marketplace.access", logging.INFO, __file__, 0, "request", None, None
).__dict__


class RequestRecord(logging.LogRecord):
    """A log record of a request. logging would look up for each of them which line of the code
    logs, and in which thread, which nobody reads.
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.__dict__ = {**_RECORD, "created": time.time(), **fields}


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
        begin_waiting()
        current_request.set(state.request_id)
        resp.set_header("X-Request-ID", state.request_id)

    def end(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Log the route, never the path: a path may hold a secret that a client put there by
        mistake.
        """
        state, status = req.context, resp.status_code
        seconds, database = time.perf_counter() - state.started, waited()
        end_waiting()
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
            "ip": client.client_ip(req),
        }
        log.handle(RequestRecord(fields))
