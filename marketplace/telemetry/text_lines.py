"""The form of a log line for a person at a terminal; machines read json_lines.py.

gunicorn's master has it, too, which must not load what a reload is to load anew: standard library
only.
"""

import logging
import os
import sys
from datetime import datetime

from marketplace.telemetry.json_lines import JsonFormatter

#: Fields after the words of a line, if it has them; the rest is for machines.
_SHOWN = ("error", "job", "import_id", "rows")


class TextFormatter(logging.Formatter):
    """A log record as `12:01:03 GET /api/products 200 9 ms`, or as its level and words."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; line breaks inside its words are escaped, a traceback follows it."""
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        values = record.__dict__
        if "route" in values:
            words = f"{values['method']} {values['route']} {values['status']} {values['ms']:.0f} ms"
        else:
            level = "" if record.levelno == logging.INFO else f"{record.levelname} "
            shown = [f"{name}={values[name]}" for name in _SHOWN if name in values]
            words = " ".join([f"{level}{record.getMessage()}", *shown])
        line = f"{time} {_escaped(words)}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _escaped(words: str) -> str:
    """Return the words without characters that move a terminal's cursor or start a line."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in words)


def formatter() -> logging.Formatter:
    """Return the form that LOG_FORMAT names (text or json), else text on a terminal and JSON
    elsewhere.
    """
    chosen = os.environ.get("LOG_FORMAT") or ("text" if sys.stderr.isatty() else "json")
    return TextFormatter() if chosen == "text" else JsonFormatter()
