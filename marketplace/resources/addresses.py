"""The caller's addresses, and the areas they are picked from."""

import falcon

from marketplace.contract import pages
from marketplace.contract.errors import Problem
from marketplace.contract.operations import PUBLIC, Budget, operation
from marketplace.postgres.database import Database
from marketplace.queries import addresses, areas
from marketplace.schemas import addresses as schemas
from marketplace.web import authentication, etags, idempotency, paging
from marketplace.workflows import addresses as workflow


class Addresses:
    """/api/users/addresses"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listAddresses",
        "The caller's addresses",
        responses={200: schemas.LIST},
        at_once=True,
        budget=Budget(4, 1),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return all of them, the default one first; there are at most 50."""
        user_id = req.context.caller.user_id
        rows = authentication.read(
            self.db, req, lambda conn: addresses.send_find(conn, None, user_id=user_id)
        )
        resp.media = {"addresses": [workflow.shown(row) for row in rows]}

    @operation(
        "createAddress",
        "Add an address",
        body=schemas.NEW,
        responses={201: schemas.ADDRESS},
        problems=("too_many_addresses", "address_incomplete"),
        idempotent=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Add an address; the first one is the default."""
        with idempotency.transaction(self.db, req, resp) as conn:
            body = {"country": req.context.config.country, **req.context.body}
            address = workflow.add(conn, req.context.caller.user_id, body)
            resp.media = address
            resp.status = falcon.HTTP_201
            resp.location = f"/api/users/addresses/{address['id']}"


class Address:
    """/api/users/addresses/{address_id}"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getAddress",
        "One address",
        responses={200: schemas.ADDRESS},
        problems=("not_found",),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, address_id: int) -> None:
        """Return one of the caller's addresses."""
        caller = req.context.caller
        with self.db.transaction(caller) as conn:
            address = addresses.find(conn, address_id, user_id=caller.user_id)
        if address is None:
            raise _not_found()
        resp.media = workflow.shown(address)

    @operation(
        "replaceAddress",
        "Change an address",
        body=schemas.CHANGE,
        responses={200: schemas.ADDRESS},
        problems=("not_found", "address_incomplete"),
        conditional=True,
    )
    def on_put(self, req: falcon.Request, resp: falcon.Response, address_id: int) -> None:
        """Replace an address; orders that were placed keep theirs."""
        self._change(req, resp, address_id, merge=False)

    @operation(
        "updateAddress",
        "Change fields of an address",
        body=schemas.CHANGE,
        partial=True,
        responses={200: schemas.ADDRESS},
        problems=("not_found", "address_incomplete"),
        conditional=True,
    )
    def on_patch(self, req: falcon.Request, resp: falcon.Response, address_id: int) -> None:
        """Change the given fields; `is_default: true` moves the default here."""
        self._change(req, resp, address_id, merge=True)

    def _change(
        self, req: falcon.Request, resp: falcon.Response, address_id: int, *, merge: bool
    ) -> None:
        caller, body = req.context.caller, req.context.body
        with self.db.transaction(caller) as conn:
            addresses.take_turn(conn, caller.user_id)
            before = addresses.find(conn, address_id, user_id=caller.user_id)
            if before is None:
                raise _not_found()
            etags.require(req, before["version"])
            home = {"country": req.context.config.country}
            body = workflow.merged(before, body) if merge else {**home, **body}
            resp.media = workflow.change(conn, caller.user_id, before, body)

    @operation(
        "deleteAddress",
        "Remove an address",
        responses={204: None},
        problems=("not_found",),
        conditional=True,
    )
    def on_delete(self, req: falcon.Request, resp: falcon.Response, address_id: int) -> None:
        """Remove an address; if it was the default, the oldest of the others is it then."""
        caller = req.context.caller
        with self.db.transaction(caller) as conn:
            addresses.take_turn(conn, caller.user_id)
            before = addresses.find(conn, address_id, user_id=caller.user_id)
            if before is None:
                raise _not_found()
            etags.require(req, before["version"])
            workflow.remove(conn, caller.user_id, address_id)
        resp.status = falcon.HTTP_204


class Areas:
    """/api/areas"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listAreas",
        "Areas of a country, to pick an address from",
        roles=PUBLIC,
        query={**schemas.AREA_FILTERS, **pages.BY_CURSOR},
        responses={200: pages.listed_by_cursor("areas", schemas.AREA)},
        problems=("invalid_cursor",),
        max_age=3600,
        catalogue=True,
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the largest areas of a country, those in `parent`, or those whose name begins with
        `search`. One search instead of four pickers: each row says where it is. Read on by cursor;
        an installation may have no areas loaded.
        """
        query = req.context.query
        window = paging.window_by_cursor(req, query)
        country = query.get("country", req.context.config.country)
        parent, limit = query.get("parent"), window.limit
        with self.db.read(req.context.read_after) as conn:
            if "search" in query:
                after = (window.after[0], window.after[1]) if window.after else None
                rows = areas.search(
                    conn, country, query["search"], parent=parent, after=after, limit=limit
                )
                keys: tuple[str, ...] = ("name_key", "code")
            else:
                code = window.after[0] if window.after else None
                rows = areas.within(conn, country, parent=parent, after_code=code, limit=limit)
                keys = ("code",)
        shown = [
            {name: value for name, value in row.items() if name != "name_key"}
            for row in rows[: window.per_page]
        ]
        paging.respond(
            req,
            resp,
            noun="areas",
            items=paging.items(shown),
            window=window,
            last=paging.last_of(rows, window, keys),
            total=None,
        )


def _not_found() -> Problem:
    return Problem("not_found", "There is no such address.")
