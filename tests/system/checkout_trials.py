"""Buys over HTTP from a started system, as many at once as can be, and proves what is left.

    PYTHONPATH=.:tests .venv/bin/python tests/system/checkout_trials.py race carts killed keys

`race`: 200 buyers, one product with 37 pieces, then with 1; 64 connections. `carts`: five lines of
20 products of 8 stores, for some seconds. `killed`: 500 places while workers of the API, and now
and then PostgreSQL, are killed; clients send their keys again. `keys`: one key 64 times at once.
After each: no deadlock, no broken invariant, no 500 in the log.
"""

import argparse
import contextlib
import http.client
import itertools
import json
import os
import random
import re
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import dict_row
from support.placing import ADDRESS, OPTION
from support.processes import children
from support.server import Server
from support.stock import broken, stock

PRICE, DELIVERY = 85_000, 9_000
AGAIN = (409, 503, 429, 0)  # with the same key, after a while


class Answered(NamedTuple):
    """What became of one request: status (0: the connection broke), code, document, seconds."""

    status: int
    code: str
    document: dict[str, Any]
    seconds: float


class Market:
    """A started system with stores that send and buyers with an address."""

    def __init__(self, url: str, server: Server) -> None:
        self.url, self.server = url, server
        self.buyers: list[str] = []
        self.products: list[int] = []
        self._local = threading.local()
        self._keys = itertools.count(1)

    def key(self) -> str:
        return f"trial-{os.getpid()}-{next(self._keys)}"

    def post(self, token: str, path: str, document: Any, key: str | None = None) -> Answered:
        """One request, on the thread's own connection; a broken one is made anew."""
        headers = {"Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"Idempotency-Key": key} if key else {}
        start = time.monotonic()
        try:
            conn = getattr(self._local, "conn", None)
            if conn is None:
                conn = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
                self._local.conn = conn
            conn.request("POST", path, json.dumps(document), headers)
            answer = conn.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            if conn is not None:
                conn.close()
            self._local.conn = None
            return Answered(0, "broke off", {}, time.monotonic() - start)
        seconds = time.monotonic() - start
        found = json.loads(text) if text[:1] == b"{" else {}
        return Answered(answer.status, found.get("code", ""), found, seconds)

    def place(self, token: str, lines: dict[int, int], stores: int, key: str) -> Answered:
        """Buy these pieces now, paid on delivery."""
        total = PRICE * sum(lines.values()) + DELIVERY * stores
        wanted = [{"product_id": product, "quantity": n} for product, n in lines.items()]
        document = {
            "lines": wanted,
            "buy_now": True,
            "expected_total": str(total),
            "payment": {"method": "cod"},
        }
        return self.post(token, "/api/checkouts", document, key)

    def owner(self) -> Any:
        return psycopg.connect(self.url, row_factory=dict_row)

    def sell(self, products: int, stores: int, quantity: int) -> dict[int, int]:
        """Put products of so many stores on sale: product -> store."""
        made: dict[int, int] = {}
        with self.owner() as conn:
            shops = [self._store(conn) for _ in range(stores)]
            for number in range(products):
                store = shops[number % stores]
                row = conn.execute(
                    "INSERT INTO products (store_id, name, price, in_stock) VALUES (%s, 'Kopi', %s, true) RETURNING id",
                    [store, PRICE],
                ).fetchone()
                conn.execute("INSERT INTO inventory VALUES (%s, %s)", [row["id"], quantity])
                made[row["id"]] = store
        return made

    def _store(self, conn: Any) -> int:
        name = f"Toko {next(self._keys)} {os.getpid()}"
        user = conn.execute(
            "INSERT INTO users (name, email, role) VALUES ('Sari', %s, 'seller') RETURNING id",
            [f"{name.replace(' ', '.')}@example.com"],
        ).fetchone()["id"]
        store = conn.execute(
            "INSERT INTO stores (owner_id, name) VALUES (%s, %s) RETURNING id", [user, name]
        ).fetchone()["id"]
        conn.execute(OPTION, [store])
        return int(store)

    def register(self, count: int) -> None:
        """So many buyers with an address and a token."""
        while len(self.buyers) < count:
            email = f"b{next(self._keys)}.{os.getpid()}@example.com"
            document = {"name": "Siti", "email": email, "password": "kopi-susu-tanpa-gula"}
            made = self.post("", "/api/auth/register", document)
            assert made.status == 201, made
            with self.owner() as conn:
                conn.execute(ADDRESS, [made.document["user"]["id"]])
            self.buyers.append(made.document["access_token"])

    def faults(self, deadlocks: int) -> list[str]:
        """What is not as it must be."""
        with self.owner() as conn:
            found = [f"invariant {name}: {times}" for name, times in broken(conn)]
            now = deadlocks_of(conn)
        if now != deadlocks:
            found.append(f"{now - deadlocks} deadlocks")
        log = self.server.log.read_text()
        found += ["a 500 in the log"] * bool(re.search(r"unexpected failure", log))
        return found


def deadlocks_of(conn: Any) -> int:
    """How many deadlocks the database has had."""
    row = conn.execute(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    ).fetchone()
    return int(row["deadlocks"])


def race(market: Market, args: argparse.Namespace) -> list[str]:
    """Many buyers want the last pieces of one product."""
    return [fault for pieces in (37, 1) for fault in race_for(market, args, pieces)]


def race_for(market: Market, args: argparse.Namespace, pieces: int) -> list[str]:
    """The same for so many pieces."""
    (product,) = market.sell(1, 1, pieces)
    empty = {"expected_total": "1", "payment": {"method": "cod"}}
    buyers = market.buyers[: args.buyers]

    def buy(token: str) -> Answered:
        return market.place(token, {product: 1}, 1, market.key())

    def buy_nothing(token: str) -> Answered:
        return market.post(token, "/api/checkouts", empty, market.key())

    with ThreadPoolExecutor(args.connections) as pool:
        found = list(pool.map(buy, buyers))
        idle = list(pool.map(buy_nothing, buyers))
    counts = Counter(f"{each.status} {each.code}".strip() for each in found)
    late = [each for each in found if each.code == "not_enough_stock"]
    named = all(
        (error["product_id"], error["variant_id"]) == (product, None)
        for each in late
        for error in each.document["errors"]
    )
    refused = statistics.median(each.seconds for each in late)
    nothing = statistics.median(each.seconds for each in idle)
    print(
        f"race for {pieces}: {dict(counts)}; median refused {refused * 1000:.0f} ms,"
        f" cart_empty {nothing * 1000:.0f} ms"
    )
    with market.owner() as conn:
        left = stock(conn, product)
    good = counts["201"] == pieces == left.reserved and left.quantity == 0 and named
    wrong = [] if good else [f"race for {pieces}: {dict(counts)}, {left}"]
    return wrong + ([] if refused <= 3 * nothing else ["a late buyer waits too long"])


def carts(market: Market, args: argparse.Namespace) -> list[str]:
    """Carts of five lines over products of several stores, which run out."""
    of_store = market.sell(20, 8, args.pieces)
    end, counts, lock = time.monotonic() + args.seconds, Counter(), threading.Lock()

    def buy(number: int) -> None:
        chance = random.Random(number)
        while time.monotonic() < end:
            lines = {p: chance.randint(1, 2) for p in chance.sample(sorted(of_store), 5)}
            stores = len({of_store[product] for product in lines})
            token = chance.choice(market.buyers)
            found = market.place(token, lines, stores, market.key())
            with lock:
                counts[f"{found.status} {found.code}".strip()] += 1

    threads = [threading.Thread(target=buy, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"carts: {dict(counts)}")
    odd = set(counts) - {"201", "409 not_enough_stock", "503 unavailable"}
    return [f"carts: {sorted(odd)}"] if odd or not counts["201"] else []


def killed(market: Market, args: argparse.Namespace) -> list[str]:
    """Places while workers of the API and PostgreSQL are killed; each is sent until it is answered."""
    (product,) = market.sell(1, 1, 10_000)
    done, placed, gaps = threading.Event(), {}, [0.0]
    kills: Counter[str] = Counter()
    lock, last = threading.Lock(), [time.monotonic()]

    def buy(number: int) -> None:
        key, token = market.key(), market.buyers[number % len(market.buyers)]
        while True:
            found = market.place(token, {product: 1}, 1, key)
            if found.status not in AGAIN:
                break
            time.sleep(0.1)
        with lock:
            gaps.append(time.monotonic() - last[0])
            last[0] = time.monotonic()
            placed[key] = found.document.get("id") or found

    def kill() -> None:
        chance = random.Random(args.seed)
        while not done.wait(chance.uniform(0.5, 1.5) * args.every):
            if chance.random() < 0.75:
                workers = children(market.server.process.pid)
                if workers:
                    with contextlib.suppress(OSError):
                        os.kill(chance.choice(workers), signal.SIGKILL)
                    kills["workers"] += 1
            else:
                kills["PostgreSQL"] += crash(market)

    assassin = threading.Thread(target=kill)
    assassin.start()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(buy, range(args.places)))
    done.set()
    assassin.join()
    with market.owner() as conn:
        row = conn.execute(
            "SELECT count(DISTINCT o.checkout_id) AS n FROM order_lines AS l JOIN orders AS o ON o.id = l.order_id"
            " WHERE l.product_id = %s",
            [product],
        ).fetchone()
    ids = set(map(str, placed.values()))
    print(
        f"killed: {len(placed)} answered, {len(ids)} checkouts answered, {row['n']} there;"
        f" killed {dict(kills)}; longest without a success {max(gaps):.1f} s"
    )
    return [] if len(ids) == row["n"] == args.places else ["a place was lost, or done twice"]


def crash(market: Market) -> int:
    """Kill a backend of PostgreSQL: the server ends all others and recovers."""
    killed = 0
    with contextlib.suppress(psycopg.Error), market.owner() as conn:
        row = conn.execute("SELECT pg_backend_pid() AS pid").fetchone()
        os.kill(row["pid"], signal.SIGKILL)
        killed = 1
    return killed


def keys(market: Market, args: argparse.Namespace) -> list[str]:
    """One key many times at once: done once, and each answer is the first one."""
    (product,) = market.sell(1, 1, 10_000)
    wrong: list[str] = []
    answers: dict[str, set[str]] = defaultdict(set)
    counts: Counter[str] = Counter()
    with ThreadPoolExecutor(64) as pool:
        for number in range(args.keys):
            key, token = market.key(), market.buyers[number % len(market.buyers)]

            def once(_: int, key: str = key, token: str = token) -> Answered:
                return market.place(token, {product: 1}, 1, key)

            for found in pool.map(once, range(64)):
                counts[f"{found.status} {found.code}".strip()] += 1
                if found.status == 201:
                    answers[key].add(json.dumps(found.document, sort_keys=True))
    with market.owner() as conn:
        left = stock(conn, product)
    print(f"keys: {dict(counts)}; {left}")
    if left.reserved != args.keys or any(len(each) != 1 for each in answers.values()):
        wrong.append("a key was done twice, or answered in two ways")
    odd = set(counts) - {"201", "409 request_in_progress", "503 unavailable"}
    return wrong + ([f"keys: {sorted(odd)}"] if odd else [])


TRIALS: dict[str, Callable[[Market, argparse.Namespace], list[str]]] = {
    "race": race,
    "carts": carts,
    "killed": killed,
    "keys": keys,
}


@contextlib.contextmanager
def started(args: argparse.Namespace) -> Iterator[Market]:
    """A system on a PostgreSQL of its own, which waits for its disk as one in use does."""
    from marketplace.postgres import migrations
    from marketplace.postgres.embedded import server as embedded

    with tempfile.TemporaryDirectory() as folder:
        postgres = embedded.start(Path(folder) / "postgres")
        url = postgres.dsn("postgres", "postgres")
        migrations.migrate(url, lambda line: None)
        settings = {"RATE_LIMITS": "off", "ACCESS_TOKEN_MINUTES": "600"}
        server = Server(url, Path(folder), **settings)
        try:
            market = Market(url, server)
            market.register(args.buyers)
            yield market
        finally:
            server.stop()
            postgres.stop()


def main() -> int:
    """Run the trials; 1 on any fault."""
    parser = argparse.ArgumentParser(description="Buy from a started system.")
    parser.add_argument("trials", nargs="+", choices=sorted(TRIALS))
    parser.add_argument("--buyers", type=int, default=200)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--pieces", type=int, default=400, help="of each product of `carts`")
    parser.add_argument("--places", type=int, default=500)
    parser.add_argument("--every", type=float, default=2, help="seconds between two kills")
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    wrong: list[str] = []
    with started(args) as market:
        for name in args.trials:
            with market.owner() as conn:
                before = deadlocks_of(conn)
            wrong += TRIALS[name](market, args)
            time.sleep(1)  # backends tell of deadlocks when they end
            wrong += market.faults(before)
    print(f"faults: {wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
