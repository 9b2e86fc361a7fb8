"""Completions of a search, while it is typed."""

import falcon

from marketplace.contract.operations import PUBLIC, operation
from marketplace.postgres.database import Database
from marketplace.queries import search
from marketplace.schemas import suggestions as schemas

KINDS = ("products", "brands", "categories")


class Suggestions:
    """/api/products/suggest"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "suggestProducts",
        "Complete a search while it is typed",
        roles=PUBLIC,
        query=schemas.QUERY,
        responses={200: schemas.SUGGESTIONS},
        max_age=60,
        catalogue=True,
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return products, brands and categories with words that begin as the last one typed."""
        with self.db.read(req.context.read_after) as conn:
            rows = search.suggest(conn, req.context.query["q"])
        resp.media = {
            kind: [{"id": row["id"], "name": row["name"]} for row in rows if row["kind"] == kind]
            for kind in KINDS
        }
