"""Sells the same few products from many sides at once, and proves that the stock is what is left.

    PYTHONPATH=.:tests .venv/bin/python tests/system/stock_trials.py --seconds 30 --pairs 300

`mix`: threads hold (a third lapses at once), release, hold again, ship, return, and set stock by
hand and by a batch, over the same products and variants. `pairs`: two orders at the same instant,
each for the last pieces of two products with two variants, through different variants. After each:
no deadlock, no broken invariant. The pace is that of the database; nothing of it is mocked.
"""

import argparse
import random
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from typing import Any, NamedTuple

import psycopg
from psycopg import errors
from psycopg.rows import dict_row
from support.stock import add_variants, broken, hold, rehold, release, take
from support.trial_system import deadlocks

#: What a verb of stock refuses without harm: more than is held, a second hold, a negative number.
REFUSALS = (errors.CheckViolation, errors.UniqueViolation)


class Shelf(NamedTuple):
    """What there is to sell: product and variant of each row of stock, and whose it is."""

    store_id: int
    user_id: int
    rows: list[tuple[int, int]]


def stocked(conn: Any, products: int, quantity: int) -> Shelf:
    """Make a store with products, half of them with two variants, by the owner's hand."""
    conn.row_factory = dict_row
    user = conn.execute(
        "INSERT INTO users (name, email, role) VALUES ('Sari', 'sari@example.com', 'seller') RETURNING id"
    ).fetchone()["id"]
    store = conn.execute(
        "INSERT INTO stores (owner_id, name) VALUES (%s, 'Toko Sari') RETURNING id", [user]
    ).fetchone()["id"]
    rows: list[tuple[int, int]] = []
    for number in range(products):
        product = conn.execute(
            "INSERT INTO products (store_id, name, price, in_stock) VALUES (%s, 'Kopi', 85000, %s) RETURNING id",
            [store, quantity > 0],
        ).fetchone()["id"]
        conn.execute("INSERT INTO inventory VALUES (%s, %s)", [product, quantity])
        if number % 2:
            variants = add_variants(conn, product, [quantity, quantity])
            rows += [(product, variant) for variant in variants]
        else:
            rows.append((product, 0))
    conn.commit()
    return Shelf(store, user, rows)


class Mix:
    """Threads that do all of it to the same shelf until the time is up."""

    def __init__(self, url: str, shelf: Shelf, *, threads: int, seconds: float, seed: int) -> None:
        self.url = url
        self.shelf = shelf
        self.seconds = seconds
        self.done: Counter[str] = Counter()
        self.failed: list[str] = []
        self._seed = seed
        self._threads = [
            threading.Thread(target=self._work, args=(number,)) for number in range(threads)
        ]

    def run(self) -> None:
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join()

    def _work(self, number: int) -> None:
        chance = random.Random(self._seed * 1000 + number)
        orders = iter(range(number * 10**7 + 1, (number + 1) * 10**7))
        mine: dict[int, list[tuple[int, int, int]]] = {}
        end = time.monotonic() + self.seconds
        with psycopg.connect(self.url, row_factory=dict_row) as conn:
            while time.monotonic() < end:
                step = chance.choice(
                    ["hold"] * 6 + ["release", "rehold", "ship", "return", "hand", "batch", "part"]
                )
                try:
                    with conn.transaction():
                        done = self._step(conn, step, chance, orders, mine)
                    self.done[done] += 1
                except REFUSALS:
                    self.done[f"{step} refused"] += 1
                except psycopg.Error as error:
                    self.failed.append(f"{step}: {error!r}")

    def _step(self, conn: Any, step: str, chance: random.Random, orders: Any, mine: Any) -> str:
        if step in ("hand", "batch"):
            return self._set(conn, step, chance)
        if step == "hold" or not mine:
            order = next(orders)
            lines = [(*row, chance.randint(1, 3)) for row in chance.sample(self.shelf.rows, 3)]
            short = hold(
                conn, [(order, *line) for line in lines], minutes=chance.choice([-1, 30, None])
            )
            if not short:
                mine[order] = lines
            return "short" if short else "hold"
        order = chance.choice(list(mine))
        lines = mine[order]
        if step == "release":
            release(conn, order)
            del mine[order]
        elif step == "rehold":
            kept = rehold(conn, [(order, *line) for line in lines])
            if not kept:
                del mine[order]
        elif step == "part":
            product, variant, pieces = lines[0]
            take(conn, "release_lines", order, [(product, variant, 1)])
            left = [line for line in [(product, variant, pieces - 1), *lines[1:]] if line[2]]
            mine[order] = left
            if not left:
                del mine[order]
        else:
            take(conn, f"{step}_stock", order, lines)
            if step == "ship":
                del mine[order]
        return step

    def _set(self, conn: Any, step: str, chance: random.Random) -> str:
        if step == "hand":
            conn.execute(
                "UPDATE inventory SET quantity = greatest(quantity + %s, 0) WHERE product_id = %s AND variant_id = %s",
                [chance.randint(-2, 6), *chance.choice(self.shelf.rows)],
            )
            return step
        secret = chance.randbytes(32)
        conn.execute(
            "INSERT INTO auth.sessions (user_id, secret_hash, expires_at) VALUES (%s, %s, now() + interval '1 hour')",
            [self.shelf.user_id, secret],
        )
        conn.execute("SELECT set_config('app.session', %s, true)", [secret.hex()])
        rows = chance.sample(self.shelf.rows, 5)
        conn.execute(
            "SELECT set_stock(%s, %s, %s, %s, array_fill(NULL::text, '{5}'), array_fill(NULL::integer, '{5}'),"
            " array_fill(NULL::integer, '{5}'), %s, array_fill(NULL::integer, '{5}'))",
            [
                self.shelf.store_id, list(range(5)), [row[0] for row in rows], [row[1] for row in rows],
                [chance.randint(-2, 5) for _ in rows],
            ],
        )  # fmt: skip
        return step


class Pairs(NamedTuple):
    """What became of pairs of orders, and which flags of stock were wrong after one."""

    placed: int
    wrong: int
    failed: list[str]


def pairs(url: str, count: int) -> Pairs:
    """Sell out two products with two variants each by two orders at the same instant, again and
    again.
    """
    placed, wrong = [0], 0
    failed: list[str] = []

    def place(
        conn: Any, gate: threading.Barrier, order: int, lines: list[tuple[int, int, int]]
    ) -> None:
        gate.wait()
        try:
            with conn.transaction():
                if not hold(conn, [(order, *line) for line in lines]):
                    placed[0] += 1
        except psycopg.Error as error:
            failed.append(repr(error))

    with ExitStack() as held:
        owner, *hands = (
            held.enter_context(psycopg.connect(url, row_factory=dict_row, autocommit=True))
            for _ in range(3)
        )
        with owner.transaction():
            shelf = stocked_pairs(owner)
        (one, (red, blue)), (two, (black, white)) = shelf
        sides = [[(one, red, 1), (two, white, 1)], [(two, black, 1), (one, blue, 1)]]
        for number in range(count):
            gate = threading.Barrier(2)
            threads = [
                threading.Thread(
                    target=place, args=(hands[side], gate, number * 2 + side + 1, sides[side])
                )
                for side in range(2)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            flags = owner.execute(
                "SELECT in_stock FROM products WHERE id = ANY(%s)", [[one, two]]
            ).fetchall()
            wrong += sum(row["in_stock"] for row in flags)
            owner.execute("SELECT release_stock(%s)", [[number * 2 + 1, number * 2 + 2]])
    return Pairs(placed[0], wrong, failed)


def stocked_pairs(conn: Any) -> list[tuple[int, list[int]]]:
    """Make two products with two variants, of each of which there is one piece."""
    user = conn.execute(
        "INSERT INTO users (name, email, role) VALUES ('Budi', 'budi@example.com', 'seller') RETURNING id"
    ).fetchone()["id"]
    store = conn.execute(
        "INSERT INTO stores (owner_id, name) VALUES (%s, 'Toko Budi') RETURNING id", [user]
    ).fetchone()["id"]
    made = []
    for _ in range(2):
        product = conn.execute(
            "INSERT INTO products (store_id, name, price, in_stock) VALUES (%s, 'Teh', 85000, true) RETURNING id",
            [store],
        ).fetchone()["id"]
        conn.execute("INSERT INTO inventory VALUES (%s, 2)", [product])
        made.append((product, add_variants(conn, product, [1, 1])))
    return made


def main() -> int:
    """Run both on a database of its own, and print what became of them. Return 1 on any fault."""
    from conftest import created, owner

    from marketplace.postgres import migrations

    parser = argparse.ArgumentParser(description="Sell the same products from many sides at once.")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--products", type=int, default=24)
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with owner() as server, created(server, "marketplace_stock_trials") as url:
        migrations.migrate(url, lambda line: None)
        with psycopg.connect(url, row_factory=dict_row) as conn:
            shelf = stocked(conn, args.products, 40)
            mix = Mix(url, shelf, threads=args.threads, seconds=args.seconds, seed=args.seed)
            mix.run()
            sold_out = pairs(url, args.pairs)
            time.sleep(1)  # backends tell of deadlocks when they end
            found = {"deadlocks": deadlocks(conn), "broken": broken(conn)}
    print(f"mix: {dict(sorted(mix.done.items()))}; failed: {mix.failed[:5]}")
    print(
        f"pairs: {sold_out.placed} placed of {args.pairs * 2}, flag wrong {sold_out.wrong}; failed: {sold_out.failed[:5]}"
    )
    print(found)
    wrong = mix.failed or sold_out.failed or sold_out.wrong or any(found.values())
    return 1 if wrong or sold_out.placed != args.pairs * 2 else 0


if __name__ == "__main__":
    sys.exit(main())
