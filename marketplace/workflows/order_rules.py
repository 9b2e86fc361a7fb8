"""What can be done with an order now, by whom, and until when: pure functions of its row.

The verbs of the database decide; these say beforehand what they would, so that an app shows the
buttons that work and no others.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from marketplace.postgres.callers import Caller

BUYER, SELLER, ADMIN = "buyer", "seller", "admin"


def party(order: Mapping[str, Any], caller: Caller) -> str:
    """Return what the caller is to an order of theirs: its buyer, its seller, or an admin."""
    if order["buyer_id"] == caller.user_id:
        return BUYER
    return SELLER if order["store_id"] == caller.store_id else ADMIN


def possible(order: Mapping[str, Any], acts: str) -> list[str]:
    """Return what this party can do with an order now."""
    able = {
        "cancel": cancelling(order, acts) != "no",
        "confirm": acts != SELLER and _can_confirm(order, acts),
        "accept": acts != BUYER and order["stage"] == "new",
        "ship": acts != BUYER and order["stage"] in ("new", "to_ship"),
        "cancel_lines": acts != BUYER and order["stage"] in ("new", "to_ship"),
        "refuse_cancel": acts != BUYER and order["open_request"] == "cancel",
        "delivered": acts != BUYER and on_the_way(order) > 0 and _knows_of_cash(order, acts),
        "returned": acts != BUYER and on_the_way(order) > 0,
    }
    return [action for action, is_able in able.items() if is_able]


def cancelling(order: Mapping[str, Any], acts: str) -> str:
    """Return how this party cancels an order: now, ask, or no. What is unpaid is cancelled as its
    checkout; what a buyer has asked for is not asked for again.
    """
    if order["stage"] in ("unpaid", "cancelled", "completed"):
        return "no"
    if order["units_shipped"] != order["units_undelivered"]:
        return "no"
    if acts == BUYER and order["state"] == "accepted":
        return "no" if order["open_request"] == "cancel" else "ask"
    return "now"


def on_the_way(order: Mapping[str, Any]) -> int:
    """Return how many pieces are with a courier."""
    on_road: int = order["units_shipped"] - order["units_delivered"] - order["units_undelivered"]
    return on_road


def deadline(order: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what is to happen next by itself, and when; None: nothing is."""
    what, at = _next(order)
    return None if at is None else {"what": what, "at": at}


def _next(order: Mapping[str, Any]) -> tuple[str, datetime | None]:
    if order["open_request"] == "cancel":
        return "answer_cancel", order["cancel_by"]
    return {
        "unpaid": ("pay", order["pay_by"]),
        "new": ("ship", order["ship_by"]),
        "to_ship": ("ship", order["ship_by"]),
        "shipping": ("deliver", order["deliver_by"]),
        "delivered": ("complete", order["complete_at"]),
    }.get(order["stage"], ("", None))


def _can_confirm(order: Mapping[str, Any], acts: str) -> bool:
    """Return whether all that is on its way can be said to have arrived; where nothing is left to
    send, that completes the order, which waits for whatever is asked about it.
    """
    if on_the_way(order) > 0:
        whole = order["units_shipped"] + order["units_cancelled"] == order["units"]
        return _knows_of_cash(order, acts) and not (whole and order["open_request"] is not None)
    return order["stage"] == "delivered" and order["open_request"] is None


def _knows_of_cash(order: Mapping[str, Any], acts: str) -> bool:
    """Return whether this party may say that a parcel arrived: where the platform's courier takes
    the cash, an admin alone.
    """
    return not order["cod"] or order["cod_collector"] == "store" or acts == ADMIN
