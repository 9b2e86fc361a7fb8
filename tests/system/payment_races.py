"""Money that comes at the same instant as its checkout ends: each pair has one of the named outcomes."""

import argparse
import math
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from conftest import make_config

from marketplace.postgres.database import Database
from marketplace.workflows import checkouts
from system.checkout.paying import Paying

#: Seconds between the two, at least and at most: many more are small; and until all that came is applied.
APART, PATIENCE = (0.005, 1.5), 120
#: Checkout; state and problem of each payment; reason of its refund -> whether the money came.
PAID = ("settled", "paid", None)
LATE = ("cancelled", "paid late", "late_payment")
Outcome = tuple[str, str, str | None]


def races(market: Paying, args: argparse.Namespace) -> list[str]:
    """Pay against each way a checkout can end, at random offsets."""
    faults: list[str] = []
    dice = random.Random(args.seed)
    kinds: dict[str, tuple[Callable[..., Any], set[Outcome], set[Outcome]]] = {
        "cancel": (_cancel, {PAID, LATE}, {("cancelled", "cancelled", None)}),
        "expire": (
            _expire, {PAID, LATE}, {("cancelled", "expired", None), ("cancelled", "cancelled", None)},
        ),
        "another way": (
            _another_way, {PAID, ("settled", "paid, cancelled", None)},
            {("unpaid", "cancelled, open", None)},
        ),
        "no stock": (
            _no_stock, {PAID, ("cancelled", "paid", "out_of_stock")}, {("unpaid", "open", None)},
        ),
    }  # fmt: skip
    for kind, (against, came, not_came) in kinds.items():
        pieces = 1 if kind == "no stock" else args.pairs * 2
        products = [*market.sell(args.pairs if pieces == 1 else 1, 1, pieces)]
        with ThreadPoolExecutor(8) as pool:
            placed = list(
                pool.map(
                    lambda n, products=products: market.buy(
                        market.buyers[n % len(market.buyers)], products[n % len(products)]
                    ),
                    range(args.pairs),
                )
            )
        market.opened(placed, 120)
        offsets = [
            dice.choice((-1, 1, 1)) * math.exp(dice.uniform(*map(math.log, APART))) for _ in placed
        ]
        with ThreadPoolExecutor(4) as pool:
            paid = list(
                pool.map(
                    lambda n, placed=placed, against=against, offsets=offsets, products=products: (
                        _pair(
                            market, placed[n], offsets[n], against, n, products[n % len(products)]
                        )
                    ),
                    range(args.pairs),
                )
            )
        _applied(market, placed, paid)
        found = [_outcome(market, each["id"]) for each in placed]
        print(f"  {kind}: {dict(Counter(zip(found, paid, strict=True)))}")
        faults += [
            f"{kind}: {outcome} where money {'came' if money else 'did not come'}"
            for outcome, money in set(zip(found, paid, strict=True))
            if outcome not in (came if money else not_came)
        ]
    return faults


def _pair(
    market: Paying,
    placed: dict[str, Any],
    offset: float,
    against: Callable[..., Any],
    number: int,
    product: int,
) -> bool:
    """Pay, and do the other thing, so far apart; whether the money came."""

    def pay() -> bool:
        time.sleep(max(0.0, -offset))
        came = _take(market, f"{placed['number']}.1")
        if came:
            market.tell(market.bank.notification(f"{placed['number']}.1"))
        return came

    with ThreadPoolExecutor(1) as other:
        paying = other.submit(pay)
        time.sleep(max(0.0, offset))
        against(market, placed, market.buyers[number % len(market.buyers)], product)
        return paying.result()


def _take(market: Paying, reference: str) -> bool:
    """The money comes, unless the session is closed there."""
    bank = market.bank
    with bank._lock:
        if bank.transactions[reference]["transaction_status"] != "pending":
            return False
        bank.pay(reference)
        return True


def _cancel(market: Paying, placed: dict[str, Any], token: str, product: int) -> None:
    market.post(token, f"/api/checkouts/{placed['id']}/cancel", {}, market.key())


def _expire(market: Paying, placed: dict[str, Any], token: str, product: int) -> None:
    """Its time is over, and the timer looks."""
    market.do(
        "UPDATE checkouts SET pay_by = now() - interval '1 second' WHERE id = %s", placed["id"]
    )
    db = Database.of_worker(make_config(market.url, market.server.log.parent))
    try:
        checkouts.cancel_due(db)
    finally:
        db.close()


def _another_way(market: Paying, placed: dict[str, Any], token: str, product: int) -> None:
    wish = {"method": "midtrans", "channel": "qris"}
    market.post(token, f"/api/checkouts/{placed['id']}/payments", wish, market.key())


def _no_stock(market: Paying, placed: dict[str, Any], token: str, product: int) -> None:
    """The hold has lapsed, and somebody else takes the last piece."""
    market.do(
        "UPDATE holds AS h SET expires_at = now() - interval '1 second' FROM orders AS o"
        " WHERE o.id = h.order_id AND o.checkout_id = %s AND h.expires_at IS NOT NULL",
        placed["id"],
    )
    market.place(market.buyers[-1], {product: 1}, 1)


def _applied(market: Paying, placed: list[dict[str, Any]], paid: list[bool]) -> None:
    """Wait until all that came is known, and all that did not is closed or open."""
    came = [each["id"] for each, money in zip(placed, paid, strict=True) if money]
    ids = [each["id"] for each in placed]
    known = (
        "SELECT CASE WHEN p.state = 'paid' THEN 'paid' ELSE 'open' END FROM payments AS p"
        " WHERE p.our_reference LIKE '%%.1' AND p.checkout_id = ANY(%s)"
    )
    market.until(lambda: market.counted(known, came)["open"] == 0, PATIENCE)
    opening = "SELECT state FROM payments WHERE checkout_id = ANY(%s)"
    market.until(lambda: "opening" not in market.counted(opening, ids), PATIENCE)
    over = "SELECT state FROM checkouts WHERE pay_by < now() AND id = ANY(%s)"
    market.until(lambda: "unpaid" not in market.counted(over, ids), PATIENCE)


def _outcome(market: Paying, checkout: int) -> Outcome:
    (row,) = market.rows(
        "SELECT c.state, (SELECT string_agg(concat_ws(' ', p.state, p.problem), ', ' ORDER BY p.id) FROM payments AS p"
        " WHERE p.checkout_id = c.id) AS payments, (SELECT string_agg(r.reason, ', ') FROM refunds AS r"
        " JOIN payments AS p ON p.id = r.payment_id WHERE p.checkout_id = c.id) AS refunds FROM checkouts AS c WHERE c.id = %s",
        checkout,
    )
    return row["state"], row["payments"], row["refunds"]
