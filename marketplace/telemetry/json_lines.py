"""The form of a line of the log: one JSON object, with the id of the request it belongs to.

gunicorn's master has it, too, which must not load what a reload is to load anew: standard library
only.
"""

import json
import logging
import time
from contextvars import ContextVar
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any

current_request: ContextVar[str | None] = ContextVar("current_request", default=None)
_FIELDS = (
    "method",
    "route",
    "status",
    "ms",
    "database_ms",
    "user_id",
    "ip",
    "error",
    "job",
    "import_id",
    "rows",
)
_encode = json.JSONEncoder(default=str).encode


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON; line breaks inside it are escaped, so that nobody can forge
    a line.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
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
