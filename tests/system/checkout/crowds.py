"""Many at once: the last pieces (5.1, 5.2), one key many times (5.4), a voucher that ends (5.8)."""

import argparse
import json
import math
import random
import statistics
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from support.stock import add_variants, stock

from system.checkout.market import DELIVERY, PRICE, Answered, Figure, Market

Counts = Counter[str]


def race(market: Market, args: argparse.Namespace) -> list[Figure]:
    """5.1: many buyers want the last 37 pieces of one product."""
    (product,) = market.sell(1, 1, 37)
    buyers = market.buyers[: args.buyers]
    found = at_once(args, buyers, lambda token: market.place(token, {product: 1}, 1))
    nothing = {"expected_total": "1", "payment": {"method": "cod"}}
    idle = at_once(
        args, buyers, lambda token: market.post(token, "/api/checkouts", nothing, market.key())
    )
    late = [each for each in found if each.code == "not_enough_stock"]
    refused, empty = middle(late), middle([each for each in idle if each.code == "cart_empty"])
    return [
        sold_out(market, "5.1 race", found, {(product, 0): 37}),
        Figure(
            "5.1 refused",
            "median at most 3 x cart_empty",
            f"{refused:.0f} ms beside {empty:.0f} ms ({refused / empty:.2f} x)",
            refused <= 3 * empty < math.inf,
        ),
    ]


def last_pieces(market: Market, args: argparse.Namespace) -> list[Figure]:
    """5.2: the same for one piece, and for two variants with one piece each."""
    (single,) = market.sell(1, 1, 1)
    buyers = market.buyers[: args.buyers]
    one = at_once(args, buyers, lambda token: market.place(token, {single: 1}, 1))
    (turned,) = market.sell(1, 1, 1)
    with market.owner() as conn:
        red, blue = add_variants(conn, turned, [1, 1])

    def buy(token: str) -> Answered:
        variant = random.choice([red, blue])
        line = {"product_id": turned, "variant_id": variant, "quantity": 1}
        return market.place(token, {turned: 1}, 1, wanted=[line])

    two = at_once(args, buyers, buy)
    return [
        sold_out(market, "5.2 one piece", one, {(single, 0): 1}),
        sold_out(market, "5.2 two variants", two, {(turned, red): 1, (turned, blue): 1}),
    ]


def middle(answers: list[Answered]) -> float:
    """Milliseconds of the median; infinite where nobody was answered so."""
    found = [each.seconds * 1000 for each in answers]
    return statistics.median(found) if found else math.inf


def at_once(
    args: argparse.Namespace, buyers: list[str], buy: Callable[[str], Answered]
) -> list[Answered]:
    """Each buyer once, over so many connections."""
    with ThreadPoolExecutor(args.connections) as pool:
        return list(pool.map(buy, buyers))


def sold_out(
    market: Market, trial: str, found: list[Answered], pieces: dict[tuple[int, int], int]
) -> Figure:
    """Whether as many were sold as there were, and the others were told of what."""
    counts = Counter(each.word for each in found)
    wanted = sum(pieces.values())
    named = all(
        (error["product_id"], error["variant_id"] or 0) in pieces
        for each in found
        if each.code == "not_enough_stock"
        for error in each.document["errors"]
    )
    with market.owner() as conn:
        left = [stock(conn, *thing) == (0, many) for thing, many in pieces.items()]
    put_off = sum(each.is_put_off for each in found)
    good = counts["201"] == wanted and all(left) and named
    good &= counts["409 not_enough_stock"] + put_off == len(found) - wanted
    passes = f"{wanted} x 201, the others 409 naming product and variant"
    return Figure(trial, passes, said(counts), good)


def carts(market: Market, args: argparse.Namespace) -> list[Figure]:
    """5.2: carts of five lines over 20 products of 8 stores, which run out."""
    of_store = market.sell(20, 8, args.pieces)

    def buy(chance: random.Random) -> Answered:
        lines = {p: chance.randint(1, 2) for p in chance.sample(sorted(of_store), 5)}
        stores = len({of_store[product] for product in lines})
        return market.place(chance.choice(market.buyers), lines, stores)

    counts = for_a_while(args, buy)
    odd = set(counts) - {"201", "409 not_enough_stock", "503 unavailable"}
    passes = f"{args.seconds:.0f} s, five-line carts, 8 stores: placed or short"
    return [Figure("5.2 carts", passes, said(counts), not odd and counts["201"] > 0)]


def for_a_while(args: argparse.Namespace, buy: Callable[[random.Random], Answered]) -> Counts:
    """16 threads until the time is up; what became of each request, counted."""
    end, lock = time.monotonic() + args.seconds, threading.Lock()
    counts: Counts = Counter()

    def work(number: int) -> None:
        chance = random.Random(args.seed * 1000 + number)
        while time.monotonic() < end:
            found = buy(chance)
            with lock:
                counts[found.word] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counts


def keys(market: Market, args: argparse.Namespace) -> list[Figure]:
    """5.4: one key 64 times at once, so many keys."""
    (product,) = market.sell(1, 1, 10_000)
    answers: dict[str, set[str]] = defaultdict(set)
    counts: Counts = Counter()
    silent = 0
    with ThreadPoolExecutor(64) as pool:
        for number in range(args.keys):
            key, token = market.key(), market.buyers[number % len(market.buyers)]

            def once(_: int, key: str = key, token: str = token) -> Answered:
                return market.place(token, {product: 1}, 1, key)

            twins = list(pool.map(once, range(64)))
            while all(each.status != 201 for each in twins):  # no room for any: sent again
                time.sleep(0.5)
                twins.append(once(0))
            for found in twins:
                counts[found.word] += 1
                silent += found.status == 503 and not found.waits
                if found.status == 201:
                    answers[key].add(json.dumps(found.document, sort_keys=True))
    with market.owner() as conn:
        held = stock(conn, product).reserved
    odd = set(counts) - {"201", "409 request_in_progress", "503 unavailable"}
    same = all(len(each) == 1 for each in answers.values())
    good = held == args.keys == len(answers) and same and not odd and not silent
    passes = f"64 x {args.keys} keys: one effect a key, a replay is the first answer"
    return [Figure("5.4 keys", passes, f"{held} effects; {said(counts)}", good)]


def voucher_of(market: Market, code: str, **fields: object) -> int:
    """A voucher of the platform; its id."""
    body = {"code": code, "name": code, "gives": "percent", "value": "10", **fields}
    made = market.post(market.admin, "/api/vouchers", body)
    assert made.status == 201, made
    return int(made.document["id"])


def vouchers(market: Market, args: argparse.Namespace) -> list[Figure]:
    """5.8: a voucher of 13 and 100 buyers; what comes back; two vouchers in every checkout."""
    return [few_uses(market, args), given_back(market), two_each(market, args)]


def few_uses(market: Market, args: argparse.Namespace) -> Figure:
    """As many as a voucher has uses."""
    (product,) = market.sell(1, 1, 1000)
    voucher_of(market, "TIGABELAS", quota=13)
    total = str(PRICE * 9 // 10 + DELIVERY)
    more = {"vouchers": ["TIGABELAS"], "expected_total": total}
    found = at_once(
        args, market.buyers[:100], lambda token: market.place(token, {product: 1}, 1, **more)
    )
    counts = Counter(each.word for each in found)
    used = market.do("SELECT used FROM vouchers WHERE code = 'TIGABELAS'")["used"]
    put_off = sum(each.is_put_off for each in found)
    good = used == counts["201"] == 13 and counts["409 voucher_used_up"] + put_off == 87
    passes = "13 uses, 100 buyers: 13 x 201, the others voucher_used_up"
    return Figure("5.8 voucher", passes, f"{said(counts)}; used {used}", good)


def given_back(market: Market) -> Figure:
    """Used stays while an order of the checkout does, then is one less, once."""
    products = list(market.sell(2, 2, 10))
    voucher_of(market, "KEMBALI", quota=5)
    token = market.buyers[0]
    lines = [{"product_id": product, "quantity": 1} for product in products]
    body = {"lines": lines, "buy_now": True, "vouchers": ["KEMBALI"]}
    total = market.quote(token, **body)["total"]
    bought = {**body, "expected_total": total, "payment": {"method": "cod"}}
    placed = market.post(token, "/api/checkouts", bought, market.key())
    assert placed.status == 201, placed
    used = []
    for order in [None, *placed.document["orders"], placed.document["orders"][1]]:
        if order is not None:
            path = f"/api/orders/{order['id']}/cancel"
            assert market.post(token, path, {"reason": "changed_mind"}).status == 200
        used.append(market.do("SELECT used FROM vouchers WHERE code = 'KEMBALI'")["used"])
    passes = "used stays with one of two orders cancelled, then one less, once"
    return Figure("5.8 given back", passes, f"used {used}", used == [1, 1, 0, 0])


def two_each(market: Market, args: argparse.Namespace) -> Figure:
    """Two vouchers in every checkout: the most shared rows there are."""
    (product,) = market.sell(1, 1, 1_000_000)
    codes = ["SATU", "DUA"]
    for code in codes:
        voucher_of(market, code, gives="amount", value="1000", per_buyer=1_000_000)
    total = str(PRICE + DELIVERY - 2000)

    def buy(chance: random.Random) -> Answered:
        more = {"vouchers": chance.sample(codes, 2), "expected_total": total}
        return market.place(chance.choice(market.buyers), {product: 1}, 1, **more)

    counts = for_a_while(args, buy)
    used = market.do(
        "SELECT min(used) AS a, max(used) AS b FROM vouchers WHERE code = ANY(%s)", codes
    )
    good = used["a"] == used["b"] == counts["201"] > 0
    good &= not set(counts) - {"201", "503 unavailable"}
    passes = f"two vouchers in every checkout, {args.seconds:.0f} s: each counted"
    return Figure("5.8 two each", passes, said(counts), good)


def said(counts: Counts) -> str:
    """Counts in words."""
    return ", ".join(f"{times} x {word}" for word, times in sorted(counts.items()))
