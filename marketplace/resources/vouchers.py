"""Vouchers: those of the caller's store, and for admins those of the platform."""

import falcon

from marketplace.contract import pages
from marketplace.contract.errors import Problem
from marketplace.contract.operations import operation
from marketplace.postgres.database import Database
from marketplace.queries import vouchers
from marketplace.schemas import vouchers as schemas
from marketplace.web import etags, idempotency, paging
from marketplace.workflows import vouchers as workflow
from marketplace.workflows.products import store_of

SELLERS = ("seller", "admin")
ADMINS = ("admin",)
LIST = pages.listed_by_cursor("vouchers", schemas.VOUCHER)


class Mine:
    """/api/stores/mine/vouchers"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listMyVouchers",
        "Vouchers of the caller's store",
        roles=SELLERS,
        query={**schemas.OF_STORE, **schemas.FILTERS, **pages.BY_CURSOR},
        responses={200: LIST},
        problems=("store_required", "not_found", "invalid_cursor"),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the store's vouchers, the newest first."""
        store_id = store_of(req.context.caller, req.context.query.get("store_id"))
        _list(self.db, req, resp, store_id)

    @operation(
        "createMyVoucher",
        "Add a voucher of the caller's store",
        roles=SELLERS,
        query=schemas.OF_STORE,
        body=schemas.NEW,
        responses={201: schemas.VOUCHER},
        problems=("store_required", "not_found", "code_taken"),
        idempotent=True,
        sells=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Add a voucher, whose discount the store bears. A code means one thing in the whole
        installation.
        """
        store_id = store_of(req.context.caller, req.context.query.get("store_id"))
        _add(self.db, req, resp, store_id, "/api/stores/mine/vouchers")


class MyVoucher:
    """/api/stores/mine/vouchers/{voucher_id}"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "updateMyVoucher",
        "Change a voucher of the caller's store",
        roles=SELLERS,
        query=schemas.OF_STORE,
        body=schemas.CHANGE,
        partial=True,
        responses={200: schemas.VOUCHER},
        problems=("store_required", "not_found", "voucher_used_up"),
        conditional=True,
    )
    def on_patch(self, req: falcon.Request, resp: falcon.Response, voucher_id: int) -> None:
        """Change the given fields; `active: false` closes it. What it gives never changes."""
        store_id = store_of(req.context.caller, req.context.query.get("store_id"))
        _change(self.db, req, resp, voucher_id, store_id)


class Platform:
    """/api/vouchers"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listVouchers",
        "Vouchers of the platform",
        roles=ADMINS,
        query={**schemas.FILTERS, **pages.BY_CURSOR},
        responses={200: LIST},
        problems=("invalid_cursor",),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the platform's vouchers, the newest first."""
        _list(self.db, req, resp, None)

    @operation(
        "createVoucher",
        "Add a voucher of the platform",
        roles=ADMINS,
        body=schemas.NEW,
        responses={201: schemas.VOUCHER},
        problems=("code_taken",),
        idempotent=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Add a voucher, whose discount the platform bears: stores get their full price."""
        _add(self.db, req, resp, None, "/api/vouchers")


class PlatformVoucher:
    """/api/vouchers/{voucher_id}"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "updateVoucher",
        "Change a voucher of the platform",
        roles=ADMINS,
        body=schemas.CHANGE,
        partial=True,
        responses={200: schemas.VOUCHER},
        problems=("not_found", "voucher_used_up"),
        conditional=True,
    )
    def on_patch(self, req: falcon.Request, resp: falcon.Response, voucher_id: int) -> None:
        """Change the given fields; `active: false` closes it. What it gives never changes."""
        _change(self.db, req, resp, voucher_id, None)


def _list(db: Database, req: falcon.Request, resp: falcon.Response, store_id: int | None) -> None:
    query = req.context.query
    window = paging.window_by_cursor(req, query)
    after_id = window.after[0] if window.after else None
    with db.transaction(req.context.caller) as conn:
        rows = vouchers.search(
            conn, store_id, active=query.get("active"), after_id=after_id, limit=window.limit
        )
    paging.respond_rows(req, resp, "vouchers", rows, window, None, keys=("id",))


def _add(
    db: Database, req: falcon.Request, resp: falcon.Response, store_id: int | None, path: str
) -> None:
    with idempotency.transaction(db, req, resp) as conn:
        voucher = workflow.add(conn, store_id, req.context.body)
        resp.media = voucher
        resp.status = falcon.HTTP_201
        resp.location = f"{path}/{voucher['id']}"


def _change(
    db: Database,
    req: falcon.Request,
    resp: falcon.Response,
    voucher_id: int,
    store_id: int | None,
) -> None:
    with db.transaction(req.context.caller) as conn:
        before = vouchers.hold(conn, voucher_id, store_id=store_id)
        if before is None:
            raise _not_found()
        etags.require(req, before["version"])
        voucher = workflow.change(conn, store_id, before, req.context.body)
        if voucher is None:
            raise _not_found()
        resp.media = voucher


def _not_found() -> Problem:
    return Problem("not_found", "There is no such voucher.")
