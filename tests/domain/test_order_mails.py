"""Mails about orders: who is told what, once, and what stands in it. Real rows, real triggers."""

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import Api
from psycopg.types.json import Jsonb
from support.hall import Hall
from support.trade import Trade, number

from marketplace.config.settings import ROOT
from marketplace.integrations import order_mails
from marketplace.integrations.letters import Place, money
from marketplace.postgres.database import Database
from marketplace.queries import events as queries
from marketplace.workflows import events, order_texts

#: The horizon that events are read below is the whole server's.
pytestmark = pytest.mark.alone
BANK = {"kind": "transfer", "accounts": [{"bank": "BCA", "number": "123", "holder": "PT Toko"}]}


class Desk:
    """A trade, and the worker's part of its mails."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.hall = Hall(api)
        self.trade = Trade(self.hall)
        self.config = replace(
            api.config,
            app_url="https://app.example",
            operator_email="ops@shop.example",
            country="SG",
        )
        self.worker = Database(
            api.config, url=api.owner_url, role="marketplace_worker", patient=True
        )
        self.forget()

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        return self.hall.conn.execute(query, values).fetchall()

    def forget(self) -> None:
        """What has happened so far is told, and its mails are gone."""
        events.tell(self.worker)
        self.jobs()

    def jobs(self) -> list[dict[str, Any]]:
        """Mails that wait, taken out of the queue."""
        return self.rows(
            "DELETE FROM jobs.procrastinate_jobs WHERE task_name = 'send_order_mail'"
            " RETURNING id, args, scheduled_at"
        )

    def told(self) -> list[str]:
        """Who is told what of all that has happened since: `party: kind`, in order; due ones only."""
        events.tell(self.worker)
        waiting = sorted(self.jobs(), key=lambda each: each["id"])
        return [
            f"{each['args']['party']}: {each['args']['kind']}"
            for each in waiting
            if not each["scheduled_at"]
        ]

    def letters(self) -> list[EmailMessage]:
        """The mails of all that has happened since."""
        events.tell(self.worker)
        sent: list[EmailMessage] = []
        for each in sorted(self.jobs(), key=lambda each: each["id"]):
            events.send(self.worker, self.config, sent.append, **each["args"])
        return sent


@pytest.fixture
def desk(committed: Api) -> Iterator[Desk]:
    made = Desk(committed)
    yield made
    made.hall.conn.close()
    made.worker.close()


def several(desk: Desk, *, stores: int = 2) -> tuple[int, list[int]]:
    """An unpaid checkout with an order for each store, placed in one transaction; their ids."""
    conn, buyer = desk.hall.conn, desk.trade.buyer
    sellers = [desk.hall.seller, *(desk.hall.user("seller") for _ in range(stores - 1))]
    with conn.transaction():
        checkout = desk.trade.one(
            "INSERT INTO checkouts (buyer_id, number, currency, total, method, units, pay_by, address)"
            " VALUES (%s, %s, 'IDR', %s, 'transfer', %s, '2026-12-01T16:30:00Z', '{}') RETURNING id",
            buyer, number(), 85000 * stores, stores,
        )  # fmt: skip
        made = conn.execute(
            "INSERT INTO orders (store_id, buyer_id, checkout_id, number, currency, items_total, total, units,"
            " delivery) SELECT s, %s, %s, upper(left(md5(s::text || random()), 8)), 'IDR', 85000, 85000, 1, '{}'"
            " FROM unnest(%s::bigint[]) AS s RETURNING id, store_id",
            [buyer, checkout, [each.store_id for each in sellers]],
        ).fetchall()
        for row in made:
            conn.execute(
                "INSERT INTO order_lines (store_id, buyer_id, order_id, product_id, name, options, price, quantity,"
                " total) VALUES (%s, %s, %s, 1, 'Kopi Gayo', '{Halus}', 85000, 1, 85000)",
                [row["store_id"], buyer, row["id"]],
            )
    return checkout, [row["id"] for row in made]


def pay_all(desk: Desk, checkout: int) -> None:
    """One payment pays all orders of a checkout, in one statement."""
    with desk.hall.conn.transaction():
        payment = desk.trade.one(
            "INSERT INTO payments (checkout_id, buyer_id, method, our_reference, amount, currency, state, received)"
            " SELECT id, buyer_id, method, number, total, currency, 'paid', total FROM checkouts WHERE id = %s"
            " RETURNING id", checkout,
        )  # fmt: skip
        desk.hall.conn.execute(
            "UPDATE orders SET payment_id = %s, paid = total, settled = true, ship_by = '2026-12-03T10:00:00Z'"
            " WHERE checkout_id = %s", [payment, checkout],
        )  # fmt: skip
        desk.hall.conn.execute("UPDATE checkouts SET state = 'settled' WHERE id = %s", [checkout])


# Who is told what
# ---------------------------------------------------------------------------------------------------


def test_what_is_placed_and_paid_at_once_is_one_mail_and_each_store_has_its_own(desk: Desk):
    checkout, _ = several(desk, stores=3)
    assert desk.told() == ["buyer: order_placed"]
    pay_all(desk, checkout)
    assert sorted(desk.told()) == ["buyer: order_paid", *["seller: order_new"] * 3]
    assert desk.told() == [], "each event once"


def test_the_life_of_an_order_is_told_to_buyer_and_seller(desk: Desk):
    sale = desk.trade.place()
    assert desk.told() == ["buyer: order_placed"]
    desk.trade.pay(sale)
    assert desk.told() == ["buyer: order_paid", "seller: order_new"]
    desk.trade.ship(sale)
    assert desk.told() == ["buyer: order_shipped"]
    desk.trade.deliver(sale)
    assert desk.told() == ["buyer: order_delivered"]
    desk.trade.complete(sale)
    assert desk.told() == [], "nobody is told that it is completed"


def test_cash_at_the_door_is_no_mail_about_a_payment(desk: Desk):
    sale = desk.trade.place(method="cod")
    assert desk.told() == ["buyer: order_placed", "seller: order_new"]
    desk.trade.ship(sale)
    desk.trade.deliver(sale)
    assert desk.told() == ["buyer: order_shipped", "buyer: order_delivered"]


def test_what_was_unpaid_is_cancelled_in_one_mail_and_no_store_hears_of_it(desk: Desk):
    checkout, _ = several(desk)
    desk.told()
    desk.hall.conn.execute(
        "UPDATE orders SET state = 'cancelled', cancelled_total = total, units_cancelled = units,"
        " cancel_reason = 'unpaid' WHERE checkout_id = %s", [checkout],
    )  # fmt: skip
    assert desk.told() == ["buyer: order_cancelled"]


def test_what_a_store_knew_of_is_cancelled_for_both(desk: Desk):
    checkout, _ = several(desk)
    pay_all(desk, checkout)
    desk.told()
    desk.hall.conn.execute(
        "UPDATE orders SET state = 'cancelled', cancelled_total = total, units_cancelled = units,"
        " cancel_reason = 'out_of_stock' WHERE checkout_id = %s", [checkout],
    )  # fmt: skip
    assert sorted(desk.told()) == [
        *["buyer: order_cancelled"] * 2,
        *["seller: order_cancelled_seller"] * 2,
    ]


def test_a_return_is_told_to_the_seller_and_its_end_to_the_buyer(desk: Desk):
    sale = desk.trade.place()
    for step in (desk.trade.pay, desk.trade.ship, desk.trade.deliver, desk.trade.open_return):
        step(sale)
    assert desk.told()[-1] == "seller: request_opened"
    desk.trade.do("UPDATE orders SET open_request = NULL WHERE id = %s", sale.order)
    assert desk.told() == ["buyer: request_closed"]


def test_steps_of_a_return_are_told_to_who_has_to_do_something(desk: Desk):
    sale = desk.trade.place()
    for step in (desk.trade.pay, desk.trade.ship, desk.trade.deliver, desk.trade.open_return):
        step(sale)
    desk.told()
    change = "UPDATE order_requests SET state = %s, deadline_at = '2026-12-01T16:30:00Z' WHERE order_id = %s"
    texts = []
    for state in ("approved", "sent_back"):
        desk.trade.do(change, state, sale.order)
        (message,) = desk.letters()
        texts.append(message.get_content())
    assert "Send the goods back" in texts[0]
    assert "After 2 December 2026, 00:30 SGT" in texts[0]
    assert "sent the goods back" in texts[1]
    assert texts[1].replace("\r", "").count("  1 × Kopi Gayo\n") == 1  # of two
    desk.trade.do("UPDATE order_requests SET disputed = true WHERE order_id = %s", sale.order)
    desk.trade.do("UPDATE orders SET open_request = 'dispute' WHERE id = %s", sale.order)
    subjects = [message["Subject"].split(":")[0].split(" about")[0] for message in desk.letters()]
    assert subjects == ["A dispute", "A dispute needs you"]


def test_pieces_that_were_cancelled_are_in_no_mail_about_the_others(desk: Desk):
    sale = desk.trade.place(pieces=3)
    desk.trade.pay(sale)
    desk.trade.refund_one(sale)
    sent: list[EmailMessage] = []
    about = {"order_id": sale.order, "event_id": 1, "data": {}}
    events.send(desk.worker, desk.config, sent.append, kind="order_new", party="seller", **about)
    assert "  2 × Kopi Gayo  Rp170,000" in sent[0].get_content()


def test_a_store_is_reminded_of_money_that_it_has_to_give_back(desk: Desk):
    sale = desk.trade.place(method="cod")
    desk.told()
    desk.trade.do(
        "INSERT INTO refunds (buyer_id, store_id, order_id, amount, currency, reason, way)"
        " SELECT buyer_id, store_id, id, 500, 'IDR', 'lines', 'store' FROM orders WHERE id = %s", sale.order,
    )  # fmt: skip
    events.tell(desk.worker)
    waiting = sorted(desk.jobs(), key=lambda each: each["id"])
    kinds = [(each["args"]["party"], each["args"]["kind"]) for each in waiting]
    assert kinds == [("seller", "refund_due_store")] * 4
    sent: list[EmailMessage] = []
    events.send(desk.worker, desk.config, sent.append, **waiting[0]["args"])
    assert "Rp500 that belongs to the buyer" in sent[0].get_content()
    desk.trade.do("UPDATE refunds SET state = 'done'")
    events.send(desk.worker, desk.config, sent.append, **waiting[-1]["args"])
    assert len(sent) == 1


def test_money_that_waits_for_an_account_is_reminded_of_where_it_is_worth_it(desk: Desk):
    sale = desk.trade.place()
    desk.trade.pay(sale)
    desk.told()
    for amount, days in ((10_000, [1, 3, 7]), (9_999, [])):
        desk.trade.do(
            "INSERT INTO refunds (buyer_id, store_id, order_id, payment_id, amount, currency, reason, way, state)"
            " SELECT buyer_id, store_id, id, payment_id, %s, 'IDR', 'lines', 'bank', 'needs_bank' FROM orders WHERE id = %s",
            amount, sale.order,
        )  # fmt: skip
        events.tell(desk.worker)
        waiting = sorted(desk.jobs(), key=lambda each: each["id"])
        assert [each["args"]["kind"] for each in waiting] == ["refund_needs_bank"] * (len(days) + 1)
        now = desk.trade.one("SELECT now()")
        due = [round((each["scheduled_at"] - now).total_seconds() / 86_400) for each in waiting[1:]]
        assert due == days
        sent: list[EmailMessage] = []
        events.send(desk.worker, desk.config, sent.append, **waiting[0]["args"])
        assert len(sent) == 1
        desk.trade.do(
            "UPDATE refunds SET state = 'due' WHERE id = %s", waiting[0]["args"]["data"]["refund"]
        )
        events.send(desk.worker, desk.config, sent.append, **waiting[-1]["args"])
        assert len(sent) == 1, "the account was given: nobody is reminded"


def test_the_operator_is_told_of_problems_where_there_is_an_address(desk: Desk):
    sale = desk.trade.place()
    payment = desk.trade.pay(sale)
    desk.told()
    desk.trade.do("UPDATE payments SET problem = 'twice' WHERE id = %s", payment)
    (message,) = desk.letters()
    named = desk.trade.one("SELECT number FROM orders WHERE id = %s", sale.order)
    assert message["To"] == "ops@shop.example"
    assert message["Subject"] == f"A payment needs you: order {named}"
    assert "twice" in message.get_content()
    desk.config = replace(desk.config, operator_email="")
    desk.trade.do("UPDATE payments SET reversed = 'charged_back' WHERE id = %s", payment)
    assert desk.letters() == []


def test_events_of_a_payment_are_told_by_the_first_order_of_its_checkout(desk: Desk):
    checkout, _ = several(desk)
    desk.told()
    payment = desk.trade.one(
        "INSERT INTO payments (checkout_id, buyer_id, method, our_reference, amount, currency, state)"
        " SELECT id, buyer_id, method, number, total, currency, 'checking' FROM checkouts WHERE id = %s RETURNING id",
        checkout,
    )
    desk.trade.do(
        "UPDATE payments SET state = 'open', refusal = 'unreadable' WHERE id = %s", payment
    )
    (message,) = desk.letters()
    number = desk.trade.one("SELECT number FROM checkouts WHERE id = %s", checkout)
    assert message["Subject"] == f"Your proof was not accepted: order {number}"
    assert "the image cannot be read" in message.get_content()


def test_who_is_suspended_or_gone_gets_none(desk: Desk):
    sale = desk.trade.place()
    desk.hall.conn.execute("UPDATE users SET suspended_at = now() WHERE id = %s", [sale.buyer])
    desk.trade.pay(sale)
    seller = desk.hall.seller.email
    assert [message["To"] for message in desk.letters()] == [seller]


# What stands in it
# ---------------------------------------------------------------------------------------------------


def test_a_placed_order_says_what_to_pay_until_when_and_where(desk: Desk):
    checkout, orders = several(desk)
    desk.trade.do(
        "INSERT INTO payments (checkout_id, buyer_id, method, our_reference, amount, currency, state, instructions)"
        " SELECT id, buyer_id, method, number, total, currency, 'open', %s FROM checkouts WHERE id = %s",
        Jsonb(BANK), checkout,
    )  # fmt: skip
    (message,) = desk.letters()
    text = message.get_content().replace("\r", "")
    assert "Please pay Rp170,000 by 2 December 2026, 00:30 SGT, or it is cancelled." in text
    assert "Transfer Rp170,000, then send the proof in the app:\n    BCA · 123 · PT Toko\n" in text
    assert "Toko Sari · " in text
    assert "  1 × Kopi Gayo (Halus)  Rp85,000\n" in text
    assert f"https://app.example/orders/{min(orders)}\n" in text
    assert message["Message-ID"].startswith("<event-")
    assert message["Auto-Submitted"] == "auto-generated"


def test_in_indonesia_mails_are_in_indonesian(desk: Desk):
    desk.config = replace(desk.config, country="ID")
    sale = desk.trade.place()
    desk.trade.pay(sale)
    placed, paid, new = desk.letters()
    assert placed["Subject"].startswith("Pesanan Anda ")
    assert paid.get_content().startswith("Halo,")
    assert "senilai Rp170.000 sudah masuk." in paid.get_content()
    assert new["Subject"].startswith("Pesanan baru ")
    assert "Mohon kirim sebelum " in new.get_content()
    assert " WIB" in new.get_content()


def test_a_parcel_is_named_by_its_number(desk: Desk):
    sale = desk.trade.place()
    desk.trade.pay(sale)
    desk.forget()
    desk.trade.ship(sale)
    (message,) = desk.letters()
    tracking = desk.trade.one(
        "SELECT tracking_number FROM shipments WHERE order_id = %s", sale.order
    )
    assert f"    jne · {tracking}\n" in message.get_content().replace("\r", "")


def test_the_mail_of_a_parcel_has_its_pieces(desk: Desk):
    sale = desk.trade.place(pieces=3)
    desk.trade.pay(sale)
    desk.forget()
    parcels = [desk.trade.ship(sale, sent) for sent in (1, 2)]
    first, second = (message.get_content().replace("\r", "") for message in desk.letters())
    assert "a part of your order" in first
    assert "  1 × Kopi Gayo\n" in first
    assert "  2 × Kopi Gayo\n" in second
    assert "3 ×" not in first + second
    numbers = desk.rows(
        "SELECT tracking_number AS it FROM shipments WHERE order_id = %s ORDER BY id", sale.order
    )
    assert [row["it"] in text for row in numbers for text in (first, second)] == [
        *(True, False),
        *(False, True),
    ]
    for parcel, arrived in ((parcels[1], 2), (parcels[0], 1)):  # the second is the first to arrive
        desk.trade.do(
            "UPDATE shipments SET state = 'delivered', delivered_at = now() WHERE id = %s", parcel
        )
        for change in (
            "UPDATE order_lines SET delivered = delivered + %s WHERE order_id = %s",
            "UPDATE orders SET units_delivered = units_delivered + %s WHERE id = %s",
        ):
            desk.trade.do(change, arrived, sale.order)
    arrivals = [message.get_content().replace("\r", "") for message in desk.letters()]
    assert ["2 × Kopi Gayo\n" in text for text in arrivals] == [True, False]
    assert all("A part of your order has arrived" in text for text in arrivals)
    whole = desk.trade.place(pieces=3)
    desk.trade.pay(whole)
    desk.trade.refund_one(whole)
    desk.forget()
    desk.trade.ship(whole, 2)  # all that stayed
    (message,) = desk.letters()
    assert "has sent your order." in message.get_content()


def test_no_mail_has_an_address_a_phone_or_the_name_of_a_buyer(desk: Desk):
    sale = desk.trade.place()
    for step in (desk.trade.pay, desk.trade.ship, desk.trade.deliver, desk.trade.open_return):
        step(sale)
    letters = desk.letters()
    assert len(letters) == 6
    for message in letters:
        for word in ("Siti", "Aminah", "628120001", "Veteran", "Serang", "pecah"):
            assert word not in message.as_string()


def test_what_a_seller_typed_is_one_short_line(desk: Desk):
    sale = desk.trade.place()
    desk.trade.do(
        "UPDATE order_lines SET name = %s WHERE order_id = %s",
        "Kopi\nSubject: x\n" + "y" * 300,
        sale.order,
    )
    (message,) = desk.letters()
    (line,) = [each for each in message.get_content().splitlines() if "Kopi" in each]
    assert "Subject: x" in line
    assert len(line) < 110


def test_a_mail_that_facts_have_overtaken_is_not_sent(desk: Desk):
    checkout, _ = several(desk)
    desk.hall.conn.execute("UPDATE checkouts SET state = 'cancelled' WHERE id = %s", [checkout])
    assert desk.letters() == []


def test_every_event_has_its_mail_or_none_on_purpose():
    """Each type that the triggers write, held against what is told of it."""
    data = {"amount": "20000", "kind": "return", "was": "new"}
    event = {
        "order_id": 1,
        "first": True,
        "cod": False,
        "actor": "buyer",
        "state": "placed",
        "way": "store",
        "data": data,
    }
    kinds = {
        kind: [f"{each.party}: {each.kind}" for each in events.mails_of({**event, "type": kind})]
        for kind in TYPES
    }
    about = {**event, "type": "request.opened", "data": {**data, "kind": "dispute"}}
    kinds["a dispute"] = [f"{each.party}: {each.kind}" for each in events.mails_of(about)]
    assert {kind for kind, mails in kinds.items() if not mails} == {
        "order.accepted", "order.undelivered", "order.lines_cancelled", "order.completed", "order.refunded",
        "payment.open", "payment.checking", "payment.paid", "payment.failed", "payment.expired", "payment.cancelled",
        "refund.sent",
    }  # fmt: skip
    written = {each.split(": ")[1] for mails in kinds.values() for each in mails}
    assert written == set(order_mails.KINDS), "no mail without an event"


TYPES = (
    "order.placed", "order.new", "order.paid", "order.accepted", "order.shipped", "order.delivered", "order.undelivered",
    "order.lines_cancelled", "order.completed", "order.cancelled", "order.refunded", "request.opened", "request.closed",
    "request.approved", "request.sent_back",
    "payment.open", "payment.checking", "payment.refused", "payment.paid", "payment.failed", "payment.expired",
    "payment.cancelled", "payment.problem", "refund.due", "refund.needs_bank", "refund.sent", "refund.done",
    "refund.given_up",
)  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "currency", "language", "written"),
    [
        ("162000.00", "IDR", "id", "Rp162.000"), ("162000.00", "IDR", "en", "Rp162,000"),
        ("162000.50", "IDR", "id", "Rp162.000,50"), ("0", "IDR", "id", "Rp0"),
        ("1234567.8", "USD", "en", "USD 1,234,567.80"), ("500", "JPY", "en", "JPY 500"),
    ],
)  # fmt: skip
def test_amounts_are_as_people_write_them(amount: str, currency: str, language: str, written: str):
    assert money(amount, currency, Place("ID", language)) == written


# Once, whoever is killed
# ---------------------------------------------------------------------------------------------------

READER = """
import sys
from pathlib import Path
from marketplace.config import settings
from marketplace.postgres.database import Database
from marketplace.queries import events as queries
from marketplace.workflows import events, order_texts
db = Database.of_worker(settings.load())
events.BATCH = 7
while True:
    events.tell(db)
"""


@pytest.mark.long
def test_readers_killed_at_random_lose_no_mail_and_send_none_twice(desk: Desk, tmp_path: Path):
    """Sixteen writers that commit late, three readers of which one is always being killed."""
    sale = desk.trade.place()
    desk.forget()
    total, writers = 960, 16
    env = {**os.environ, "DATABASE_URL": desk.api.owner_url, "DATA_DIR": str(tmp_path)}
    done = threading.Event()

    def write(which: int) -> None:
        chance = random.Random(which)
        with psycopg.connect(desk.api.owner_url) as conn:
            for place in range(total // writers):
                conn.execute(
                    "INSERT INTO events (type, actor, order_id, checkout_id, data)"
                    " VALUES ('order.shipped', 'seller', %s, %s, %s)",
                    [sale.order, sale.checkout, Jsonb({"n": which * 1000 + place})],
                )
                if chance.random() < 0.2:
                    time.sleep(chance.random() * 0.2)  # others commit meanwhile
                conn.commit()

    def read() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", READER], cwd=ROOT, env=env)

    threads = [threading.Thread(target=write, args=(which,)) for which in range(writers)]
    for thread in threads:
        thread.start()
    readers = [read() for _ in range(3)]
    chance, killed = random.Random(7), 0
    deadline = time.monotonic() + 90
    told = "SELECT count(*) FROM jobs.procrastinate_jobs WHERE task_name = 'send_order_mail'"
    try:
        while time.monotonic() < deadline and not done.is_set():
            time.sleep(chance.random() * 0.8 + 0.4)
            victim = chance.randrange(3)
            readers[victim].kill()
            readers[victim].wait()
            killed += 1
            readers[victim] = read()
            if not any(thread.is_alive() for thread in threads) and desk.trade.one(told) >= total:
                done.set()
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()
        for thread in threads:
            thread.join()
    events.tell(desk.worker)
    seen = sorted(each["args"]["data"]["n"] for each in desk.jobs())
    assert seen == sorted(
        which * 1000 + place for which in range(writers) for place in range(total // writers)
    )
    assert killed >= 3


def test_a_reader_that_fails_in_the_middle_tells_nothing_and_forgets_nothing(desk: Desk):
    desk.trade.place()
    seen: list[str] = []

    def fail() -> None:
        with desk.worker.working() as conn:
            seen.extend(each["type"] for each in queries.next(conn, "mail", 500))
            conn.execute("SELECT 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        fail()
    assert seen == ["order.placed"]
    assert desk.told() == ["buyer: order_placed"]


def test_place_wakes_the_reader_and_twice_is_one_job(desk: Desk):
    waiting = (
        "SELECT count(*) FROM jobs.procrastinate_jobs WHERE task_name = 'tell' AND status = 'todo'"
    )
    for _ in range(2):
        with desk.worker.working() as conn:
            events.wake(conn)
    assert desk.trade.one(waiting) == 1


def test_a_letter_takes_no_transaction_with_it(desk: Desk):
    """While a mail server is silent nothing is open in the database."""
    sale = desk.trade.place()
    events.tell(desk.worker)
    (job,) = desk.jobs()
    seen: list[int] = []

    def deliver(message: EmailMessage) -> None:
        seen.append(desk.trade.one(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        ))  # fmt: skip

    events.send(desk.worker, desk.config, deliver, **job["args"])
    assert (seen, sale.order) == ([0], job["args"]["order_id"])


def test_each_reason_that_a_page_offers_has_words_in_mails():
    assert set(order_texts.REASONS) <= set(order_mails.REASONS)
