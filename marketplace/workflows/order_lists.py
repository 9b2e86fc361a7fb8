"""Lists of orders: which filters and orders an index serves, and what each finds."""

from collections.abc import Mapping
from typing import Any

from marketplace.contract import pages
from marketplace.contract.errors import FieldError, Problem
from marketplace.contract.pages import Part
from marketplace.postgres.callers import Caller
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import orders
from marketplace.text.messages import say
from marketplace.workflows.orders import tidy

FILTERS = ("stage", "number", "store_id", "cod_overdue", "open_request", "late", "product_id")
#: What is offered together, by whose list it is.
OF_BUYER: tuple[set[str], ...] = (set(), {"stage"}, {"number"})
OF_ADMIN: tuple[set[str], ...] = (set(), {"number"}, {"cod_overdue"}, {"stage", "store_id"})
OF_STORE: tuple[set[str], ...] = (
    *(set(), {"stage"}, {"number"}, {"open_request"}),
    *({"late"}, {"late", "stage"}, {"product_id"}),
)
TO_SHIP = ["new", "to_ship"]
#: The sort keys of a list.
NEWEST = ("placed_at", "id")


def of_caller(
    conn: Conn, caller: Caller, query: Mapping[str, Any], part: Part
) -> tuple[list[Row], tuple[str, ...]]:
    """Return ids of the caller's orders, an admin's are everybody's, and the names of their sort
    keys. Raises 400 for what no index serves.
    """
    admin = caller.role == "admin"
    given = _given(query, OF_ADMIN if admin else OF_BUYER)
    _require_sort(query, ("newest",))
    if admin and "facets" in query:
        raise pages.not_offered(["facets"], say("`facets` counts for one buyer or one store."))
    if "number" in given:
        whose = {"everything": True} if admin else {"user_id": caller.user_id}
        return orders.by_number(conn, tidy(query["number"]), **whose), NEWEST
    if "cod_overdue" in given:
        return orders.cod_overdue(conn, part), ("deliver_by", "id")
    if not admin:
        return orders.of_buyer(conn, caller.user_id, query.get("stage"), part), NEWEST
    if "store_id" in given:
        return orders.of_store(conn, query["store_id"], query["stage"], part), NEWEST
    return orders.newest(conn, part), NEWEST


def of_store(
    conn: Conn, store_id: int, query: Mapping[str, Any], part: Part
) -> tuple[list[Row], tuple[str, ...]]:
    """Return ids of a store's orders, and the names of their sort keys. Raises 400 for what no
    index serves.
    """
    given = _given({**query, "store_id": None}, OF_STORE)
    urgent = query.get("sort_by") == "ship_by" or "late" in given
    if urgent and query.get("stage", TO_SHIP) == TO_SHIP and given <= {"late", "stage"}:
        _require_sort(query, ("ship_by",))
        return orders.to_ship(conn, store_id, part, late="late" in given), ("ship_by", "id")
    if "late" in given:
        raise pages.not_offered(
            ["stage"], say("What is late is new or to_ship: leave `stage` out.")
        )
    _require_sort(query, ("newest",))
    if "number" in given:
        return orders.by_number(conn, tidy(query["number"]), store_id=store_id), NEWEST
    if "open_request" in given:
        return orders.with_request(conn, store_id, query["open_request"], part), NEWEST
    if "product_id" in given:
        return orders.with_product(conn, store_id, query["product_id"], part), ("id",)
    return orders.of_store(conn, store_id, query.get("stage"), part), NEWEST


def _given(query: Mapping[str, Any], offered: tuple[set[str], ...]) -> set[str]:
    """Return the filters of a query. Raises 400 for some that are not offered together."""
    given = {name for name in FILTERS if query.get(name) not in (None, False)}
    if given not in offered:
        alone = sorted(given - set().union(*offered)) or sorted(given)
        raise pages.unindexed(alone)
    return given


def _require_sort(query: Mapping[str, Any], offered: tuple[str, ...]) -> None:
    """Raise 400 for an order that no index serves with these filters."""
    wanted = query.get("sort_by", offered[0])
    if wanted not in offered:
        words = say("This list cannot be sorted by {sort_by}.", sort_by=wanted)
        errors = [FieldError("/sort_by", "sort_not_offered", words)]
        raise Problem("sort_not_offered", words, errors=errors)
