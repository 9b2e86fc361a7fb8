"""Orders in any stage, made by the verbs of the database; between them requests go through the API."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from conftest import Api, User

from support.placing import ADDRESS, OPTION, Market
from support.stock import broken


class Desk:
    """A store and its buyers. `order` makes an order; `do` calls a verb as somebody."""

    def __init__(self, api: Api, seller: User | None = None) -> None:
        self.api = api
        self._market = Market(api)
        if seller is not None:
            self._market.seller = seller
            self._market.option = self._market.one(OPTION, seller.store_id)
        self.seller: User = self._market.seller
        self.buyer: User = self._market.buyer
        self._market.become("marketplace_app")
        self.admin = api.admin()
        self._addresses = {self.buyer.id: self._market.address}

    @contextmanager
    def owner(self) -> Iterator[Any]:
        """The connection, with the rights of the owner of the tables."""
        with self.api.as_owner(self.api.db.conn) as conn:
            yield conn

    def one(self, query: str, *values: Any) -> Any:
        """The only value that a statement of the owner's returns."""
        with self.owner() as conn:
            row = conn.execute(query, values).fetchone()
        return next(iter(row.values()))

    def row(self, query: str, *values: Any) -> dict[str, Any]:
        """A row, as the owner sees it."""
        with self.owner() as conn:
            return dict(conn.execute(query, values).fetchone())

    def change(self, query: str, *values: Any) -> None:
        """Change rows by the owner's hand."""
        with self.owner() as conn:
            assert conn.execute(query, values).rowcount > 0, query

    def product(self, quantity: int = 20, **fields: Any) -> int:
        """A product of the store; its id."""
        return int(self.api.product(self.seller, stock=quantity, **fields)["id"])

    def order(
        self, *wanted: tuple[int, int], method: str = "transfer", buyer: User | None = None
    ) -> int:
        """An order of (product, pieces) at 85,000 each, paid unless `method` is `unpaid`; its id."""
        buyer = buyer or self.buyer
        lines = wanted or ((self.product(), 2),)
        with self.owner():
            self._market.address = self._address_of(buyer)
            document = self._market.document(
                *lines, method="transfer" if method == "unpaid" else method
            )
            checkout = self._market.place(document, buyer)
        if method == "transfer":
            self.pay(checkout)
        return int(self.one("SELECT id FROM orders WHERE checkout_id = %s", checkout))

    def pay(self, checkout: int) -> None:
        """An admin confirms the transfer of a checkout."""
        payment = self.row("SELECT id, amount FROM payments WHERE checkout_id = %s", checkout)
        told = self.do(
            self.admin, "SELECT confirm_transfer(%s, %s)", payment["id"], payment["amount"]
        )
        assert told == "paid", told

    def do(self, user: User | None, query: str, *values: Any) -> Any:
        """What a verb returns to a user; None: to the worker, who acts for the system."""
        with self.owner():
            return self._market.acting(user, query, *values)

    def ship(self, order: int, *lines: tuple[int, int], number: str | None = None) -> int:
        """Send lines of an order (line, pieces), or all that is left; the parcel."""
        ids = [line for line, _ in lines] or None
        pieces = [count for _, count in lines] or None
        query = "SELECT ship_order(%s, %s::bigint[], %s::integer[], 'jne', 'REG', %s)"
        return int(self.do(self.seller, query, order, ids, pieces, number or f"JX{order}"))

    def cancel(self, order: int, user: User, why: str = "changed_mind") -> str:
        """Cancel an order, or ask for it; what became of it."""
        return str(self.do(user, "SELECT cancel_order(%s, %s)", order, why))

    def lines(self, order: int) -> list[int]:
        """The lines of an order."""
        with self.owner() as conn:
            rows = conn.execute(
                "SELECT id FROM order_lines WHERE order_id = %s ORDER BY id", [order]
            )
            return [row["id"] for row in rows.fetchall()]

    def age(self, order: int, days: int) -> None:
        """Have an order be older, so that orders of a test stand in a known sequence."""
        self.change(
            "UPDATE orders SET placed_at = placed_at - make_interval(days => %s) WHERE id = %s",
            days,
            order,
        )

    def broken(self) -> list[tuple[str, int]]:
        """Which invariants do not hold."""
        with self.owner() as conn:
            return broken(conn, orders=True)

    def another(self) -> "Desk":
        """The desk of another store, with a buyer of its own."""
        return Desk(self.api)

    def _address_of(self, buyer: User) -> int:
        query = "SELECT max(id) FROM addresses WHERE user_id = %s"
        there = self._addresses.get(buyer.id) or self._market.one(query, buyer.id)
        self._addresses[buyer.id] = int(there or self._market.one(ADDRESS, buyer.id))
        return self._addresses[buyer.id]
