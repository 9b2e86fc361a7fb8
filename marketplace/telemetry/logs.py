"""The server's log: one JSON object a line (json_lines.py), each with the id of the request it
belongs to; on a terminal, a line for people (text_lines.py).

Nothing a client sends is logged except the method, the route (not the path), and the client's
address: no header, body, query string, cookie or token.
"""

import logging

from marketplace.telemetry import text_lines
from marketplace.telemetry.stderr import PatientHandler


def install(level: str) -> None:
    """Send every logger of this process to standard error in this form."""
    handler = PatientHandler()
    handler.setFormatter(text_lines.formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # gunicorn's own line for a request has the path and query string, which may hold a secret; ours
    # replaces it.
    logging.getLogger("gunicorn.access").disabled = True
    for noisy in ("PIL", "procrastinate"):
        logging.getLogger(noisy).setLevel("WARNING")
    logging.getLogger("psycopg.pool").setLevel("ERROR")  # each attempt, while the database is away
