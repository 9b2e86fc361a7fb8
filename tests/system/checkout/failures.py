"""Parts of the system are killed while buyers place (5.3)."""

import argparse
import bisect
import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psycopg
from support.processes import children
from support.stock import stock

from system.checkout.market import Figure, Market

AGAIN = (409, 503, 429, 0)  # with the same key, after a while
PAUSE = 0.1


class Assassin:
    """Kills a worker of the API or, one time of four, PostgreSQL, until it is told to stop."""

    def __init__(self, market: Market, seed: int, every: float) -> None:
        self.market = market
        self.times: list[float] = []
        self.kills: Counter[str] = Counter()
        self._chance = random.Random(seed)
        self._every = every
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Assassin":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(self._chance.uniform(0.5, 1.5) * self._every):
            what = "workers" if self._chance.random() < 0.75 else "PostgreSQL"
            killed = self._worker() if what == "workers" else self._backend()
            if killed:
                self.times.append(time.monotonic())
                self.kills[what] += 1

    def _worker(self) -> bool:
        found = children(self.market.server.process.pid)
        if not found:
            return False
        with contextlib.suppress(OSError):
            os.kill(self._chance.choice(found), signal.SIGKILL)
            return True
        return False

    def _backend(self) -> bool:
        """The server ends all other backends and recovers."""
        killed = False
        with contextlib.suppress(psycopg.Error), self.market.owner() as conn:
            row = conn.execute("SELECT pg_backend_pid() AS pid").fetchone()
            os.kill(row["pid"], signal.SIGKILL)
            killed = True  # the connection's end, which is an error, comes behind
        return killed


def killed(market: Market, args: argparse.Namespace) -> list[Figure]:
    """5.3: places while the API and PostgreSQL are killed; each is sent until it is answered."""
    (product,) = market.sell(1, 1, 10_000)
    placed: dict[str, object] = {}
    successes: list[float] = []
    lock = threading.Lock()

    def buy(number: int) -> None:
        key, token = market.key(), market.buyers[number % len(market.buyers)]
        while True:
            found = market.place(token, {product: 1}, 1, key)
            if found.status not in AGAIN:
                break
            time.sleep(PAUSE)
        with lock:
            successes.append(time.monotonic())
            placed[key] = found.document.get("id") or found

    with Assassin(market, args.seed, args.every) as assassin, ThreadPoolExecutor(16) as pool:
        list(pool.map(buy, range(args.places)))
    for _ in range(100):  # PostgreSQL may be recovering still
        with contextlib.suppress(psycopg.Error), market.owner() as conn:
            row = conn.execute(
                "SELECT count(DISTINCT o.checkout_id) AS n FROM order_lines AS l"
                " JOIN orders AS o ON o.id = l.order_id WHERE l.product_id = %s",
                [product],
            ).fetchone()
            held = stock(conn, product).reserved
            break
        time.sleep(PAUSE)
    answered, waits = len(set(map(str, placed.values()))), after(assassin.times, successes)
    kills = ", ".join(f"{what} {times} x" for what, times in sorted(assassin.kills.items()))
    there = f"{len(placed)} acknowledged, {answered} different, {row['n']} there, {held} held"
    return [
        Figure(
            "5.3 killed",
            f"{args.places} acknowledged = {args.places} checkouts, 0 double, 0 lost",
            f"{there}; {kills}",
            answered == row["n"] == held == args.places,
        ),
        Figure(
            "5.3 back",
            "at most 2 s from a kill to the next success",
            f"longest {max(waits, default=0):.1f} s, of {len(waits)}",
            max(waits, default=0) <= 2,
        ),
    ]


def after(kills: list[float], successes: list[float]) -> list[float]:
    """Seconds from each kill to the first success behind it, where there is one."""
    ordered = sorted(successes)
    places = [(kill, bisect.bisect(ordered, kill)) for kill in kills]
    return [ordered[place] - kill for kill, place in places if place < len(ordered)]
