"""Transfers that somebody looks at late, refuses, or that came too late (5.10)."""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from system.checkout.market import DELIVERY, PRICE, Figure, Market

TOTAL = str(PRICE + DELIVERY)


def proofs(market: Market, args: argparse.Namespace) -> list[Figure]:
    """5.10: the last piece and its proof, with the worker running."""
    with worker(market):
        return [
            looked_at_late(market),
            refused(market),
            too_late(market),
            what_lapses(market, args.proofs),
        ]


@contextmanager
def worker(market: Market) -> Iterator[None]:
    """The worker as it runs on a server."""
    folder = market.server.log.parent
    env = {**os.environ, "DATABASE_URL": market.url, "DATA_DIR": str(folder / "data")}
    env |= {"SECRET_KEY": "k" * 40, "UPLOADS_DIR": str(folder / "uploads")}
    with Path(folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "marketplace", "worker"], env=env, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def bought(market: Market, token: str) -> tuple[int, dict[str, Any]]:
    """Somebody has placed the last piece of something: the product and the checkout."""
    product = market.product(market.seller(), 1)
    placed = market.place(token, {product: 1}, 1, method="transfer")
    assert placed.status == 201, placed
    return product, placed.document


def again(market: Market, token: str, checkout: dict[str, Any]) -> dict[str, Any]:
    return market.get(token, f"/api/checkouts/{checkout['id']}")


def cancelled_within(market: Market, token: str, checkout: dict[str, Any], most: float) -> float:
    """Seconds until a checkout is cancelled; `most` where it is not."""
    start = time.monotonic()
    while time.monotonic() - start < most:
        if again(market, token, checkout)["state"] == "cancelled":
            return time.monotonic() - start
        time.sleep(1)
    return most


def looked_at_late(market: Market) -> Figure:
    """A proof at hour 23, nobody looks for two days, another buyer tries, then it is confirmed."""
    token, other = market.buyers[:2]
    product, checkout = bought(market, token)
    payment = checkout["payments"][0]["id"]
    market.age(checkout["id"], 23)
    market.send_proof(token, payment)
    market.age(checkout["id"], 48)
    time.sleep(65)  # the timer has run
    waiting = again(market, token, checkout)
    tried = market.place(other, {product: 1}, 1)
    market.confirm(market.admin, payment, TOTAL)
    stage = again(market, token, checkout)["orders"][0]["stage"]
    found = (
        f"{waiting['state']}, {waiting['payments'][0]['state']}; other {tried.word}; then {stage}"
    )
    good = (waiting["state"], tried.code, stage) == ("unpaid", "not_enough_stock", "new")
    return Figure("5.10 late look", "not cancelled; the other buyer 409; new", found, good)


def refused(market: Market) -> Figure:
    """A proof that is refused leaves two hours, and the piece is held to their end."""
    token, other = market.buyers[2:4]
    product, checkout = bought(market, token)
    payment = checkout["payments"][0]["id"]
    market.age(checkout["id"], 23.5)
    market.send_proof(token, payment)
    market.age(checkout["id"], 1)
    no = {"reason": "not_received"}
    market.post(market.admin, f"/api/payments/{payment}/refuse", no)
    seen = again(market, token, checkout)
    until = datetime.fromisoformat(seen["pay_by"].replace("Z", "+00:00"))
    held = market.do("SELECT max(expires_at) AS at FROM holds AS h JOIN orders AS o ON o.id = h.order_id"
                     " WHERE o.checkout_id = %s", checkout["id"])["at"]  # fmt: skip
    left = until - datetime.now(until.tzinfo)
    tried = market.place(other, {product: 1}, 1)
    good = left >= timedelta(hours=1, minutes=59) and abs(held - until) < timedelta(seconds=2)
    good &= tried.code == "not_enough_stock" and seen["payments"][0]["state"] == "open"
    found = f"{left.total_seconds() / 3600:.2f} h left, held to {held - until}; other {tried.word}"
    return Figure("5.10 refused", "at least 2 h more to pay, the piece held to it", found, good)


def too_late(market: Market) -> Figure:
    """A proof an hour after the end: it is looked at, and its money goes home."""
    token = market.buyers[4]
    _, checkout = bought(market, token)
    payment = checkout["payments"][0]["id"]
    market.age(checkout["id"], 25)
    took = cancelled_within(market, token, checkout, 90)
    shown = market.send_proof(token, payment)
    seen = market.get(market.admin, "/api/payments")["payments"]
    market.confirm(market.admin, payment, TOTAL)
    refund = market.do("SELECT amount, reason FROM refunds WHERE payment_id = %s", payment)
    stage = again(market, token, checkout)["orders"][0]["stage"]
    good = shown.document.get("state") == "checking" and payment in [each["id"] for each in seen]
    good &= stage == "cancelled" and refund is not None and str(refund["amount"]) == f"{TOTAL}.00"
    found = f"cancelled in {took:.0f} s; proof {shown.document.get('state')}; refund {refund}"
    return Figure("5.10 too late", "looked at, its money goes home", found, good)


def what_lapses(market: Market, many: int) -> Figure:
    """Checkouts with a proof past their time hide none that lapses."""
    waiting = []
    for number in range(many):
        token = market.buyers[5 + number % (len(market.buyers) - 5)]
        _, checkout = bought(market, token)
        market.send_proof(token, checkout["payments"][0]["id"])
        market.age(checkout["id"], 30)
        waiting.append((token, checkout))
    _, lapsed = bought(market, market.buyers[0])
    market.age(lapsed["id"], 25)
    took = cancelled_within(market, market.buyers[0], lapsed, 120)
    states = {again(market, token, checkout)["state"] for token, checkout in waiting}
    found = f"cancelled in {took:.0f} s; the {many} others {sorted(states)}"
    passes = f"{many} with a proof past their time: what lapsed is cancelled in a minute"
    return Figure("5.10 lapsed", passes, found, took <= 62 and states == {"unpaid"})
