"""Sends money home in parts, and ends random lives of orders, over HTTP; an oracle of its own says what must be left.

    PYTHONPATH=.:tests .venv/bin/python tests/system/money_trials.py parts lives --orders 1000

`parts`: random parts of an order until `refund_too_large`, 16 at once, of cash, of a payment that came twice; returns too
late, of too many pieces, of rejected ones. `lives`: orders of 20 stores through random lives with parts, returns, disputes,
cash on delivery and vouchers of both kinds, 5 % commission and 11 % tax on it, half of them paid at a provider that is told
twice, late, wrong or not at all, each ended by its timers. Then each buyer's money, each store's balance, commission, the
platform's cost, the stock and what lies at the provider are what the oracle says; the books sum to 0, all invariants hold,
and nothing is left open. With `--kill` workers of the API and of the queue, PostgreSQL and the provider are killed meanwhile.
"""

import argparse
import contextlib
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from random import Random

import psycopg
from support.processes import children

from system.money_end import compared, end
from system.money_lives import Lives
from system.money_oracle import Order
from system.money_provider import Till
from system.money_world import World, started

#: Jobs that the worker has done, and how many it does at least before it is killed again.
DONE = "SELECT count(*) AS n FROM jobs.procrastinate_jobs WHERE status = 'succeeded' AND queue_name = 'payments'"
BETWEEN = 12


def lives(world: World, args: argparse.Namespace) -> list[str]:
    """Random lives, each to its end."""
    told = Lives(world)
    tills = [Till(told) for _ in range(args.threads)]
    until = threading.Event()
    killer = threading.Thread(target=kill, args=(world, until, args.seed))
    if args.kill:
        killer.start()

    def run(number: int) -> None:
        dice, till = Random(args.seed * 1_000_003 + number), tills[number]
        while (more := len(told.orders) < args.orders) or till.waits:
            orders = told.place(dice.choice(world.buyers), dice, till) if more else []
            orders += till.goes_on()
            for _ in range(3):
                for order in orders:
                    told.live(order, dice, dice.randrange(2, 9))
            if not more:
                time.sleep(0.2)

    try:
        with ThreadPoolExecutor(args.threads) as pool:
            for outcome in [pool.submit(run, number) for number in range(args.threads)]:
                outcome.result()
    finally:
        until.set()
        if args.kill:
            killer.join()
    print(f"{len(told.orders)} orders; did {dict(told.did)}; refused {dict(world.refused)}")
    end(told, Random(args.seed), tills)
    return told.faults + compared(told, args)


def kill(world: World, until: threading.Event, seed: int) -> None:
    """Kill -9: workers of the API, the worker of the queue, the provider, and now and then a backend of PostgreSQL, which
    ends all others.
    """
    dice, killed, done = random.Random(seed), Counter[str](), 0
    while not until.wait(dice.uniform(3, 9)):
        what = dice.choice(("API", "PostgreSQL", *world.programs, "worker"))
        if what == "worker":  # it has to come to something in between
            before, done = done, world.rows(DONE)[0]["n"]
            if done - before < BETWEEN:
                done = before
                continue
        if what == "API":
            for pid in children(world.server.process.pid)[:1]:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        elif what == "PostgreSQL":
            with contextlib.suppress(psycopg.Error), world.owner() as conn:
                pid = conn.execute("SELECT pg_backend_pid() AS pid").fetchone()["pid"]
                os.kill(pid, signal.SIGKILL)
        else:
            world.programs[what].kill()
            until.wait(dice.choice((0, 0, 2, 5)))
            world.programs[what].start()
        killed[what] += 1
    print(f"killed {dict(killed)}")


def parts(world: World, args: argparse.Namespace) -> list[str]:
    """Orders that are given back in random parts, until no more goes; also by 16 hands at once."""
    told, dice = Lives(world), Random(args.seed)
    found: list[str] = []
    for number in range(args.parts):
        orders = [
            order
            for order in told.place(dice.choice(world.buyers), dice)
            if order.paid and order.stage == "new"
        ]
        for order in orders:
            told._ship(order, Random(number))
            token, refused = told._seller(order), 0
            many = number % 4 == 0

            def give(_: int, order: Order = order, token: str = token) -> str:
                path = f"/api/orders/{order.id}/refunds"
                amount = str(random.Random(_).randrange(1, max(2, int(order.total) // 5)))
                return world.post(path, token, {"amount": amount}).code

            if many:
                with ThreadPoolExecutor(16) as pool:
                    list(pool.map(give, range(number * 100, number * 100 + 64)))
            while refused < 8 and not many:
                before = order.promised
                told._give_pieces(order, dice)
                told._give(order, dice)
                refused = refused + 1 if order.promised == before else 0
            left = Decimal(1)
            while left:
                page = world.get(f"/api/orders/{order.id}", world.admin)
                (row,) = world.rows(
                    "SELECT paid - refund_total AS rest FROM orders WHERE id = %s", order.id
                )
                left = row["rest"]
                if (
                    left
                    and not world.post(
                        f"/api/orders/{order.id}/refunds", token, {"amount": str(left)}
                    ).good
                ):
                    found.append(f"the last {left} of order {order.id} did not go")
                    break
            (row,) = world.rows(
                "SELECT (SELECT sum(amount) FROM refunds WHERE order_id = %s) AS sum", order.id
            )
            if row["sum"] != Decimal(page["totals"]["paid"]):
                found.append(
                    f"order {order.id}: {row['sum']} went back of {page['totals']['paid']}"
                )
            over = world.post(f"/api/orders/{order.id}/refunds", token, {"amount": "1"})
            if over.code != "refund_too_large":
                found.append(f"order {order.id}: one more was {over.code or over.status}")
    print(f"parts: {len(told.orders)} orders, {dict(told.did)}; refused {dict(world.refused)}")
    return told.faults + found


TRIALS: dict[str, Callable[[World, argparse.Namespace], list[str]]] = {
    "parts": parts,
    "lives": lives,
}


def main() -> int:
    """Run the trials; 1 on any fault."""
    parser = argparse.ArgumentParser(description="Send money home.")
    parser.add_argument("trials", nargs="+", choices=sorted(TRIALS))
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--stores", type=int, default=20)
    parser.add_argument("--buyers", type=int, default=40)
    parser.add_argument("--threads", type=int, default=6)
    parser.add_argument("--parts", type=int, default=40)
    parser.add_argument("--stock", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kill", action="store_true")
    args = parser.parse_args()
    wrong: list[str] = []
    for name in args.trials:
        with started(args.seed, provider=name == "lives") as world:
            world.open_up(args.stores, args.buyers, args.stock)
            before, start = world.deadlocks(), time.monotonic()
            wrong += TRIALS[name](world, args)
            wrong += world.faults(before)
            print(f"{name}: {time.monotonic() - start:.0f} s")
    print(f"{len(wrong)} faults", *wrong[:40], sep="\n  ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
