"""Words that mean the same to a search."""

import falcon

from marketplace.contract.operations import operation
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn
from marketplace.queries import search_synonyms
from marketplace.schemas import search_synonyms as schemas
from marketplace.web import etags
from marketplace.workflows import search_synonyms as workflow


class Synonyms:
    """/api/search-synonyms"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getSearchSynonyms",
        "Words that mean the same to a search",
        roles=("admin",),
        responses={200: schemas.SYNONYMS},
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return all groups of words that find each other."""
        with self.db.transaction(req.context.caller) as conn:
            _show(conn, resp)

    @operation(
        "replaceSearchSynonyms",
        "Replace the words that mean the same to a search",
        roles=("admin",),
        body=schemas.CHANGE,
        responses={200: schemas.SYNONYMS},
        conditional=True,
    )
    def on_put(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Replace the whole list. A word stands in one group, and searches know it at once."""
        with self.db.transaction(req.context.caller) as conn:
            search_synonyms.take_turn(conn)
            etags.require(req, search_synonyms.version(conn))
            workflow.replace(conn, [group["words"] for group in req.context.body["synonyms"]])
            _show(conn, resp)


def _show(conn: Conn, resp: falcon.Response) -> None:
    version = search_synonyms.version(conn)
    resp.context.version = str(version)
    resp.media = {
        "synonyms": [{"words": words} for words in search_synonyms.groups(conn)],
        "version": version,
    }
