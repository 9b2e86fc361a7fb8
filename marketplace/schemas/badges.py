"""Badges: how much waits for a user."""

from marketplace.contract.validation import Named
from marketplace.schemas.common import NUMBER, described, of

_STORE = Named(
    "StoreBadges",
    {
        "new": described(NUMBER, "Orders to accept."),
        "to_ship": described(NUMBER, "Orders to send."),
        "requests": described(NUMBER, "Orders about which something is asked."),
        "low_stock": described(NUMBER, "Things that ran low when the worker last looked."),
    },
)
BADGES = Named(
    "Badges",
    {
        "cart": described(NUMBER, "Lines of the cart."),
        "unpaid": described(NUMBER, "Checkouts to pay."),
        "to_ship": described(NUMBER, "Orders that wait for their store: new or to_ship."),
        "shipping": described(NUMBER, "Orders on their way."),
        "store": described(of(_STORE, nullable=True), "null: the user has no store."),
    },
)
