"""Trials of what happens by itself: deadlines, stages, who reads the address, and the numbers of invoices."""

import argparse
import os
import random
import threading
from collections import Counter
from typing import Any

from system.desk_hall import HOME, Hall

ZONE = "Asia/Jakarta"
WORKERS = 4
#: What a store reads of a buyer after a month.
MASKED = {"recipient": "S***", "phone": None, "text": "Serang", "note": None, "masked": True}


class Workers:
    """Several workers at once, each with the worker's login."""

    def __init__(self, hall: Hall, count: int) -> None:
        from marketplace.config import settings
        from marketplace.postgres.database import Database

        env = {
            "DATABASE_URL": hall.url,
            "SECRET_KEY": "k" * 40,
            "DATA_DIR": os.environ.get("TMPDIR", "/tmp"),
        }
        config = settings.load(env)
        self._all = [Database.of_worker(config) for _ in range(count)]

    def run(self, work: Any) -> int:
        """Do the work with each at once; the sum of what they did."""
        done: list[int] = []
        threads = [threading.Thread(target=lambda db=db: done.append(work(db))) for db in self._all]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(done)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *error: object) -> None:
        for db in self._all:
            db.close()


def deadlines(hall: Hall, args: argparse.Namespace, dice: random.Random) -> list[str]:
    """The clock is moved through each deadline; several workers run the timers at once: each moves its order once."""
    from marketplace.workflows import order_timers

    wrong: list[str] = []
    product, each = hall.product(), 10

    def over(orders: list[int], deadline: str) -> None:
        hall.sql(
            f"UPDATE orders SET {deadline} = now() - interval '1 second' WHERE id = ANY(%s)",  # noqa: S608
            orders,
        )

    def check(what: str, orders: list[int], stage: str, kind: str) -> None:
        found = Counter(
            row["stage"] for row in hall.sql("SELECT stage FROM orders WHERE id = ANY(%s)", orders)
        )
        query = "SELECT count(*) AS n FROM events WHERE order_id = ANY(%s) AND type = %s AND actor = 'system' GROUP BY order_id"
        told = [row["n"] for row in hall.sql(query, orders, kind)]
        if found != {stage: each} or told != [1] * each:
            wrong.append(f"{what}: {dict(found)}, told {told}")

    with Workers(hall, WORKERS) as workers:
        orders = [hall.order((product, 2)) for _ in range(each)]
        over(orders, "accept_at")
        moved = [workers.run(order_timers.run)]
        check("accepted", orders, "to_ship", "order.accepted")
        for order in orders:
            hall.verb(hall.buyer, order, "cancel", {"reason": "too_slow"})
        over(orders, "cancel_by")
        moved.append(workers.run(order_timers.run))
        check("48 hours of silence", orders, "cancelled", "order.cancelled")
        orders = [hall.order((product, 2)) for _ in range(each)]
        over(orders, "ship_by")
        moved.append(workers.run(order_timers.run))
        check("not shipped", orders, "cancelled", "order.cancelled")
        orders = [hall.order((product, 2)) for _ in range(each)]
        for order in orders:
            hall.verb(hall.seller, order, "ship", {})
        over(orders, "deliver_by")
        moved.append(workers.run(order_timers.run))
        check("assumed", orders, "delivered", "order.delivered")
        over(orders, "complete_at")
        moved.append(workers.run(order_timers.run))
        check("completed", orders, "completed", "order.completed")
        cash = [hall.order((product, 2), method="cod") for _ in range(each)]
        for order in cash:
            hall.verb(hall.seller, order, "ship", {})
        over(cash, "deliver_by")
        balance = hall.sql("SELECT * FROM store_balances ORDER BY store_id")
        if workers.run(order_timers.run) or balance != hall.sql(
            "SELECT * FROM store_balances ORDER BY store_id"
        ):
            wrong.append("cash at the door was counted as arrived")
        found = hall.call("GET", "/api/orders?cod_overdue=true&per_page=100", hall.admin).body[
            "orders"
        ]
        if not {card["id"] for card in found} >= set(cash):
            wrong.append("cash that is overdue is not in the operator's list")
        moved.append(workers.run(order_timers.run))
    if moved != [each] * 5 + [0]:
        wrong.append(f"moved: {moved}")
    return wrong


def stages(hall: Hall, args: argparse.Namespace, dice: random.Random) -> list[str]:
    """Accepted by hand, by itself at once or never; cancelled while new, asked for later."""
    wrong: list[str] = []
    product = hall.product()

    def check(what: str, found: object, wanted: object) -> None:
        if found != wanted:
            wrong.append(f"{what}: {found}, not {wanted}")

    order = hall.order((product, 1))
    check("new", hall.page(order, hall.buyer)["cancel"]["how"], "now")
    check(
        "cancelled",
        hall.verb(hall.buyer, order, "cancel", {"reason": "x"}).body["stage"],
        "cancelled",
    )
    order = hall.order((product, 1))
    check("by hand", hall.verb(hall.seller, order, "accept").body["stage"], "to_ship")
    asked = hall.verb(hall.buyer, order, "cancel", {"reason": "too_slow"}).body
    check(
        "asked",
        (asked["stage"], asked["open_request"], asked["deadline"]["what"]),
        ("to_ship", "cancel", "answer_cancel"),
    )
    check("no", hall.verb(hall.seller, order, "refuse-cancel").body["open_request"], None)
    hall.verb(hall.buyer, order, "cancel", {"reason": "too_slow"})
    yes = hall.verb(hall.seller, order, "cancel", {"reason": "buyer_asked"}).body
    check("yes", (yes["stage"], yes["cancel_reason"]), ("cancelled", "too_slow"))
    for minutes, accepts in ((0, True), (None, False)):
        put = hall.call(
            "PUT", "/api/stores/mine/settings", hall.seller, {"accept_after_minutes": minutes}
        )
        check("settings", put.status, 200)
        order = hall.order((product, 1))
        at = hall.one("SELECT accept_at <= now() FROM orders WHERE id = %s", order)
        check(f"accept_after_minutes {minutes}", at, True if accepts else None)
    return wrong


def address(hall: Hall, args: argparse.Namespace, dice: random.Random) -> list[str]:
    """Who reads the street, in each stage and a month after; nobody by another way."""
    wrong: list[str] = []
    product = hall.product()

    def read(order: int, stage: str, masked: bool) -> None:
        page = hall.page(order, hall.seller)
        found = (
            page["address"] == MASKED
            if masked
            else page["address"]["text"].startswith(HOME["line1"])
        )
        buyer = hall.page(order, hall.buyer)["address"]["text"].startswith(HOME["line1"])
        slip = hall.call("GET", f"/api/orders/{order}/packing-slip", hall.seller).status
        if (page["stage"], found, buyer, slip) != (stage, True, True, 404 if masked else 200):
            wrong.append(f"{stage}: {page['stage']} {page['address']}, slip {slip}")
        for who, status in ((hall.other, 404), (hall.stranger, 404), (None, 401)):
            if hall.call("GET", f"/api/orders/{order}", who).status != status:
                wrong.append(f"{stage}: somebody else reads it")

    unpaid = hall.place((product, 1))
    order = int(unpaid["orders"][0]["id"])
    read(order, "unpaid", True)
    hall.pay(unpaid["payments"][0])
    read(order, "new", False)
    hall.verb(hall.seller, order, "accept")
    read(order, "to_ship", False)
    hall.verb(hall.seller, order, "ship", {})
    read(order, "shipping", False)
    parcel = hall.page(order)["shipments"][0]["id"]
    hall.verb(hall.seller, order, f"shipments/{parcel}/delivered")
    read(order, "delivered", False)
    hall.verb(hall.buyer, order, "confirm")
    read(order, "completed", False)
    hall.sql(
        "UPDATE orders SET completed_at = now() - interval '30 days' + interval '1 minute' WHERE id = %s",
        order,
    )
    read(order, "completed", False)
    hall.sql("SELECT promise_refund(%s, 1000, 'goodwill', NULL, NULL, 'store', NULL)", order)
    hall.sql("UPDATE orders SET completed_at = now() - interval '31 days' WHERE id = %s", order)
    read(order, "completed", True)
    gone = hall.order((product, 1))
    hall.verb(hall.buyer, gone, "cancel", {})
    read(gone, "cancelled", True)
    for query in (
        "SELECT address FROM checkouts",
        "SELECT * FROM checkouts",
        "SELECT bank FROM refunds",
    ):
        if hall.refused(query) != "42501":
            wrong.append(f"not refused: {query}")
    origin = {**HOME, "line1": "Gudang Rahasia 7"}
    put = hall.call("PUT", "/api/stores/mine/settings", hall.seller, {"origin": origin})
    trail = hall.one("SELECT count(*) FROM audit WHERE concat(before, after) LIKE '%%Rahasia%%'")
    if (put.status, trail) != (200, 0):
        wrong.append(f"the trail knows an address: {put.status}, {trail}")
    return wrong


def numbers(hall: Hall, args: argparse.Namespace, dice: random.Random) -> list[str]:
    """Orders of one store are completed over New Year by eight workers, which issue the invoices at once."""
    from marketplace.workflows import invoices, order_timers

    product, count = hall.product(), args.invoices
    orders = [hall.order((product, 1), method="cod") for _ in range(count)]
    for order in orders:
        parcel = hall.verb(hall.seller, order, "ship", {}).body["shipments"][0]["id"]
        hall.verb(hall.seller, order, f"shipments/{parcel}/delivered")
    hall.sql(
        "UPDATE orders SET complete_at = now() - interval '1 second' WHERE id = ANY(%s)", orders
    )
    with Workers(hall, 8) as workers:
        while workers.run(order_timers.run):
            pass
        hall.sql(
            "UPDATE invoices_due SET due_at = '2026-12-31 17:00:00Z'::timestamptz"  # midnight of Jakarta
            " + make_interval(secs => (order_id %% 120 - 60)::integer) WHERE order_id = ANY(%s)", orders,
        )  # fmt: skip
        issued = workers.run(lambda db: invoices.run(db, ZONE))
    found = hall.sql(
        "SELECT year, array_agg(number ORDER BY number) AS numbers FROM invoices WHERE order_id = ANY(%s) GROUP BY 1 ORDER BY 1",
        orders,
    )
    lasts = {
        row["year"]: (row["numbers"][0], row["numbers"][-1], len(row["numbers"])) for row in found
    }
    print(f"  issued {issued}: {lasts}")
    whole = all(row["numbers"][-1] - row["numbers"][0] + 1 == len(row["numbers"]) for row in found)
    counted = sum(len(row["numbers"]) for row in found)
    good = whole and counted == count and set(lasts) == {2026, 2027} and lasts[2027][0] == 1
    return [] if good else [f"numbers: {lasts}, issued {issued} of {count}"]
