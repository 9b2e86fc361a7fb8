"""Random lives of orders: what people do over HTTP, and what the oracle is told of it.

Whoever acts may be wrong: what is refused changes nothing, and what is done must be what the oracle says of it.
"""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

from system.money_oracle import NOTHING, Line, Order, rounded
from system.money_provider import Till
from system.money_returns import Returning
from system.money_world import Buyer, World

BANK = {"bank": "BCA", "number": "1234567890", "holder": "Siti"}
METHODS = ("transfer", "transfer", "store_transfer", "cod", "cod")


class Lives(Returning):
    """Orders, each with what must be true of it."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        #: Pieces ordered, by product.
        self.ordered: Counter[int] = Counter()
        #: What stores have taken at their own accounts.
        self.at_stores: Counter[int] = Counter()
        #: What came wrong and was left where it is, by buyer.
        self.unclaimed: Counter[int] = Counter()

    # Placing ----------------------------------------------------------------------------------

    def place(self, buyer: Buyer, dice: Random, till: Till | None = None) -> list[Order]:
        """A checkout of one to three stores, and its orders; none where it was refused, or where its money
        comes by a provider: the till has them until then.
        """
        stores = dice.sample(sorted(self.world.stores), dice.choice((1, 1, 2, 3)))
        wanted: dict[int, int] = {}
        for store in stores:
            for product in dice.sample(
                sorted(self.world.stores[store].products), dice.randrange(1, 4)
            ):
                wanted[product] = dice.randrange(1, 7)
        document: dict[str, Any] = {
            "lines": [{"product_id": product, "quantity": n} for product, n in wanted.items()],
            "buy_now": True,
            "vouchers": dice.sample(self.world.vouchers, dice.choice((0, 0, 1, 2))),
        }
        quote = self.world.post("/api/checkout/quote", buyer.token, document, keyed=False)
        if not quote.good:
            return []
        total = Decimal(quote.document["total"])
        method = dice.choice(METHODS) if total else "none"
        payment = {"method": method} if total else None
        if till is not None and total and dice.random() < 0.5:
            payment = till.payment(dice)
            method = payment["method"]
        made = self.world.post(
            "/api/checkouts",
            buyer.token,
            {**document, "expected_total": str(total), "payment": payment},
        )
        if not made.good:
            return []
        orders = [self._noted(buyer, method, each["id"]) for each in made.document["orders"]]
        self.ordered.update(wanted)
        if till is not None and method == till.method:
            till.take(made.document, orders, buyer, dice)
            return []
        self._pay(made.document, method, orders, buyer, dice)
        return orders

    def _noted(self, buyer: Buyer, method: str, order_id: int) -> Order:
        page = self.world.get(f"/api/orders/{order_id}", self.world.admin)
        included, lines = page["totals"]["tax_included"], {}
        for each in page["lines"]:
            price, n = Decimal(each["price"]), each["quantity"]
            fee = rounded((price * n - Decimal(each["discount"])) * 5 / 100)
            worth = Decimal(each["total"]) + (NOTHING if included else Decimal(each["tax"]))
            lines[each["id"]] = Line(
                each["product_id"], n, worth, Decimal(each["subsidy"]), fee, rounded(fee * 11 / 100)
            )
        store = page["store"]["id"]
        order = Order(
            order_id, buyer.id, store, Decimal(page["total"]), Decimal(page["totals"]["subsidy"]), lines, method,
            self.world.stores[store].cash_at,
        )  # fmt: skip
        sale = sum((line.fee for line in lines.values()), NOTHING)
        if Decimal(page["sale"]["commission"]) != sale:
            self.faults.append(
                f"order {order_id}: commission {page['sale']['commission']}, not {sale}"
            )
        self.orders[order_id] = order
        return order

    def _pay(
        self, checkout: dict[str, Any], method: str, orders: list[Order], buyer: Buyer, dice: Random
    ) -> None:
        """Cash is settled at once; transfers are confirmed, or not, with what came."""
        if method in ("cod", "none"):
            for order in orders:
                order.settle()
            return
        by_id = {order.id: order for order in orders}
        for payment in checkout["payments"]:
            named = by_id[payment["order_id"]] if payment["order_id"] else None
            mine = [order for order in ([named] if named else orders) if order.stage == "unpaid"]
            store = named.store if named else None
            # free ones beside paid ones wait for the payment too
            token = (
                self.world.stores[store].token
                if store and dice.random() < 0.7
                else self.world.admin
            )
            if dice.random() < 0.12:
                if dice.random() < 0.4:  # the buyer gives up, and the money comes all the same
                    told = self.world.post(
                        f"/api/checkouts/{checkout['id']}/cancel", buyer.token, {}
                    )
                    if told.good:
                        for order in orders:
                            if order.stage == "unpaid":
                                order.cancel()
                        self._confirm(payment, [], token, dice, store)
                continue
            self._confirm(payment, mine, token, dice, store)

    def _confirm(
        self,
        payment: dict[str, Any],
        orders: list[Order],
        token: str,
        dice: Random,
        store: int | None,
    ) -> None:
        amount = Decimal(payment["amount"])
        more = Decimal(dice.choice((0, 0, 0, 123)))
        path = f"/api/payments/{payment['id']}"
        told = self.world.post(f"{path}/confirm", token, {"received": str(amount + more)})
        if not told.good:
            self.faults.append(f"payment {payment['id']} was not confirmed: {told}")
            return
        if store:
            self.at_stores[store] += int(amount + more)
        for order in orders:
            order.pay()
        self.did["paid" if orders else "paid late"] += 1
        if dice.random() < 0.08:
            key = self.world.key()
            for _ in range(2):
                told = self.world.post(f"{path}/again", token, {"received": "5001"}, key=key)
                if not told.good:
                    self.faults.append(f"payment {payment['id']} did not come again: {told}")
            self.did["paid again"] += 1
            if store:
                self.at_stores[store] += 5001

    # Living -----------------------------------------------------------------------------------

    def live(self, order: Order, dice: Random, steps: int) -> None:
        """So many things happen to an order, by whoever may or may not do them."""
        actions: list[Callable[[Order, Random], str | None]] = [
            self._accept, self._ship, self._ship, self._ship, self._deliver, self._deliver, self._lose, self._confirm_received,
            self._cancel, self._cancel_lines, self._give, self._give_pieces, self._open, self._open, self._open,
            self._step, self._step, self._step, self._dispute, self._decide, self._refuse_cancel,
        ]  # fmt: skip
        for _ in range(steps):
            name = dice.choice(actions)(order, dice)
            if name is not None:
                self.did[name] += 1
                self.compare(order)

    def compare(self, order: Order) -> None:
        """The page says what the oracle says."""
        page = self.world.get(f"/api/orders/{order.id}", self.world.admin)
        refunds = page["refunds"]
        promised = sum((Decimal(each["amount"]) for each in refunds), NOTHING)
        if len(refunds) >= 20:
            promised = order.promised
        said = {
            "stage": page["stage"], "paid": Decimal(page["totals"]["paid"]), "promised": promised,
            **{name: sum(line[name] for line in page["lines"]) for name in ("cancelled", "shipped", "delivered", "undelivered", "returned")},
        }  # fmt: skip
        meant = {
            "stage": order.stage, "paid": order.paid, "promised": order.promised,
            **{name: order.pieces(name) for name in ("cancelled", "shipped", "delivered", "undelivered", "returned")},
        }  # fmt: skip
        if said != meant:
            differ = {name: (said[name], meant[name]) for name in said if said[name] != meant[name]}
            self.faults.append(f"order {order.id} ({order.method}): {differ} (page, oracle)")

    def _accept(self, order: Order, dice: Random) -> str | None:
        if self._at(order, "accept", self._seller(order)).good and order.state == "placed":
            order.accept()
            return "accepted"
        return None

    def _ship(self, order: Order, dice: Random) -> str | None:
        left = {i: line.left for i, line in order.lines.items() if line.left}
        if not left:
            return None
        if dice.random() < 0.5:
            left = {
                i: dice.randrange(1, n + 1) for i, n in left.items() if dice.random() < 0.7
            } or left
        lines = [{"line_id": i, "quantity": n} for i, n in left.items()]
        told = self._at(order, "ship", self._seller(order), {"lines": lines, "courier": "jne"})
        if not told.good:
            return None
        order.ship(told.document["shipments"][-1]["id"], left)
        return "shipped"

    def _deliver(self, order: Order, dice: Random) -> str | None:
        if not order.parcels:
            return None
        parcel = dice.choice(sorted(order.parcels))
        token = dice.choice((self._seller(order), self.world.admin))
        if not self._at(order, f"shipments/{parcel}/delivered", token).good:
            return None
        order.deliver(parcel)
        return "delivered"

    def _lose(self, order: Order, dice: Random) -> str | None:
        if not order.parcels or dice.random() < 0.6:
            return None
        parcel, outcome = (
            dice.choice(sorted(order.parcels)),
            dice.choice(("refused", "undeliverable", "lost")),
        )
        sellable = dice.random() < 0.5
        body = {"outcome": outcome, "sellable": sellable}
        if not self._at(order, f"shipments/{parcel}/returned", self._seller(order), body).good:
            return None
        order.lose(parcel, lost=outcome == "lost", sellable=sellable)
        return outcome

    def _confirm_received(self, order: Order, dice: Random) -> str | None:
        if dice.random() < 0.6 or order.state in ("completed", "cancelled"):
            return None
        if not self._at(order, "confirm", self._buyer(order)).good:
            return None
        for parcel in list(order.parcels):
            order.deliver(parcel)
        if order.stage == "delivered":
            order.complete()
        return "confirmed"

    def _cancel(self, order: Order, dice: Random) -> str | None:
        if dice.random() < 0.6 or order.state == "cancelled":
            return None
        token = dice.choice((self._buyer(order), self._seller(order)))
        told = self._at(order, "cancel", token, {"reason": "changed_mind"})
        if not told.good:
            return None
        if told.document["stage"] == "cancelled":
            order.cancel()
        else:
            order.asked_to_cancel = True
        return "cancelled"

    def _refuse_cancel(self, order: Order, dice: Random) -> str | None:
        if (
            not order.asked_to_cancel
            or not self._at(order, "refuse-cancel", self._seller(order)).good
        ):
            return None
        order.asked_to_cancel = False
        return "cancellation refused"

    def _cancel_lines(self, order: Order, dice: Random) -> str | None:
        left = {i: line.left for i, line in order.lines.items() if line.left}
        if not left or dice.random() < 0.4:
            return None
        line = dice.choice(sorted(left))
        n = dice.randrange(1, left[line] + 2)
        body = {"lines": [{"line_id": line, "quantity": n}], "reason": "out_of_stock"}
        if not self._at(order, "cancel", self._seller(order), body).good:
            return None
        order.cancel_pieces({line: n})
        return "pieces cancelled"

    def _give(self, order: Order, dice: Random) -> str | None:
        if dice.random() < 0.5:
            return None
        amount = Decimal(
            dice.choice(
                (500, 1, dice.randrange(1, 40_000), int(order.rest) or 1, int(order.rest) + 1)
            )
        )
        bearer = dice.choice(("store", "store", "platform"))
        token = self.world.admin if bearer == "platform" else self._seller(order)
        told = self._at(order, "refunds", token, {"amount": str(amount), "bearer": bearer})
        may = amount <= order.rest and (
            bearer == "store" or order.stage in ("shipping", "delivered", "completed")
        )
        if told.good is not may:
            self.faults.append(
                f"order {order.id}: {amount} of {order.rest} by {bearer} was {told.code or told.status}"
            )
        if told.good:
            order.give(amount, by_platform=bearer == "platform")
        return f"given by {bearer}" if told.good else None

    def _give_pieces(self, order: Order, dice: Random) -> str | None:
        if dice.random() < 0.3:
            return None
        some = dice.sample(sorted(order.lines), dice.randrange(1, len(order.lines) + 1))
        pieces = {i: dice.randrange(1, order.lines[i].quantity + 1) for i in some}
        token = dice.choice((self.world.admin, self._seller(order)))
        lines = [{"line_id": i, "quantity": n} for i, n in pieces.items()]
        told = self._at(order, "refunds", token, {"lines": lines, "reason": "lines"})
        why = order.may_refund(pieces)
        if told.code != (why or ""):
            self.faults.append(
                f"order {order.id}: pieces {pieces} were {told.code or told.status}, not {why}"
            )
        if told.good:
            order.give_pieces(pieces)
        return "pieces given back" if told.good else None
