"""Badges of an app's tabs."""

import falcon

from marketplace.contract.operations import operation
from marketplace.postgres.database import Database
from marketplace.queries import badges
from marketplace.schemas import badges as schemas


class Badges:
    """/api/users/badges"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation("getBadges", "How much waits for the caller", responses={200: schemas.BADGES})
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the numbers of an app's tabs, each up to 99; ask with the last ETag."""
        caller = req.context.caller
        with self.db.transaction(caller) as conn:
            shown = dict(badges.count(conn, caller.user_id))
            store = caller.store_id
            shown["store"] = badges.count_of_store(conn, store) if store is not None else None
        resp.media = shown
