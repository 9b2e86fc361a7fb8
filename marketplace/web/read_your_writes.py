"""Consistency-Token: clients read their own writes while replicas serve public reads.

The response to a write carries a token. A client that sends it back is never served by a replica
that has not come so far; without it, a phone may see its change a moment late. Only the greatest
token is needed, which is a device's newest. Without replicas no response carries one, and a token
sent makes no difference.
"""

import falcon

from marketplace.postgres import replicas
from marketplace.postgres.database import Database

NAME = "Consistency-Token"
_READING = frozenset(("GET", "HEAD", "OPTIONS"))


class ReadYourWrites:
    """Reads the token of a request, and gives the response to a write its own."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def begin(self, req: falcon.Request) -> None:
        """Set req.context.read_after. An unreadable token counts as one from the future: the
        primary serves the read.
        """
        req.context.read_after = replicas.position(req.env.get("HTTP_CONSISTENCY_TOKEN"))
        self._db.begin_request(writing=req.method not in _READING)

    def end(self, resp: falcon.Response) -> None:
        """Set the header if something was written."""
        self._db.end_request()
        reached = self._db.written()
        if reached is not None:
            resp.set_header(NAME, replicas.token(reached))
