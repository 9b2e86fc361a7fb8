"""Orders: lists for buyers, stores and admins, and the page of one."""

from typing import Any

import falcon

from marketplace.contract import pages
from marketplace.contract.operations import Budget, operation
from marketplace.contract.pages import Part, Window
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Row
from marketplace.queries import orders
from marketplace.schemas import orders as schemas
from marketplace.schemas.common import of, optional
from marketplace.web import client, paging
from marketplace.workflows import order_lists
from marketplace.workflows import orders as workflow
from marketplace.workflows.products import store_of

SELLERS = ("seller", "admin")
LIST = pages.listed_by_cursor("orders", schemas.CARD, facets=optional(of(schemas.STAGE_COUNTS)))
LIST_PROBLEMS = ("invalid_cursor", "sort_not_offered", "filter_not_offered")


class Orders:
    """/api/orders"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listOrders",
        "The caller's orders",
        query={**schemas.FILTERS, **pages.BY_CURSOR},
        responses={200: LIST},
        problems=LIST_PROBLEMS,
        budget=Budget(4, 3),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return what the caller ordered, newest first; to an admin, everybody's orders. A filter
        or an order that no index serves is refused by name.
        """
        caller, query = req.context.caller, req.context.query
        window = paging.window_by_cursor(req, query)
        with self.db.transaction(caller) as conn:
            rows, keys = order_lists.of_caller(conn, caller, query, _part(window))
            cards = workflow.cards(conn, caller, _shown(rows, window))
            counts = orders.count_of_buyer(conn, caller.user_id) if "facets" in query else None
        _respond(req, resp, cards, window, paging.last_of(rows, window, keys), counts)


class OfStore:
    """/api/stores/mine/orders"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listStoreOrders",
        "Orders of the caller's store",
        roles=SELLERS,
        query={**schemas.STORE_FILTERS, **pages.BY_CURSOR},
        responses={200: LIST},
        problems=(*LIST_PROBLEMS, "store_required", "not_found"),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return what the store has to do with: by stage, by deadline, by what is asked, or by
        product. A filter or an order that no index serves is refused by name.
        """
        caller, query = req.context.caller, req.context.query
        store_id = store_of(caller, query.get("store_id"))
        window = paging.window_by_cursor(req, query)
        with self.db.transaction(caller) as conn:
            rows, keys = order_lists.of_store(conn, store_id, query, _part(window))
            cards = workflow.cards(conn, caller, _shown(rows, window))
            counts = orders.count_of_store(conn, store_id) if "facets" in query else None
        _respond(req, resp, cards, window, paging.last_of(rows, window, keys), counts)


class Order:
    """/api/orders/{order_id}"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getOrder",
        "One order",
        responses={200: schemas.PAGE},
        problems=("not_found",),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, order_id: int) -> None:
        """Return an order to its buyer, its store or an admin: what was bought, where it goes, what
        happened, and what the caller can do with it now.
        """
        caller = req.context.caller
        with self.db.transaction(caller) as conn:
            resp.media = workflow.page(conn, caller, order_id, client.language(req))
        client.say_language(resp, client.language(req))


def _part(window: Window) -> Part:
    return Part(window.limit, window.after)


def _shown(rows: list[Row], window: Window) -> list[int]:
    return [row["id"] for row in rows[: window.per_page]]


def _respond(
    req: falcon.Request,
    resp: falcon.Response,
    cards: list[dict[str, Any]],
    window: Window,
    last: list[Any] | None,
    counts: dict[str, int] | None,
) -> None:
    more = {} if counts is None else {"facets": {"stage": counts}}
    items = paging.items(cards)
    paging.respond(
        req, resp, noun="orders", items=items, window=window, last=last, total=None, more=more
    )
