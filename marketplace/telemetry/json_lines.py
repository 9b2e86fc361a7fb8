"""The form of a line of the log: one JSON object, with the id of the request it belongs to.

gunicorn's master has it, too, which must not load what a reload is to load anew: standard library
only.
"""

import json
import logging
import time
from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any

current_request: ContextVar[str | None] = ContextVar("current_request", default=None)
_FIELDS = ("error", "job", "import_id", "rows")
_encode = json.JSONEncoder(default=str).encode
#: What the records of all requests have in common.
_REQUEST = logging.LogRecord(
    "marketplace.access", logging.INFO, __file__, 0, "request", None, None
).__dict__


class RequestRecord(logging.LogRecord):
    """A log record of a request: method, route, status, ms, database_ms, user_id, ip. logging would
    look up for each of them which line of the code logs, and in which thread, which nobody reads.
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.__dict__ = {**_REQUEST, "created": time.time(), **fields}

    def line(self) -> str:
        """Return it as JSON. All but the id is ours, or has been checked."""
        values, created = self.__dict__, self.created
        second, user = int(created), values["user_id"]
        return (
            f'{{"time": "{_second(second)}.{int((created - second) * 1000):03}+00:00", '
            '"level": "info", "logger": "marketplace.access", "message": "request", '
            f'"request_id": {_json(current_request.get())}, '
            f"{_kind(values['method'], values['route'], values['status'])}, "
            f'"ms": {values["ms"]}, "database_ms": {values["database_ms"]}, '
            f'"user_id": {"null" if user is None else user}, "ip": {_json(values["ip"])}}}'
        )


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON; line breaks inside it are escaped, so that nobody can forge
    a line.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        if isinstance(record, RequestRecord):
            return record.line()
        values = record.__dict__
        line = [
            f'"time": "{_second(int(record.created))}.{int(record.created % 1 * 1000):03}+00:00"',
            f'"level": "{record.levelname.lower()}"',
            f'"logger": "{record.name}"',
            f'"message": {_json(record.getMessage())}',
            f'"request_id": {_json(current_request.get())}',
            *[f'"{name}": {_json(values[name])}' for name in _FIELDS if name in values],
        ]
        if record.exc_info:
            line.append(f'"traceback": {_json(self.formatException(record.exc_info))}')
        return f"{{{', '.join(line)}}}"


@lru_cache(maxsize=1024)
def _kind(method: str, route: str | None, status: int) -> str:
    """Return what the lines of many requests have in common."""
    return f'"method": {_json(method)}, "route": {_json(route)}, "status": {_json(status)}'


def _json(value: Any) -> str:
    """Return a value as JSON. Making a whole object of a line first would cost twice as much."""
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if type(value) in (int, float):
        return repr(value)
    return "null" if value is None else _encode(value)


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    """Return a time in UTC, as all lines of this second have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
