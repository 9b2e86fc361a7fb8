"""Consistency-Token: reading what one has written, where replicas answer public reads.

An answer to a write carries a token. Who sends it back with later requests is never answered by a
replica that has not come so far; without it, a phone may see its change a moment late. Only the
greatest one is needed, and the newest of a device is that. Where there are no replicas no answer
carries one, and one that is sent makes no difference.
"""

from typing import Any

import falcon

from marketplace.postgres import replicas
from marketplace.postgres.database import Database

NAME = "Consistency-Token"
_READING = frozenset(("GET", "HEAD", "OPTIONS"))


class ReadYourWrites:
    """Middleware: reads the token of a request, and gives the answer to a write its own."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Set req.context.read_after. A token that cannot be read is as good as one from the
        future: the primary answers.
        """
        req.context.read_after = replicas.position(req.env.get("HTTP_CONSISTENCY_TOKEN"))
        self._db.begin_request(writing=req.method not in _READING)

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool
    ) -> None:
        """Set the header, where something was written."""
        reached = self._db.written()
        if reached is not None:
            resp.set_header(NAME, replicas.token(reached))
