"""How a store sends and is paid."""

from typing import Any

import falcon

from marketplace.contract.errors import Problem
from marketplace.contract.operations import operation
from marketplace.postgres.callers import Caller
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import activities, store_settings
from marketplace.schemas import store_settings as schemas
from marketplace.web import client, etags
from marketplace.workflows import store_settings as workflow
from marketplace.workflows.products import store_of

SELLERS = ("seller", "admin")
PROBLEMS = ("store_required", "not_found")


class Settings:
    """/api/stores/mine/settings"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getStoreSettings",
        "How a store sends and is paid",
        roles=SELLERS,
        query=schemas.QUERY,
        responses={200: schemas.SETTINGS},
        problems=PROBLEMS,
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the settings of the caller's store; an admin names one."""
        caller = req.context.caller
        with self.db.transaction(caller) as conn:
            resp.media = _find(conn, caller, store_of(caller, req.context.query.get("store_id")))

    @operation(
        "replaceStoreSettings",
        "Change how a store sends and is paid",
        roles=SELLERS,
        query=schemas.QUERY,
        body=schemas.CHANGE,
        responses={200: schemas.SETTINGS},
        problems=(*PROBLEMS, "address_incomplete"),
        conditional=True,
    )
    def on_put(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Replace the settings. Who collects cash on delivery stays unless given, and is for admins
        to say.
        """
        caller, body = req.context.caller, req.context.body
        store_id = store_of(caller, req.context.query.get("store_id"))
        with self.db.transaction(caller) as conn:
            store_settings.take_turn(conn, store_id)
            before = _find(conn, caller, store_id)
            etags.require(req, before["version"])
            after = workflow.settled(conn, before, body, req.context.config.country)
            if caller.role != "admin" and after["cod_collector"] != before["cod_collector"]:
                raise Problem("forbidden", "An admin says who collects cash on delivery.")
            changed = [name for name in workflow.FIELDS if after[name] != before[name]]
            if changed:
                store_settings.write(conn, store_id, after)
                activities.record(
                    conn,
                    client.client(req),
                    "update_store_settings",
                    related=("store", store_id, None),
                    details={"changed": changed},
                )
            resp.media = _find(conn, caller, store_id)


def _find(conn: Conn, caller: Caller, store_id: int) -> Row:
    owner_id: Any = None if caller.role == "admin" else caller.user_id
    found = store_settings.find(conn, store_id, owner_id=owner_id)
    if found is None:
        raise Problem("not_found", "There is no such store.")
    return workflow.shown(found)
