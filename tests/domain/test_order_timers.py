"""Deadlines of orders: each moves its order once, by the worker, and only when it is due."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from conftest import Api, User
from psycopg.rows import dict_row
from support.buying import buyer, place, put, seller
from support.import_shop import Shop
from support.processes import until
from support.stock import broken

from marketplace.postgres.database import Database
from marketplace.workflows import due, invoices, order_timers


class Clocks:
    """Orders of one store, paid at the door or by transfer, and their deadlines."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.api = shop, shop.api
        self.seller, self.buyer, self.admin = seller(shop.api), buyer(shop.api), shop.api.admin()

    def order(self, method: str = "transfer", pieces: int = 2) -> int:
        """A new order; what is not cash is paid."""
        product = self.api.product(self.seller, stock=9)["id"]
        put(self.api, self.buyer, (product, pieces))
        placed = place(self.api, self.buyer, method)
        for payment in placed["payments"]:
            path = f"/api/payments/{payment['id']}/confirm"
            sent = {"received": payment["amount"]}
            headers = {"Idempotency-Key": f"paid-{payment['id']}"}
            answer = self.api.post(path, self.admin, json=sent, headers=headers)
            assert answer.status_code == 200, answer.text
        return int(placed["orders"][0]["id"])

    def send(self, user: User, order: int, verb: str, body: dict | None = None) -> dict:
        headers = {"Idempotency-Key": f"{verb}-{order}-{body}".replace(" ", "")[:200]}
        options = {} if body is None else {"json": body}
        answer = self.api.post(f"/api/orders/{order}/{verb}", user, headers=headers, **options)
        assert answer.status_code == 200, answer.text
        return answer.json

    def page(self, order: int) -> dict:
        return self.api.get(f"/api/orders/{order}", self.buyer).json

    def pass_(self, order: int, deadline: str) -> None:
        """Let a deadline of an order be over."""
        with psycopg.connect(self.api.owner_url) as conn:
            query = f"UPDATE orders SET {deadline} = now() - interval '1 second' WHERE id = %s"  # noqa: S608 - a name of ours
            assert conn.execute(query, [order]).rowcount == 1

    def run(self) -> int:
        moved = order_timers.run(self.shop.db)
        with psycopg.connect(self.api.owner_url, row_factory=dict_row) as conn:
            assert broken(conn, orders=True) == []
        return moved


@pytest.fixture
def clocks(committed: Api) -> Iterator[Clocks]:
    accounts = ({"bank": "BCA", "number": "123", "holder": "PT Toko"},)
    shop = Shop(
        committed, transfer_accounts=accounts, payment_methods=("cod", "transfer"), rate_limits={}
    )
    yield Clocks(shop)
    shop.db.close()


def test_nothing_is_moved_before_its_time(clocks: Clocks):
    clocks.order()
    clocks.send(clocks.seller, clocks.order(), "ship", {})
    assert clocks.run() == 0


def test_a_new_order_is_accepted_by_itself(clocks: Clocks):
    order = clocks.order()
    clocks.pass_(order, "accept_at")
    assert [clocks.run(), clocks.run()] == [1, 0]
    page = clocks.page(order)
    assert (page["stage"], page["timeline"][-1]["by"], page["cancel"]["how"]) == (
        "to_ship",
        "system",
        "ask",
    )


def test_what_is_not_sent_in_time_is_cancelled_and_paid_back(clocks: Clocks):
    whole, part = clocks.order(), clocks.order(pieces=3)
    line = clocks.page(part)["lines"][0]["id"]
    clocks.send(clocks.seller, part, "ship", {"lines": [{"line_id": line, "quantity": 1}]})
    for order in (whole, part):
        clocks.pass_(order, "ship_by")
    assert [clocks.run(), clocks.run()] == [2, 0]
    gone = clocks.page(whole)
    assert (gone["stage"], gone["cancel_reason"], gone["cancelled_by"]) == (
        "cancelled",
        "not_shipped",
        "system",
    )
    left = clocks.page(part)
    assert (left["stage"], left["lines"][0]["cancelled"]) == ("shipping", 2)


def test_48_hours_of_silence_are_a_yes(clocks: Clocks):
    asked, refused = clocks.order(), clocks.order()
    for order in (asked, refused):
        clocks.send(clocks.seller, order, "accept")
        clocks.send(clocks.buyer, order, "cancel", {"reason": "too_slow"})
        clocks.pass_(order, "cancel_by")
    clocks.send(clocks.seller, refused, "refuse-cancel")
    assert [clocks.run(), clocks.run()] == [1, 0]
    assert clocks.page(asked)["cancel_reason"] == "too_slow"
    assert clocks.page(refused)["stage"] == "to_ship"


def test_a_parcel_counts_as_arrived_and_then_the_order_is_completed(clocks: Clocks):
    order = clocks.order()
    clocks.send(clocks.seller, order, "ship", {})
    clocks.pass_(order, "deliver_by")
    assert [clocks.run(), clocks.run()] == [1, 0]
    page = clocks.page(order)
    assert (page["stage"], page["shipments"][0]["outcome"]) == ("delivered", "assumed")
    assert page["timeline"][-1]["text"] == "Counted as arrived"
    clocks.pass_(order, "complete_at")
    assert [clocks.run(), clocks.run()] == [1, 0]
    assert clocks.page(order)["stage"] == "completed"


def test_cash_at_the_door_never_counts_as_arrived(clocks: Clocks):
    order = clocks.order("cod")
    clocks.send(clocks.seller, order, "ship", {})
    clocks.pass_(order, "deliver_by")
    assert clocks.run() == 0
    assert clocks.page(order)["stage"] == "shipping"
    overdue = clocks.api.get("/api/orders?cod_overdue=true", clocks.admin).json["orders"]
    assert [card["id"] for card in overdue] == [order]


def test_a_store_that_is_suspended_gets_no_money(clocks: Clocks):
    sent, arrived = clocks.order(), clocks.order()
    for order in (sent, arrived):
        clocks.send(clocks.seller, order, "ship", {})
    parcel = clocks.page(arrived)["shipments"][0]["id"]
    clocks.send(clocks.seller, arrived, f"shipments/{parcel}/delivered")
    clocks.pass_(sent, "deliver_by")
    clocks.pass_(arrived, "complete_at")
    with psycopg.connect(clocks.api.owner_url) as conn:
        conn.execute(
            "UPDATE stores SET state = 'suspended', state_reason = 'x' WHERE id = %s",
            [clocks.seller.store_id],
        )
    assert clocks.run() == 0
    assert [clocks.page(order)["stage"] for order in (sent, arrived)] == ["shipping", "delivered"]


def test_one_that_fails_holds_up_nobody(clocks: Clocks, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(due, "MOST", 1)  # it is all that the first look takes
    first, second = clocks.order(), clocks.order()
    for order in (first, second):
        clocks.pass_(order, "accept_at")
    with psycopg.connect(clocks.api.owner_url) as conn:
        conn.execute(
            f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.id = {first} THEN RAISE"
            " 'no'; END IF; RETURN new; END $$"
        )  # fmt: skip
        conn.execute(
            "CREATE TRIGGER fail BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION fail()"
        )
    assert clocks.run() == 1
    assert [clocks.page(order)["stage"] for order in (first, second)] == ["new", "to_ship"]


def test_two_workers_move_each_order_once(clocks: Clocks):
    orders = [clocks.order() for _ in range(3)]
    for order in orders:
        clocks.pass_(order, "ship_by")
    other = Database.of_worker(replace(clocks.shop.config))
    try:
        assert order_timers.run(other) + order_timers.run(clocks.shop.db) == 3
    finally:
        other.close()
    for order in orders:
        types = [step["type"] for step in clocks.page(order)["timeline"]]
        assert types.count("order.cancelled") == 1


def test_invoices_are_numbered_without_a_gap_over_new_year(clocks: Clocks):
    orders = [clocks.order("cod", pieces=1) for _ in range(6)]
    for order in orders:
        clocks.send(clocks.seller, order, "ship", {})
        clocks.send(clocks.buyer, order, "confirm")
    with psycopg.connect(clocks.api.owner_url) as conn:
        for place, order in enumerate(orders):  # midnight of Jakarta
            query = (
                "UPDATE invoices_due SET due_at = '2026-12-31 17:00:00Z'::timestamptz"
                " + make_interval(secs => %s) WHERE order_id = %s"
            )
            conn.execute(query, [place - 3, order])
    workers = [Database.of_worker(replace(clocks.shop.config)) for _ in range(3)]
    with ThreadPoolExecutor(len(workers)) as pool:
        issued = list(pool.map(lambda db: invoices.run(db, "Asia/Jakarta"), workers))
    for db in workers:
        db.close()
    assert sum(issued) == 6
    assert clocks.run() == 0
    with psycopg.connect(clocks.api.owner_url) as conn:
        found = conn.execute(
            "SELECT year, array_agg(number ORDER BY number) FROM invoices GROUP BY year ORDER BY year"
        ).fetchall()
    assert found == [(2026, [1, 2, 3]), (2027, [1, 2, 3])]


def test_an_invoice_that_fails_gives_its_number_back(
    clocks: Clocks, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(due, "MOST", 1)
    first, second = (clocks.order("cod", pieces=1) for _ in range(2))
    for order in (first, second):
        clocks.send(clocks.seller, order, "ship", {})
        clocks.send(clocks.buyer, order, "confirm")
    with psycopg.connect(clocks.api.owner_url) as conn:
        conn.execute(
            f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.order_id = {first} THEN"
            " RAISE 'no'; END IF; RETURN new; END $$"
        )  # fmt: skip
        conn.execute(
            "CREATE TRIGGER fail BEFORE INSERT ON invoices FOR EACH ROW EXECUTE FUNCTION fail()"
        )
    assert invoices.run(clocks.shop.db, "Asia/Jakarta") == 1
    with psycopg.connect(clocks.api.owner_url) as conn:
        assert conn.execute("SELECT order_id, number FROM invoices").fetchall() == [(second, 1)]
        conn.execute("DROP TRIGGER fail ON invoices")
    assert invoices.run(clocks.shop.db, "Asia/Jakarta") == 1
    assert clocks.run() == 0


# Two at once --------------------------------------------------------------------------------------


def meanwhile(clocks: Clocks, order: int, *works: Any) -> list[Any]:
    """Hold the order until all of these wait for it, then let them go; what each returned."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock'"
    )
    with psycopg.connect(clocks.api.owner_url) as holds, ThreadPoolExecutor(len(works)) as pool:
        holds.execute(
            "SELECT FROM checkouts WHERE id = (SELECT checkout_id FROM orders WHERE id = %s) FOR UPDATE",
            [order],
        )
        holds.execute("SELECT FROM orders WHERE id = %s FOR UPDATE", [order])
        running = [pool.submit(work) for work in works]
        with psycopg.connect(clocks.api.owner_url, autocommit=True) as looks:
            assert until(lambda: looks.execute(waiting).fetchone()[0] == len(works), 2.5)
        holds.rollback()
        return [each.result() for each in running]


def test_of_two_that_read_the_same_version_one_moves_the_order(clocks: Clocks):
    order = clocks.order()
    tag = clocks.api.get(f"/api/orders/{order}", clocks.seller).headers["etag"]

    def act(user: User, verb: str, body: dict | None) -> int:
        options = {} if body is None else {"json": body}
        path = f"/api/orders/{order}/{verb}"
        return clocks.api.post(path, user, headers={"If-Match": tag}, **options).status_code

    told = meanwhile(
        clocks,
        order,
        lambda: act(clocks.seller, "accept", None),
        lambda: act(clocks.buyer, "cancel", {"reason": "too_slow"}),
    )
    assert sorted(told) == [200, 412]


def test_of_two_that_read_the_same_version_one_moves_the_return(clocks: Clocks):
    order = clocks.order()
    parcel = clocks.send(clocks.seller, order, "ship", {})["shipments"][0]["id"]
    clocks.send(clocks.seller, order, f"shipments/{parcel}/delivered")
    wanted = {"lines": [{"line_id": clocks.page(order)["lines"][0]["id"], "quantity": 1}]}
    path = f"/api/orders/{order}/returns"
    asked = clocks.api.post(
        path,
        clocks.buyer,
        json={**wanted, "reason": "damaged"},
        headers={"Idempotency-Key": "one-return"},
    )
    assert asked.status_code == 201, asked.text
    path = f"{path}/{asked.json['id']}"
    tag = clocks.api.get(path, clocks.seller).headers["etag"]

    def move(user: User, state: str) -> int:
        body = {"state": state, "message": "Begini"}
        return clocks.api.patch(path, user, json=body, headers={"If-Match": tag}).status_code

    told = meanwhile(
        clocks,
        order,
        lambda: move(clocks.seller, "approved"),
        lambda: move(clocks.buyer, "withdrawn"),
    )
    assert sorted(told) == [200, 412]


def test_two_mends_of_a_parcel_are_both_kept(clocks: Clocks):
    order = clocks.order()
    page = clocks.send(clocks.seller, order, "ship", {"courier": "jne"})
    path = f"/api/orders/{order}/shipments/{page['shipments'][0]['id']}"

    def mend(body: dict) -> int:
        return clocks.api.patch(path, clocks.seller, json=body).status_code

    told = meanwhile(
        clocks,
        order,
        lambda: mend({"service": "YES"}),
        lambda: mend({"tracking_number": "jx 9"}),
    )
    assert told == [200, 200]
    (parcel,) = clocks.page(order)["shipments"]
    kept = (parcel["courier"], parcel["service"], parcel["tracking_number"])
    assert kept == ("jne", "YES", "JX9")
