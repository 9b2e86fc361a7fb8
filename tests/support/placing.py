"""Places checkouts by the verbs alone, without the API: who sells, who buys, and what a checkout
says.
"""

import json
from decimal import Decimal
from typing import Any

from marketplace.workflows import pricing
from marketplace.workflows.pricing import Line
from support.stock import Room, act_as

ADDRESS = (
    "INSERT INTO addresses (user_id, recipient, phone, province, city, district, postcode, line1, is_default)"
    " VALUES (%s, 'Siti', '+6281200', 'Banten', 'Serang', 'Cipocok Jaya', '42121', 'Jl. Veteran 5', true)"
    " RETURNING id"
)
OPTION = (
    "INSERT INTO delivery_options (store_id, name, pricing, price, cod) VALUES (%s, 'Kurir', 'flat', 9000, true)"
    " RETURNING id"
)


class Market(Room):
    """A seller with a way to send, and a buyer with an address."""

    def __init__(self, api: Any) -> None:
        super().__init__(api)
        self.buyer = self.user("buyer")
        self.address = self.one(ADDRESS, self.buyer.id)
        self.option = self.one(OPTION, self.seller.store_id)

    def one(self, query: str, *values: Any) -> Any:
        """The only value that a statement of the owner's returns."""
        row = self.conn.execute(query, values).fetchone()
        return next(iter(row.values()))

    def document(
        self, *wanted: tuple[int, int], method: str = "transfer", delivery: str = "9000"
    ) -> dict[str, Any]:
        """What is to be placed: (product, pieces) of the seller's, at 85,000 each."""
        store = self.seller.store_id
        lines = [Line(product, 0, store, Decimal(85000), pieces) for product, pieces in wanted]
        priced = pricing.price(lines, {store: Decimal(delivery)}, {store: True}, [], Decimal(1))
        (order,) = priced.orders
        return {
            "method": method,
            "currency": "IDR",
            "total": str(priced.total),
            "pay_within_minutes": 60,
            "address_id": self.address,
            "from_cart": False,
            "lines": [
                {
                    "product_id": line.product_id,
                    "variant_id": line.variant_id,
                    "quantity": line.quantity,
                    "price": str(line.price),
                    "discount": str(line.discount),
                    "subsidy": str(line.subsidy),
                    "tax": str(line.tax),
                }
                for line in priced.lines
            ],
            "orders": [
                {
                    "store_id": store,
                    "delivery_option_id": self.option,
                    "note": None,
                    "discount_total": "0",
                    "subsidy_total": "0",
                    "delivery_total": str(order.delivery_total),
                    "tax_total": "0",
                    "tax_included": True,
                    "total": str(order.total),
                }
            ],
            "vouchers": [],
        }

    def place(self, document: dict[str, Any], buyer: Any = None) -> int:
        """Place it; the checkout."""
        act_as(self.conn, (buyer or self.buyer).id)
        checkout = self.one("SELECT checkout_id FROM place_checkout(%s)", json.dumps(document))
        act_as(self.conn, None)
        return int(checkout)

    def acting(self, user: Any, query: str, *values: Any) -> Any:
        """What a verb returns to a user; None: to the worker, who acts for the system."""
        act_as(self.conn, user.id if user else None)
        found = self.one(query, *values)
        act_as(self.conn, None)
        return found

    def row(self, query: str, *values: Any) -> dict[str, Any]:
        """A row, as the owner sees it."""
        return dict(self.conn.execute(query, values).fetchone())
