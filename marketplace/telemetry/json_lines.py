"""The form of a line of the log: one JSON object, with the id of the request it belongs to.

gunicorn's master has it, too, which must not load what a reload is to load anew: standard library
only.
"""

import json
import logging
from contextvars import ContextVar
from datetime import datetime, timezone
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


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON; line breaks inside it are escaped, so that nobody can forge
    a line.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": current_request.get(),
        }
        line.update({name: record.__dict__[name] for name in _FIELDS if name in record.__dict__})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
