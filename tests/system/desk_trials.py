"""Trials of the order desk over HTTP, from outside, on a started system.

    PYTHONPATH=.:tests .venv/bin/python tests/system/desk_trials.py            # all, and a table with pass marks
    PYTHONPATH=.:tests .venv/bin/python tests/system/desk_trials.py races parts --pairs 50

races: two want the same order at once · cut: responses are lost, requests sent again · parts: parcels by many hands ·
undelivered: parcels that do not arrive · deadlines, stages, address, numbers · killed: the worker dies in the middle of
its timers. After each: no invariant is broken, no deadlock, no 500 in the log. Lists of a million orders:
order_list_trials.py.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg

from system.desk_deadlines import address, deadlines, numbers, stages
from system.desk_hall import Hall, Told, at_once, opened

Trial = Callable[[Hall, argparse.Namespace, random.Random], list[str]]
#: What may become of the two: the first verb's response, the second's, the stage after both.
CANCELLED = "cancelled"
WAYS = {
    "ship": {("200", "409 already_shipped", "shipping"), ("409 order_state", "200", CANCELLED)},
    "accept": {
        ("200", "200", "to_ship"),
        ("409 order_state", "200", CANCELLED),
        ("200", "200", CANCELLED),
    },
    "pay": {
        ("200", "409 checkout_paid", "new"),
        ("200", "200", CANCELLED),
        ("409 not_payable", "200", CANCELLED),
    },
    "expire": {
        ("200", "settled", "new"),
        ("200", "cancelled", CANCELLED),
        ("409 not_payable", "cancelled", CANCELLED),
    },
}
PAID_AND_CANCELLED = """
    SELECT o.id
    FROM orders AS o
    JOIN payments AS p ON p.checkout_id = o.checkout_id AND p.state = 'paid'
    WHERE o.state = 'cancelled'
        AND NOT EXISTS (
            SELECT
            FROM refunds AS r
            JOIN events AS told ON (told.data ->> 'refund')::bigint = r.id
            JOIN events AS cause ON cause.xid = told.xid
            WHERE (r.order_id = o.id OR r.payment_id = p.id)
                AND (
                    (cause.order_id = o.id AND cause.type = 'order.cancelled')
                    OR (cause.type = 'payment.paid' AND (cause.data ->> 'payment')::bigint = p.id)
                )
        )
"""


def races(hall: Hall, args: argparse.Namespace, dice: random.Random) -> list[str]:
    """Pay, ship and accept against cancel; pay against the end of the time to pay."""
    wrong: list[str] = []
    product = hall.product(args.pairs * 8)
    for kind, ways in WAYS.items():
        counts: Counter[tuple[str, ...]] = Counter()
        for _ in range(args.pairs):
            order, works = _pair(hall, kind, product)
            first, second = at_once(dice, *works)
            counts[(_said(first), _said(second), hall.page(order)["stage"])] += 1
        print(f"  {kind}: {dict(counts)}")
        wrong += [f"{kind}: {way} x {times}" for way, times in counts.items() if way not in ways]
    lost = hall.sql(PAID_AND_CANCELLED)
    return wrong + [f"paid, cancelled and no refund: {lost}"] * bool(lost)


def _said(told: Told | str) -> str:
    return told if isinstance(told, str) else told.code


def _pair(hall: Hall, kind: str, product: int) -> tuple[int, list[Callable[[], Told | str]]]:
    if kind in ("ship", "accept"):
        order = hall.order((product, 1), method="cod")
        body = {} if kind == "ship" else None
        return order, [
            lambda: hall.verb(hall.seller, order, kind, body),
            lambda: hall.verb(hall.buyer, order, "cancel", {"reason": "too_slow"}),
        ]
    placed = hall.place((product, 1))
    checkout, (payment,) = placed["id"], placed["payments"]

    def expire() -> str:
        with hall.owner() as conn:
            conn.execute("SET ROLE marketplace_worker")
            row = conn.execute(
                "SELECT cancel_checkout(%s, 'unpaid') AS told", [checkout]
            ).fetchone()
            return str(row["told"])

    if kind == "expire":
        hall.sql(
            "UPDATE checkouts SET pay_by = now() - interval '1 second' WHERE id = %s", checkout
        )
        return placed["orders"][0]["id"], [lambda: hall.pay(payment), expire]
    cancel = f"/api/checkouts/{checkout}/cancel"
    return placed["orders"][0]["id"], [
        lambda: hall.pay(payment),
        lambda: hall.call("POST", cancel, hall.buyer, {"reason": "too_slow"}),
    ]


def cut(hall: Hall, args: argparse.Namespace, dice: random.Random) -> list[str]:
    """Each verb's response is lost, and the same request is sent again."""
    wrong: list[str] = []
    product = hall.product()
    for turn in range(args.cuts):
        order = hall.order((product, 3), method=dice.choice(["cod", "transfer"]))
        line = hall.page(order)["lines"][0]["id"]
        part = {"lines": [{"line_id": line, "quantity": 1}], "reason": "out_of_stock"}
        calls = [
            (hall.seller, "accept", None, None),
            (hall.seller, "cancel", part, hall.key()),
            (hall.seller, "ship", {"tracking_number": f"JX{order}"}, hall.key()),
            (hall.buyer, "confirm", None, None),
        ]
        if turn % 4 == 0:
            calls = [(hall.buyer, "cancel", {"reason": "too_slow"}, None)]
        for who, verb, body, key in calls:
            hall.cut(f"/api/orders/{order}/{verb}", who, body, key, dice.uniform(0, 0.02))
            again = hall.verb(who, order, verb, body, key)
            while again.code == "409 request_in_progress":
                time.sleep(0.05)
                again = hall.verb(who, order, verb, body, key)
            third = hall.verb(who, order, verb, body, key)
            if (again.status, third.status) != (200, 200):
                wrong.append(f"{verb}: {again.code}, {third.code}")
            elif again.body["version"] != third.body["version"]:
                wrong.append(f"{verb} moved the order twice")
        page = hall.page(order)
        found = (page["stage"], len(page["shipments"]), page["lines"][0]["cancelled"])
        if found not in {("completed", 1, 1), (CANCELLED, 0, 3)}:
            wrong.append(f"order {order}: {found}")
    return wrong


def parts(hall: Hall, args: argparse.Namespace, dice: random.Random) -> list[str]:
    """Many hands send one piece at a time of the same orders."""
    products = [hall.product(5 * args.orders), hall.product(5 * args.orders)]
    orders = [hall.order(*((each, 5) for each in products)) for _ in range(args.orders)]
    lines = {order: [line["id"] for line in hall.page(order)["lines"]] for order in orders}
    tries = [(order := dice.choice(orders), dice.choice(lines[order])) for _ in range(args.parcels)]

    def ship(one: tuple[int, int]) -> str:
        order, line = one
        return hall.verb(
            hall.seller, order, "ship", {"lines": [{"line_id": line, "quantity": 1}]}
        ).code

    with ThreadPoolExecutor(8) as pool:
        counts = Counter(pool.map(ship, tries))
    print(f"  parcels: {dict(counts)}")
    row = hall.sql(
        """
        SELECT sum(l.shipped) AS lines, (SELECT sum(o.units_shipped) FROM orders AS o WHERE o.id = ANY(%s)) AS orders,
            (SELECT sum(p.quantity) FROM shipment_lines AS p WHERE p.order_id = ANY(%s)) AS parcels,
            (SELECT sum(h.quantity) FROM holds AS h WHERE h.order_id = ANY(%s)) AS held,
            (SELECT sum(i.reserved) FROM inventory AS i WHERE i.product_id = ANY(%s)) AS reserved
        FROM order_lines AS l WHERE l.order_id = ANY(%s)
        """,
        orders, orders, orders, products, orders,
    )[0]  # fmt: skip
    sent, left = counts["200"], 10 * len(orders) - counts["200"]
    good = {row["lines"], row["orders"], row["parcels"]} == {sent}
    good &= {row["held"] or 0, row["reserved"]} == {left}
    odd = set(counts) - {"200", "409 too_many_units", "409 order_state"}
    return ([] if good else [f"pieces: {row}, sent {sent}"]) + [f"parts: {odd}"] * bool(odd)


def undelivered(hall: Hall, args: argparse.Namespace, dice: random.Random) -> list[str]:
    """Parcels are refused, lost and undeliverable; pieces do not come; what each costs whom."""
    wrong: list[str] = []

    def check(what: str, found: object, wanted: object) -> None:
        if found != wanted:
            wrong.append(f"{what}: {found}, not {wanted}")

    def ended(order: int, parcel: int, outcome: str) -> Told:
        path = f"shipments/{parcel}/returned"
        return hall.verb(hall.seller, order, path, {"outcome": outcome, "sellable": True})

    def refunds(order: int) -> int:
        return int(
            hall.one("SELECT coalesce(sum(amount), 0) FROM refunds WHERE order_id = %s", order)
        )

    def balance() -> int:
        found = hall.call("GET", "/api/stores/mine/balance", hall.seller)
        return int(float(found.body["balance"]))

    product = hall.product(100)
    order, before = hall.order((product, 2), method="cod"), balance()
    (parcel,) = hall.verb(hall.seller, order, "ship", {}).body["shipments"]
    check("COD refused", ended(order, parcel["id"], "refused").body["stage"], CANCELLED)
    check("nobody has cash", (balance(), refunds(order)), (before, 0))
    check("stock is back", hall.call("GET", f"/api/products/{product}", None).body["stock"], 100)

    order = hall.order((product, 2))
    line = hall.page(order)["lines"][0]["id"]
    for number in ("A", "B"):
        part = {"lines": [{"line_id": line, "quantity": 1}], "tracking_number": number}
        page = hall.verb(hall.seller, order, "ship", part).body
    hall.sql(  # goodwill beside it leaves less to give back
        "SELECT promise_refund(%s, 100000, 'goodwill', NULL, NULL, 'store', NULL)", order
    )
    check(
        "one of two is lost",
        ended(order, page["shipments"][0]["id"], "lost").body["stage"],
        "shipping",
    )
    check("no more than is left", refunds(order), 179_000)
    check("confirmed", hall.verb(hall.buyer, order, "confirm").body["stage"], "completed")

    order = hall.order((product, 2))
    for number in ("A", "B"):
        part = {
            "lines": [{"line_id": hall.page(order)["lines"][0]["id"], "quantity": 1}],
            "tracking_number": number,
        }
        page = hall.verb(hall.seller, order, "ship", part).body
    for parcel in page["shipments"]:
        last = ended(order, parcel["id"], "undeliverable")
    check("all undeliverable", (last.body["stage"], refunds(order)), (CANCELLED, 179_000))
    wrong += _vouchers(hall, product, check)
    return wrong


def _vouchers(hall: Hall, product: int, check: Callable[[str, object, object], None]) -> list[str]:
    """Of ten pieces with a voucher of the platform nine do not come: prepaid, at the door, for nothing."""
    for method, value in (("transfer", "50"), ("cod", "50"), ("transfer", "100")):
        code = f"P{hall.key().rpartition('-')[2]}{value}"
        body = {"name": "Hemat", "gives": "percent", "value": value, "code": code}
        made = hall.call("POST", "/api/vouchers", hall.admin, body)
        free = hall.call(
            "POST",
            "/api/vouchers",
            hall.admin,
            {"name": "Ongkir", "gives": "free_delivery", "value": "0", "code": f"{code}F"},
        )
        check("vouchers", (made.status, free.status), (201, 201))
        codes = [code] if value == "50" else [code, f"{code}F"]
        before = hall.one(
            "SELECT coalesce(sum(balance), 0) FROM store_balances WHERE store_id = %s",
            hall.seller.store_id,
        )
        order = hall.order((product, 10), method=method, vouchers=codes)
        line = hall.page(order)["lines"][0]["id"]
        left = {"lines": [{"line_id": line, "quantity": 9}], "reason": "out_of_stock"}
        check(f"{method} {value}", hall.verb(hall.seller, order, "cancel", left).status, 200)
        hall.verb(hall.seller, order, "ship", {})
        done = hall.verb(hall.buyer, order, "confirm")
        check("completed", done.code, "200")
        after = hall.one(
            "SELECT sum(balance) FROM store_balances WHERE store_id = %s", hall.seller.store_id
        )
        delivery = 9_000
        kept = 85_000 + delivery
        collected = (85_000 // 2 + delivery) if method == "cod" else 0  # the store has it already
        check(f"{method} {value}: the store gets what was sent", after - before, kept - collected)
        subsidy = hall.one(
            "SELECT subsidy_total - subsidy_returned FROM orders WHERE id = %s", order
        )
        check("the platform pays its part of one", subsidy, 42_500 if value == "50" else kept)
    return []


def killed(hall: Hall, args: argparse.Namespace, dice: random.Random) -> list[str]:
    """kill -9 of a worker in the middle of its timers, again and again: each due order is moved once."""
    product = hall.product()
    moved_twice: list[object] = []
    deaths = 0
    for _ in range(args.kills):
        orders = [hall.order((product, 1), method="cod") for _ in range(args.due)]
        hall.sql(
            "UPDATE orders SET accept_at = now() - interval '1 second' WHERE id = ANY(%s)", orders
        )
        deaths += _kill_in_the_middle(hall, orders, dice.randrange(1, args.due))
        while _moved(hall, orders) < len(orders):
            _work(hall).wait(60)
        moved_twice += hall.sql(
            "SELECT order_id, count(*) FROM events WHERE order_id = ANY(%s) AND type = 'order.accepted'"
            " GROUP BY 1 HAVING count(*) <> 1", orders,
        )  # fmt: skip
    print(f"  {deaths} of {args.kills} workers died in the middle of {args.due} orders")
    return [f"moved twice: {moved_twice}"] * bool(moved_twice) + ["no worker died"] * (deaths == 0)


def _moved(hall: Hall, orders: list[int]) -> int:
    return int(
        hall.one("SELECT count(*) FROM orders WHERE id = ANY(%s) AND state = 'accepted'", orders)
    )


def _work(hall: Hall) -> "subprocess.Popen[bytes]":
    """A process that runs the timers once, as the worker does."""
    text = (
        "from marketplace.config import settings; from marketplace.postgres.database import Database;"
        "from marketplace.workflows import order_timers; db = Database.of_worker(settings.load());"
        "order_timers.run(db); db.close()"
    )
    env = {**os.environ, "DATABASE_URL": hall.url, "SECRET_KEY": "k" * 40}
    return subprocess.Popen([sys.executable, "-c", text], env=env, stderr=subprocess.DEVNULL)


def _kill_in_the_middle(hall: Hall, orders: list[int], after: int) -> bool:
    worker = _work(hall)
    with psycopg.connect(hall.url, autocommit=True) as conn:
        query = "SELECT count(*) FROM orders WHERE id = ANY(%s) AND state = 'accepted'"
        while worker.poll() is None and conn.execute(query, [orders]).fetchone()[0] < after:
            time.sleep(0.002)
    died = worker.poll() is None
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    return died and _moved(hall, orders) < len(orders)


TRIALS: dict[str, Trial] = {
    "races": races,
    "cut": cut,
    "parts": parts,
    "undelivered": undelivered,
    "deadlines": deadlines,
    "address": address,
    "stages": stages,
    "numbers": numbers,
    "killed": killed,
}


def main() -> int:
    """Run the trials and print a table; 1 on any fault."""
    parser = argparse.ArgumentParser(description="Try the order desk from outside.")
    parser.add_argument("trials", nargs="*", metavar="TRIAL", help=", ".join(TRIALS))
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--cuts", type=int, default=40)
    parser.add_argument("--orders", type=int, default=40)
    parser.add_argument("--parcels", type=int, default=900)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--due", type=int, default=40)
    parser.add_argument("--invoices", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    table: list[tuple[str, float, list[str]]] = []
    with opened() as hall:
        for name in args.trials or TRIALS:
            trial = TRIALS[name]
            before, started = hall.deadlocks(), time.monotonic()
            print(f"{name} ...", flush=True)
            wrong = trial(hall, args, random.Random(args.seed))
            wrong += hall.faults(before)
            table.append((name, time.monotonic() - started, wrong))
    for name, seconds, wrong in table:
        print(
            f"{'FAILED' if wrong else 'passed'}  {name:12} {seconds:6.1f} s  {'; '.join(wrong[:5])}"
        )
    return 1 if any(wrong for _, _, wrong in table) else 0


if __name__ == "__main__":
    sys.exit(main())
