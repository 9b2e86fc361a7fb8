"""What changes between quote and place (5.5), who hoards (5.7), what costs nothing (5.9), and how many
calls a purchase takes (5.13).
"""

import argparse
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from support.buying import HOME

from system.checkout.crowds import at_once, said
from system.checkout.market import DELIVERY, PRICE, Answered, Figure, Market, Seller

Change = Callable[[random.Random], None]


def drift(market: Market, args: argparse.Namespace) -> list[Figure]:
    """5.5: price, stock, voucher, delivery price and holidays change between quote and place."""
    shop = Drifting(market)
    wrong, counts = [], Counter[str]()
    chance = random.Random(args.seed)
    for number in range(args.changes):
        name = sorted(shop.changes)[number % len(shop.changes)]
        outcome = shop.once(market.buyers[number % len(market.buyers)], name, chance)
        counts[f"{name} {outcome}"] += 1
        if outcome not in ("as shown", "changed, then placed", "503 unavailable"):
            wrong.append(f"{name}: {outcome}")
    passes = "409 total_changed with a quote that then places; never another amount"
    found = said(counts)
    return [Figure("5.5 drift", passes, found, not wrong), while_it_changes(market, args)]


class Drifting:
    """A store whose prices, stock, voucher, way to send and holidays change."""

    def __init__(self, market: Market) -> None:
        self.market, self.seller = market, market.seller()
        self.product = market.product(self.seller, 1_000_000)
        self.code = f"GESER{self.seller.store}"
        body = {"code": self.code, "name": "Geser", "gives": "percent", "value": "10"}
        path = "/api/stores/mine/vouchers"
        made = market.steady("POST", self.seller.token, path, {**body, "per_buyer": 1_000_000})
        self.voucher = f"{path}/{made['id']}"
        self.changes: dict[str, Change] = {
            "price": self._price,
            "stock": self._stock,
            "voucher": self._voucher,
            "delivery": self._delivery,
            "holiday": self._holiday,
        }

    def once(self, token: str, name: str, chance: random.Random) -> str:
        """Quote, change, place; what became of it."""
        line = {"product_id": self.product, "quantity": chance.randint(1, 3)}
        body = {"lines": [line], "buy_now": True, "vouchers": [self.code]}
        before = self.market.quote(token, **body)["total"]
        self.changes[name](chance)
        found = self._place(token, body, before)
        if found.status == 201:
            return "as shown" if found.document["total"] == before else "another amount"
        if found.code != "total_changed":
            return found.word
        shown = found.document["quote"]["total"]
        again = self._place(token, body, shown)
        same = again.status == 201 and again.document["total"] == shown
        return "changed, then placed" if same else again.word

    def _place(self, token: str, body: dict[str, Any], total: str) -> Answered:
        document = {**body, "expected_total": total, "payment": {"method": "cod"}}
        return self.market.post(token, "/api/checkouts", document, self.market.key())

    def _edit(self, method: str, path: str, document: dict[str, Any]) -> None:
        self.market.steady(method, self.seller.token, path, document)

    def _price(self, chance: random.Random) -> None:
        price = str(chance.randint(1, 200) * 500)
        self._edit("PATCH", f"/api/products/{self.product}", {"price": price})

    def _stock(self, chance: random.Random) -> None:
        path = f"/api/products/{self.product}"
        self._edit("PATCH", path, {"stock": chance.randint(1000, 9000)})

    def _voucher(self, chance: random.Random) -> None:
        self._edit("PATCH", self.voucher, {"max_discount": str(chance.randint(1, 20) * 500)})

    def _delivery(self, chance: random.Random) -> None:
        path = f"/api/stores/mine/delivery-options/{self.seller.option}"
        price = str(chance.randint(1, 40) * 500)
        body = {"name": "Kurir", "pricing": "flat", "price": price, "cod": True}
        self._edit("PUT", path, body)

    def _holiday(self, chance: random.Random) -> None:
        self.market.do(
            "INSERT INTO holidays (country, day, name) VALUES ('ID', current_date + %s, 'Libur') ON CONFLICT DO NOTHING",
            chance.randint(1, 30),
        )


def while_it_changes(market: Market, args: argparse.Namespace) -> Figure:
    """Buyers place by a quote while the seller changes price and delivery without a pause."""
    shop, done = Drifting(market), threading.Event()
    counts = Counter[str]()
    lock = threading.Lock()

    def change() -> None:
        chance = random.Random(args.seed)
        while not done.is_set():
            shop.changes[chance.choice(["price", "delivery", "voucher"])](chance)

    def buy(token: str) -> None:
        body = {
            "lines": [{"product_id": shop.product, "quantity": 1}],
            "buy_now": True,
            "vouchers": [shop.code],
        }
        total = market.quote(token, **body)["total"]
        for _ in range(20):
            found = shop._place(token, body, total)
            if found.code != "total_changed":
                break
            with lock:
                counts[found.word] += 1
            total = found.document["quote"]["total"]
        word = found.word
        if found.status == 201 and Decimal(found.document["total"]) != Decimal(total):
            word = "another amount"
        with lock:
            counts[word] += 1

    changing = threading.Thread(target=change)
    changing.start()
    at_once(args, market.buyers[: args.buyers], buy)
    done.set()
    changing.join()
    good = not set(counts) - {"201", "409 total_changed", "503 unavailable"} and counts["201"] > 0
    return Figure("5.5 all the while", "never another amount than was sent", said(counts), good)


def hoard(market: Market, args: argparse.Namespace) -> list[Figure]:
    """5.7: one buyer places 50 that are not paid; the worker is stopped; others buy what lapsed."""
    (product,), (plenty,) = market.sell(1, 1, 10), market.sell(1, 1, 100)
    hoarder, others = market.buyers[-1], market.buyers[-11:-1]

    def transfer(token: str) -> Answered:
        return market.place(token, {product: 1}, 1, method="transfer")

    placed = [transfer(hoarder) for _ in range(10)]
    placed += [market.place(hoarder, {plenty: 1}, 1, method="transfer") for _ in range(40)]
    counts = Counter(each.word for each in placed)
    early = Counter(each.word for each in at_once(args, others, transfer))
    for each in placed:
        if each.status == 201:
            market.age(each.document["id"], 25)
    late = Counter(each.word for each in at_once(args, others, transfer))
    good = counts["201"] == 10 and counts["409 too_many_unpaid"] == 40
    good &= early["409 not_enough_stock"] == 10 and late["201"] == 10
    passes = "50 tries: 10 x 201, then too_many_unpaid; lapsed pieces sell without the worker"
    words = f"{said(counts)}; others before: {said(early)}, after: {said(late)}"
    return [Figure("5.7 hoarding", passes, words, good)]


def nothing(market: Market, args: argparse.Namespace) -> list[Figure]:
    """5.9: total 0 by vouchers; a free order beside a paid one."""
    return [free(market), free_beside_paid(market)]


def free(market: Market) -> Figure:
    """100 per cent off by the platform, free delivery by the store."""
    seller, token = market.seller(), market.buyers[0]
    product = market.product(seller, 5)
    vouchers = [own_voucher(market, seller, "free_delivery"), platform_voucher(market)]
    body = {
        "lines": [{"product_id": product, "quantity": 1}],
        "buy_now": True,
        "vouchers": vouchers,
        "expected_total": "0",
    }
    placed = market.post(token, "/api/checkouts", body, market.key())
    assert placed.status == 201, placed
    order = placed.document["orders"][0]["id"]
    subsidy = market.do(
        "SELECT sum(p.amount) AS sum FROM ledger_postings AS p JOIN ledger_entries AS e ON e.id = p.entry_id"
        " JOIN ledger_accounts AS a ON a.id = p.account_id"
        " WHERE e.order_id = %s AND a.kind = 'expense_voucher'",
        order,
    )["sum"]
    sent = market.post(seller.token, f"/api/orders/{order}/ship", {}, market.key())
    stage = placed.document["orders"][0]["stage"]
    good = (placed.document["state"], stage, sent.status, subsidy) == ("settled", "new", 200, PRICE)
    found = f"{placed.document['state']}, {stage}; ship {sent.status}; subsidy {subsidy}"
    return Figure("5.9 total 0", "may be sent at once, subsidy posted", found, good)


def free_beside_paid(market: Market) -> Figure:
    """An order of 0 waits for the payment of its checkout."""
    token, sellers = market.buyers[0], [market.seller(), market.seller()]
    products = [market.product(each, 5) for each in sellers]
    vouchers = [own_voucher(market, sellers[0], kind) for kind in ("percent", "free_delivery")]
    lines = [{"product_id": product, "quantity": 1} for product in products]
    body = {"lines": lines, "buy_now": True, "vouchers": vouchers}
    total = str(PRICE + DELIVERY)
    bought = {**body, "expected_total": total, "payment": {"method": "transfer"}}
    placed = market.post(token, "/api/checkouts", bought, market.key())
    assert placed.status == 201, placed
    orders = placed.document["orders"]
    gift = next(each for each in orders if each["store"]["id"] == sellers[0].store)
    ship = f"/api/orders/{gift['id']}/ship"
    early = market.post(sellers[0].token, ship, {}, market.key())
    payment = placed.document["payments"][0]["id"]
    market.send_proof(token, payment)
    paid = market.confirm(market.admin, payment, total)
    late = market.post(sellers[0].token, ship, {}, market.key())
    found = f"{gift['total']}, {gift['stage']}: ship {early.word}; paid {paid.status}: {late.word}"
    good = gift["stage"] == "unpaid" and early.code == "order_state" and late.status == 200
    return Figure("5.9 free beside paid", "the free one waits for the payment", found, good)


def own_voucher(market: Market, seller: Seller, gives: str) -> str:
    """A voucher of a store that gives all of it; its code."""
    code = f"T{seller.store}{gives[:4].upper()}"
    body = {
        "code": code,
        "name": code,
        "gives": gives,
        "value": "100" if gives == "percent" else "0",
    }
    made = market.post(seller.token, "/api/stores/mine/vouchers", body)
    assert made.status == 201, made
    return code


def platform_voucher(market: Market) -> str:
    """A voucher of the platform that gives all of it; its code."""
    code = f"GRATIS{int(time.time()) % 10**6}"
    body = {"code": code, "name": code, "gives": "percent", "value": "100"}
    made = market.post(market.admin, "/api/vouchers", body)
    assert made.status == 201, made
    return code


def calls(market: Market, args: argparse.Namespace) -> list[Figure]:
    """5.13: the checkout screen, from opening it to what to pay."""
    seller = market.seller()
    product = market.product(seller, 5)
    token, _ = market.user()
    market.post(token, "/api/users/addresses", HOME)
    market.call(
        "PUT", token, "/api/cart/lines", {"lines": [{"product_id": product, "quantity": 1}]}
    )
    screen = market.quote(token)
    body = {"expected_total": screen["total"], "payment": {"method": "transfer"}}
    placed = market.post(token, "/api/checkouts", body, market.key())
    shown = placed.document["payments"][0]["instructions"]
    good = not screen["problems"] and shown["accounts"][0]["number"] == "123"
    good &= shown["amount"] == screen["total"]
    return [
        Figure("5.13 calls", "2 calls: quote, place", "quote, place: what to pay is there", good)
    ]
