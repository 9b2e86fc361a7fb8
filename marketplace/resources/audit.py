"""The audit trail: who changed what."""

import falcon

from marketplace.contract import pages
from marketplace.contract.errors import Problem
from marketplace.contract.operations import operation
from marketplace.postgres.database import Database
from marketplace.queries import audit
from marketplace.schemas import audit as schemas
from marketplace.web import paging
from marketplace.workflows import products as workflow


class Audit:
    """/api/audit"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listAudit",
        "Who changed what",
        roles=("seller", "admin"),
        query={**schemas.FILTERS, **pages.QUERY},
        responses={200: pages.listed("audit", schemas.ENTRY)},
        problems=("invalid_cursor", "page_too_deep", "not_found"),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the trail, newest first: all of it to admins, that of their own
        store to sellers.
        """
        caller, query = req.context.caller, req.context.query
        filters = {name: query[name] for name in audit.FILTERS if name in query}
        filters["thing_id"] = query.get("id")
        if caller.role != "admin":
            if query.get("store_id", caller.store_id) != caller.store_id:
                raise Problem("not_found", "There is no such store of yours.")
            filters["store_id"] = workflow.reach(caller)
        window = paging.window(req, query)
        after = (window.after[0], window.after[1]) if window.after else None
        with self.db.transaction(caller) as conn:
            rows = audit.search(
                conn, filters, after=after, limit=window.limit, offset=window.offset
            )
            total = pages.capped(window, lambda cap: audit.count(conn, filters, limit=cap))
        paging.respond_rows(req, resp, "audit", rows, window, total, keys=("created_at", "id"))
