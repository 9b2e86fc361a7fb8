"""What can be done with an order now, by whom, and until when: pure functions of its row.

The verbs of the database decide; these say beforehand what they would, so that an app shows the
buttons that work and no others.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from marketplace.postgres.callers import Caller

BUYER, SELLER, ADMIN = "buyer", "seller", "admin"
#: A completed order can be given back for so long.
RETURNABLE = timedelta(days=7)
#: Where an option of delivery promises none.
PROMISED_DAYS = 7
#: What is waited for, by the state of the open return.
RETURNING = {"open": "answer_return", "approved": "send_back", "sent_back": "finish_return"}


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
        "return": acts == BUYER and _can_return(order, datetime.now(timezone.utc)),
        "accept": acts != BUYER and order["stage"] == "new",
        "ship": acts != BUYER and order["stage"] in ("new", "to_ship"),
        "cancel_lines": acts != BUYER and order["stage"] in ("new", "to_ship"),
        "refuse_cancel": acts != BUYER and order["open_request"] == "cancel",
        "delivered": acts != BUYER and on_the_way(order) > 0 and _knows_of_cash(order, acts),
        "returned": acts != BUYER and on_the_way(order) > 0,
        "refund": acts != BUYER and _has_money(order),
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


def return_until(order: Mapping[str, Any]) -> datetime | None:
    """Return until when a completed order can be given back; None: that is not known yet."""
    completed: datetime | None = order["completed_at"]
    return None if completed is None else completed + RETURNABLE


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
    if order["open_request"] == "return":
        kept = order["return_state"] == "approved" and order["keep_goods"]
        what = "finish_return" if kept else RETURNING.get(order["return_state"], "")
        return what, order["return_by"]
    return {
        "unpaid": ("pay", order["pay_by"]),
        "new": ("ship", order["ship_by"]),
        "to_ship": ("ship", order["ship_by"]),
        "shipping": ("deliver", order["deliver_by"]),
        "delivered": ("complete", order["complete_at"]),
    }.get(order["stage"], ("", None))


def _has_money(order: Mapping[str, Any]) -> bool:
    """Return whether something was paid that is not promised back."""
    return bool(order["paid"] > order["refund_total"])


def _can_return(order: Mapping[str, Any], now: datetime) -> bool:
    """Return whether the buyer can give back what has arrived, or ask for what never came: once the
    promised days and two more are over.
    """
    if not _has_money(order) or order["open_request"] in ("return", "dispute"):
        return False
    if order["returns_end"]:
        return False
    if order["stage"] == "completed" and now >= order["completed_at"] + RETURNABLE:
        return False
    if order["stage"] not in ("shipping", "delivered", "completed"):
        return False
    if order["units_delivered"] > order["units_returned"]:
        return True
    late = timedelta(days=(order["days_max"] or PROMISED_DAYS) + 2)
    return on_the_way(order) > 0 and order["shipped_at"] + late <= now


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
