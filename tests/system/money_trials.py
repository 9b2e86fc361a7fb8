"""Sends money home in parts, and ends random lives of orders, over HTTP; an oracle of its own says what must be left.

    PYTHONPATH=.:tests .venv/bin/python tests/system/money_trials.py parts lives --orders 1000

`parts`: random parts of an order until `refund_too_large`, 16 at once, of cash, of a payment that came twice; returns too
late, of too many pieces, of rejected ones. `lives`: orders of 20 stores through random lives with parts, returns, disputes,
cash on delivery and vouchers of both kinds, 5 % commission and 11 % tax on it, each ended by its timers. Then each buyer's
money, each store's balance, commission, the platform's cost and the stock are what the oracle says; the books sum to 0, all
invariants hold, and nothing is left open. With `--kill` workers of the API and PostgreSQL are killed meanwhile.
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

from system.money_lives import BANK, Lives
from system.money_oracle import NOTHING, Order
from system.money_world import World, started


def lives(world: World, args: argparse.Namespace) -> list[str]:
    """Random lives, each to its end."""
    told = Lives(world)
    until = threading.Event()
    killer = threading.Thread(target=kill, args=(world, until, args.seed))
    if args.kill:
        killer.start()

    def run(number: int) -> None:
        dice = Random(args.seed * 1_000_003 + number)
        while len(told.orders) < args.orders:
            orders = told.place(dice.choice(world.buyers), dice)
            for _ in range(3):
                for order in orders:
                    told.live(order, dice, dice.randrange(2, 9))

    try:
        with ThreadPoolExecutor(args.threads) as pool:
            for outcome in [pool.submit(run, number) for number in range(args.threads)]:
                outcome.result()
    finally:
        until.set()
        if args.kill:
            killer.join()
    print(f"{len(told.orders)} orders; did {dict(told.did)}; refused {dict(world.refused)}")
    end(told, Random(args.seed))
    return told.faults + compared(told, args)


def kill(world: World, until: threading.Event, seed: int) -> None:
    """Kill workers of the API, and now and then a backend of PostgreSQL, which ends all others."""
    dice, killed = random.Random(seed), Counter[str]()
    while not until.wait(dice.uniform(4, 12)):
        if dice.random() < 0.7:
            for pid in children(world.server.process.pid)[:1]:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                    killed["workers"] += 1
        else:
            with contextlib.suppress(psycopg.Error), world.owner() as conn:
                pid = conn.execute("SELECT pg_backend_pid() AS pid").fetchone()["pid"]
                os.kill(pid, signal.SIGKILL)
                killed["PostgreSQL"] += 1
    print(f"killed {dict(killed)}")


def end(told: Lives, dice: Random) -> None:
    """Whatever waits for a person is done, and all timers run."""
    world = told.world
    for order in told.orders.values():
        while order.asked is not None and order.asked.disputed:
            told._decide(order, dice)
        for parcel in list(order.parcels) if order.method == "cod" else ():
            answer = world.post(f"/api/orders/{order.id}/shipments/{parcel}/delivered", world.admin)
            if answer.good:
                order.deliver(parcel)
            else:
                told.faults.append(f"parcel {parcel} of {order.id} was not delivered: {answer}")
    moved = world.run_timers()
    for order in told.orders.values():
        before = None
        while before != (order.state, order.stage):
            before = (order.state, order.stage)
            order.run_out()
        told.compare(order)
    print(f"timers moved {moved}; refunds sent {dict(send_all(told, dice))}")


def send_all(told: Lives, dice: Random) -> Counter[str]:
    """All refunds go home: by bank, or by the store that has the money; a few fail at first, a few are given up."""
    world, sent = told.world, Counter[str]()
    tokens = {buyer.id: buyer.token for buyer in world.buyers}
    while rows := world.rows(
        "SELECT r.id, r.way, r.state, r.buyer_id, r.store_id FROM refunds AS r WHERE r.state NOT IN ('done', 'given_up') LIMIT 500"
    ):
        for row in rows:
            path, luck = f"/api/refunds/{row['id']}", dice.random()
            if row["state"] == "needs_bank" and luck < 0.03:
                answer = world.post(f"{path}/give-up", world.admin, {"message": "tidak ketemu"})
            elif row["state"] == "needs_bank":
                answer = world.call("PUT", f"{path}/bank", tokens[row["buyer_id"]], BANK)
            elif luck < 0.05:
                answer = world.post(f"{path}/fail", world.admin, {"reason": "kembali"})
            else:
                token = (
                    world.stores[row["store_id"]].token if row["way"] == "store" else world.admin
                )
                answer = world.post(f"{path}/done", token, {"reference": "BCA 1"})
            if not answer.good:
                told.faults.append(f"refund {row}: {answer}")
                return sent
            sent[f"{row['way']} {row['state']}"] += 1
    return sent


def compared(told: Lives, args: argparse.Namespace) -> list[str]:
    """What differs from the oracle, and what is left open."""
    world, orders = told.world, list(told.orders.values())
    found: list[str] = []
    for order in orders:
        if order.stage not in ("completed", "cancelled"):
            found.append(f"order {order.id} is {order.stage} in the end")
    found += (
        _buyers(world, orders)
        + _stores(told, orders)
        + _platform(world, orders)
        + _stock(told, orders, args.stock)
    )
    for what, query in OPEN.items():
        (row,) = world.rows(query)
        if row["n"]:
            found.append(f"{row['n']} {what} are left open")
    return found


OPEN = {
    "orders": "SELECT count(*) AS n FROM orders WHERE stage NOT IN ('completed', 'cancelled') OR open_request IS NOT NULL",
    "checkouts": "SELECT count(*) AS n FROM checkouts WHERE state = 'unpaid'",
    "payments": "SELECT count(*) AS n FROM payments WHERE state IN ('opening', 'open', 'checking')",
    "returns": "SELECT count(*) AS n FROM order_requests WHERE state IN ('open', 'approved', 'sent_back')"
    " OR (disputed AND decided_by IS NULL)",
    "refunds": "SELECT count(*) AS n FROM refunds WHERE state NOT IN ('done', 'given_up')",
    "holds": "SELECT count(*) AS n FROM holds",
}


def _buyers(world: World, orders: list[Order]) -> list[str]:
    """What each buyer has paid in all: from the money that came and went, beside the oracle's orders."""
    meant: Counter[int] = Counter()
    for order in orders:
        meant[order.buyer] += int(order.rest)
    rows = world.rows(
        "SELECT b.buyer_id, sum(b.much) AS much FROM ("
        " SELECT buyer_id, received AS much FROM payments UNION ALL SELECT buyer_id, paid FROM orders WHERE cod"
        " UNION ALL SELECT buyer_id, -amount FROM refunds WHERE state IN ('done', 'given_up')) AS b GROUP BY 1"
    )
    said = {row["buyer_id"]: int(row["much"]) for row in rows}
    return [
        f"buyer {buyer} has paid {said.get(buyer, 0)}, not {meant[buyer]}"
        for buyer in {*said, *meant}
        if said.get(buyer, 0) != meant[buyer]
    ]


def _stores(told: Lives, orders: list[Order]) -> list[str]:
    """Each store's balance, as its seller reads it."""
    world, found = told.world, []
    rows = world.rows(
        "SELECT store_id, sum(amount) AS much FROM refunds WHERE way = 'store' AND state = 'done' GROUP BY 1"
    )
    sent = {row["store_id"]: row["much"] for row in rows}
    for store in world.stores.values():
        mine = [order for order in orders if order.store == store.id]
        cash = sum(
            (order.paid for order in mine if order.method == "cod" and order.cash_at == "store"),
            NOTHING,
        )
        earned = sum((order.earned() for order in mine), NOTHING)
        meant = earned - cash - told.at_stores[store.id] + sent.get(store.id, NOTHING)
        said = Decimal(world.get("/api/stores/mine/balance", store.token)["balance"])
        if said != meant:
            found.append(f"store {store.id} has {said}, not {meant}")
    return found


def _platform(world: World, orders: list[Order]) -> list[str]:
    """What the platform takes and bears, from the books; and that they sum to 0, with nothing left between."""
    rows = world.rows(
        "SELECT a.kind, sum(p.amount) AS much FROM ledger_postings AS p JOIN ledger_accounts AS a ON a.id = p.account_id GROUP BY 1"
    )
    said = {row["kind"]: row["much"] for row in rows}
    fees = [order.commission() for order in orders]
    given_up = world.rows(
        "SELECT coalesce(sum(amount), 0) AS much FROM refunds WHERE state = 'given_up'"
    )[0]["much"]
    meant = {
        "commission": -sum((fee for fee, _ in fees), NOTHING),
        "commission_tax": -sum((tax for _, tax in fees), NOTHING),
        "expense": sum((order.platform_bears() for order in orders), NOTHING),
        "escrow": NOTHING,
        "refund_due": NOTHING,
        "unallocated": -given_up,
    }
    said["expense"] = said.get("expense_voucher", NOTHING) + said.get("expense_dispute", NOTHING)
    found = [
        f"{kind}: {said.get(kind, NOTHING)}, not {much}"
        for kind, much in meant.items()
        if said.get(kind, NOTHING) != much
    ]
    total = sum((much for kind, much in said.items() if kind != "expense"), NOTHING)
    return found + ([f"the books sum to {total}"] if total else [])


def _stock(told: Lives, orders: list[Order], at_first: int) -> list[str]:
    """The stock of each product, as anybody reads it."""
    back: Counter[int] = Counter()
    for order in orders:
        back.update(order.restocked)
    found = []
    for store in told.world.stores.values():
        for product in store.products:
            said = told.world.get(f"/api/products/{product}", "")["stock"]
            meant = at_first - told.ordered[product] + back[product]
            if said != meant:
                found.append(f"product {product} has {said}, not {meant}")
    return found


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
        with started(args.seed) as world:
            world.open_up(args.stores, args.buyers, args.stock)
            before, start = world.deadlocks(), time.monotonic()
            wrong += TRIALS[name](world, args)
            wrong += world.faults(before)
            print(f"{name}: {time.monotonic() - start:.0f} s")
    print(f"{len(wrong)} faults: {wrong[:20]}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
