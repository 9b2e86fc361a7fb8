"""Is the process alive, and can it serve?"""

import falcon

from marketplace import migrations
from marketplace.db import Database
from marketplace.errors import Problem
from marketplace.languages import say
from marketplace.operations import PUBLIC, operation
from marketplace.validation import Named

STATUS = Named("Status", {"status": {"type": "string"}})


class Alive:
    """/healthz"""

    @operation("getHealth", "Whether the process answers", roles=PUBLIC, answers={200: STATUS})
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer at once, without looking at anything."""
        resp.set_header("Cache-Control", "no-store")
        resp.media = {"status": "ok"}


class Ready:
    """/readyz"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getReadiness",
        "Whether requests can be served: database there, migrations applied",
        roles=PUBLIC,
        answers={200: STATUS},
        problems=("unavailable",),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer 503 while the database is away or behind this code's migrations."""
        resp.set_header("Cache-Control", "no-store")
        with self.db.read() as conn:
            pending = migrations.pending(conn)
        if pending:
            raise Problem("unavailable", say("{count} migrations wait; run `make migrate`.", count=len(pending)))
        resp.media = {"status": "ready"}
