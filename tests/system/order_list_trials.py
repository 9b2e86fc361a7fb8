"""Lists of a million orders and checkouts, half of them one store's: what each costs the database.

    PYTHONPATH=.:tests .venv/bin/python tests/system/order_list_trials.py --orders 1000000

Every statement of the lists is run as the API's role, under the policies of the seller, a buyer or
an admin, by a kept plan: the first page, and one deep down by its cursor. The best of some runs is
told, beside the pages of the database that it touched. More than 1 ms (counts: 2 ms) is a fault.
"""

import argparse
import re
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from psycopg import sql
from support.stock import act_as

from marketplace.postgres import migrations
from marketplace.queries import checkouts, orders
from tools.bench import fill

RUNS = 7
STORES, BUYERS = 1_000, 50_000
NOBODY_YET = 2**63 - 1
#: Rows of every kind, by the hand of the owner: sums and pieces are right, times run backwards from now.
ROWS = (
    """
    INSERT INTO users (name, email, role)
    SELECT 'Orang ' || n, n || '@example.com', CASE WHEN n = 1 THEN 'admin' WHEN n <= {stores} + 1 THEN 'seller' ELSE 'buyer' END
    FROM generate_series(1, {buyers}) AS n
    """,
    "INSERT INTO stores (owner_id, name) SELECT n + 1, 'Toko ' || n FROM generate_series(1, {stores}) AS n",
    """
    INSERT INTO checkouts (buyer_id, number, currency, total, method, state, units, pay_by, address, placed_at)
    SELECT {stores} + 2 + n % ({buyers} - {stores} - 1), 'C' || n, 'IDR', 100000, 'transfer',
        CASE WHEN n % 1000 = 0 THEN 'unpaid' WHEN n % 10 = 1 THEN 'cancelled' ELSE 'settled' END, 2, now(), '{{}}',
        now() - make_interval(secs => ({orders} - n) * 30)
    FROM generate_series(1, {orders}) AS n
    """,
    """
    INSERT INTO orders (store_id, buyer_id, checkout_id, number, state, settled, cod, cod_collector, currency, items_total, total, units,
        units_shipped, units_delivered, units_cancelled, cancelled_total, delivery, open_request, cancel_by, ship_by, deliver_by,
        complete_at, completed_at, placed_at)
    SELECT CASE WHEN n % 2 = 0 THEN 1 ELSE 2 + n / 2 % ({stores} - 1) END, c.buyer_id, c.id, c.number || '-1',
        CASE k.stage WHEN 'completed' THEN 'completed' WHEN 'cancelled' THEN 'cancelled' WHEN 'unpaid' THEN 'placed' WHEN 'new'
            THEN 'placed' ELSE 'accepted' END,
        k.stage NOT IN ('unpaid', 'cancelled'), k.cod, CASE WHEN k.cod THEN 'store' END, 'IDR', 100000, 100000, 2,
        CASE WHEN k.stage IN ('shipping', 'delivered', 'completed') THEN 2 ELSE 0 END,
        CASE WHEN k.stage IN ('delivered', 'completed') THEN 2 ELSE 0 END,
        CASE k.stage WHEN 'cancelled' THEN 2 ELSE 0 END, CASE k.stage WHEN 'cancelled' THEN 100000 ELSE 0 END, '{{"name": "REG"}}',
        CASE WHEN k.stage = 'to_ship' AND n % 7 = 0 THEN 'cancel' WHEN k.stage = 'delivered' AND n % 5 = 0 THEN 'return' END,
        CASE WHEN k.stage = 'to_ship' AND n % 7 = 0 THEN now() END, c.placed_at + interval '{days} days',
        c.placed_at + interval '{days} days', c.placed_at + interval '{days} days',
        CASE k.stage WHEN 'completed' THEN c.placed_at END, c.placed_at
    FROM checkouts AS c
    CROSS JOIN LATERAL (SELECT c.id AS n, c.id / 2 % 200 AS part) AS m
    CROSS JOIN LATERAL (
        SELECT CASE WHEN m.part = 0 THEN 'unpaid' WHEN m.part < 3 THEN 'new' WHEN m.part < 6 THEN 'to_ship' WHEN m.part < 12
            THEN 'shipping' WHEN m.part < 18 THEN 'delivered' WHEN m.part < 30 THEN 'cancelled' ELSE 'completed' END AS stage,
            m.part = 7 AS cod
    ) AS k
    """,
    """
    INSERT INTO order_lines (store_id, buyer_id, order_id, product_id, name, price, quantity, total)
    SELECT o.store_id, o.buyer_id, o.id, CASE WHEN o.id % 100000 = 0 THEN 7 ELSE o.store_id * 1000 + o.id / 2 % 500 END, 'Kopi Gayo 250 g',
        50000, 1, 50000
    FROM orders AS o CROSS JOIN generate_series(1, 2)
    """,
    """
    INSERT INTO shipments (store_id, buyer_id, order_id, courier, tracking_number)
    SELECT o.store_id, o.buyer_id, o.id, 'jne', 'JX' || o.id FROM orders AS o WHERE o.units_shipped > 0
    """,
)  # fmt: skip


class Asked(NamedTuple):
    """One statement of a list: by whom, its values, and how many milliseconds it may take."""

    what: str
    who: int
    name: str
    values: dict[str, Any]
    most: float = 1.0
    statements: Mapping[str, Any] = orders.SQL


class Cost(NamedTuple):
    """What a run cost."""

    ms: float
    buffers: int
    rows: int


def write(url: str, number: int) -> None:
    """Write the orders; triggers, indexes and foreign keys are made anew behind them."""
    with fill.connected(url) as conn:
        aside = conn.execute(fill.SQL["set_aside"], {"schema": "public"}).fetchall()
        for thing in reversed(aside):
            conn.execute(thing["take"].encode())
        for text in ROWS:
            conn.execute(text.format(orders=number, stores=STORES, buyers=BUYERS, days=15).encode())
        for thing in aside:
            conn.execute(thing["restore"].encode())
        for table in ("users", "stores", "checkouts", "orders", "order_lines", "shipments"):
            conn.execute(f"VACUUM (ANALYZE) {table}".encode())


def asked(conn: Any) -> Iterator[Asked]:
    """Every list as an app asks for it; a deep page begins where nine tenths of the list are behind."""
    admin, seller, buyer = 1, 2, STORES + 100
    deep = conn.execute(
        "SELECT placed_at AS at, id FROM orders WHERE store_id = 1 AND stage = 'completed' ORDER BY placed_at, id"
        " OFFSET (SELECT count(*) / 10 FROM orders WHERE store_id = 1 AND stage = 'completed') LIMIT 1"
    ).fetchone()
    first = {"limit": 21, "before_at": "infinity", "before_id": NOBODY_YET}
    down = {**first, "before_at": deep["at"], "before_id": deep["id"]}
    up = {"limit": 21, "after_at": "-infinity", "after_id": 0}
    for place, part in (("first page", first), ("deep", down)):
        yield Asked(f"store, all, {place}", seller, "of_store", {"store_id": 1, **part})
        yield Asked(f"buyer, all, {place}", buyer, "of_buyer", {"user_id": buyer, **part})
        yield Asked(f"admin, all, {place}", admin, "newest", part)
        for states in (list(checkouts.STATES), *([state] for state in checkouts.STATES)):
            yield Asked(
                f"admin, checkouts {','.join(states)}, {place}",
                admin,
                "of_everybody",
                {"states": states, **part},
                statements=checkouts.SQL,
            )
        for stages in (
            *([stage] for stage in orders.STAGES),
            ["new", "to_ship"],
            ["shipping", "completed"],
        ):
            name = ",".join(stages)
            yield Asked(
                f"store, {name}, {place}",
                seller,
                "of_store_by_stage",
                {"store_id": 1, "stages": stages, **part},
            )
            yield Asked(
                f"buyer, {name}, {place}",
                buyer,
                "of_buyer_by_stage",
                {"user_id": buyer, "stages": stages, **part},
            )
        for kind in orders_asked():
            yield Asked(
                f"store, {kind} asked, {place}",
                seller,
                "with_request",
                {"store_id": 1, "open_request": kind, **part},
            )
        for product in (1001, 7, 5):
            values = {
                "store_id": 1,
                "product_id": product,
                "limit": 21,
                "before_id": part["before_id"],
            }
            yield Asked(f"store, product {product}, {place}", seller, "with_product", values)
    for late in (False, True):
        yield Asked(
            f"store, by ship_by, late {late}",
            seller,
            "to_ship",
            {"store_id": 1, "late": late, **up},
        )
        yield Asked(
            f"small store, by ship_by, late {late}",
            3,
            "to_ship",
            {"store_id": 2, "late": late, **up},
        )
    yield Asked("admin, cash overdue", admin, "cod_overdue", up)
    yield Asked(
        "number",
        seller,
        "by_number",
        {"number": "C77-1", "everything": False, "user_id": None, "store_id": 2},
    )
    counts = {"stages": list(orders.STAGES), "limit": orders.COUNTED}
    yield Asked("store, counts", seller, "count_of_store", {"store_id": 1, **counts}, 2.0)
    yield Asked("buyer, counts", buyer, "count_of_buyer", {"user_id": buyer, **counts}, 2.0)
    for who, store in ((seller, 1), (buyer, None)):
        ids = [row["id"] for row in conn.execute(
            "SELECT id FROM orders WHERE coalesce(store_id = %s, buyer_id = %s) ORDER BY id DESC LIMIT 20", [store, who]
        )]  # fmt: skip
        whose = {"everything": False, "user_id": who, "store_id": store}
        yield Asked("cards", who, "cards", {"ids": ids, **whose})


def orders_asked() -> tuple[str, ...]:
    """What may be asked about an order: often, sometimes, never here."""
    return ("return", "cancel", "dispute")


def cost(conn: Any, each: Asked) -> Cost:
    """Run a statement by a kept plan as its caller; the best of some runs."""
    names: list[str] = []

    def numbered(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    text = re.sub(r"%\((\w+)\)s", numbered, each.statements[each.name]).replace("%%", "%")
    values = sql.SQL(", ").join(sql.Literal(each.values[name]) for name in names)
    best = None
    with conn.transaction(force_rollback=True):
        act_as(conn, each.who)
        conn.execute("SET LOCAL ROLE marketplace_app")
        conn.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        conn.execute(f"PREPARE asked AS {text}")
        run = sql.SQL(
            "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE asked ({})"
        ).format(values)
        for _ in range(RUNS):
            (plan,) = conn.execute(run).fetchone()["QUERY PLAN"]
            top = plan["Plan"]
            found = Cost(
                plan["Execution Time"],
                top["Shared Hit Blocks"] + top["Shared Read Blocks"],
                top["Actual Rows"],
            )
            best = min(best or found, found)
        conn.execute("DEALLOCATE asked")
    assert best is not None
    return best


def main() -> int:
    """Fill a database of its own, ask for every list, and print what each costs. Return 1 on any
    fault.
    """
    from conftest import created, owner

    parser = argparse.ArgumentParser(description="Ask for lists of very many orders.")
    parser.add_argument("--orders", type=int, default=1_000_000)
    args = parser.parse_args()
    wrong = 0
    with owner() as server, created(server, "marketplace_order_lists") as url:
        migrations.migrate(url, lambda line: None)
        started = time.monotonic()
        write(url, args.orders)
        print(f"{args.orders} orders in {time.monotonic() - started:.0f} s")
        with fill.connected(url) as conn:
            for each in asked(conn):
                took = cost(conn, each)
                slow = took.ms > each.most
                wrong += slow
                print(
                    f"{each.what:45} {took.ms:8.3f} ms {took.buffers:6} buffers {took.rows:4} rows{'  TOO SLOW' * slow}"
                )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
