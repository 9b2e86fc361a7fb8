"""Lists of checkouts: which filters an index serves, and what each finds."""

from collections.abc import Mapping
from typing import Any

from marketplace.contract import pages
from marketplace.contract.pages import Part
from marketplace.postgres.callers import Caller
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import checkouts
from marketplace.workflows.orders import tidy

#: What is offered together, by whose list it is.
OF_BUYER: tuple[set[str], ...] = (set(), {"state"}, {"number"})
OF_ADMIN: tuple[set[str], ...] = (*OF_BUYER, {"buyer_id"}, {"buyer_id", "state"})
FILTERS = ("state", "number", "buyer_id")
#: How long the number of a checkout is; those of its orders go on behind it.
LENGTH = len("K8F3-2M94")


def of_caller(conn: Conn, caller: Caller, query: Mapping[str, Any], part: Part) -> list[Row]:
    """Return the caller's checkouts, an admin's are everybody's, the newest first. Raises 400 for
    filters that are not offered together.
    """
    admin = caller.role == "admin"
    given, offered = {name for name in FILTERS if name in query}, OF_ADMIN if admin else OF_BUYER
    if given not in offered:
        raise pages.unindexed(sorted(given - set().union(*offered)) or sorted(given))
    if "number" in given:
        number = tidy(query["number"])[:LENGTH]
        return checkouts.by_number(conn, number, user_id=caller.user_id, everything=admin)
    if admin and "buyer_id" not in given:
        return checkouts.of_everybody(conn, query.get("state"), part)
    return checkouts.search(conn, query.get("buyer_id", caller.user_id), query.get("state"), part)
