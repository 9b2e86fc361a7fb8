"""Being forgotten with orders: what refuses it, what goes, what stays; and one's orders as a file."""

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from conftest import PASSWORD, Api, User
from support.hall import Hall
from support.responses import problem
from support.trade import Trade

from marketplace.config.settings import ROOT
from marketplace.files.stores import of_private
from marketplace.postgres.database import Database
from marketplace.workflows import upkeep, users

MARK = "Zyzzyva"
#: Columns of private tables that hold no person's data: codes, states, names of things of the catalogue and of ours.
WITHOUT_PERSONS = {
    "activities": "type related_type",
    "addresses": "country",
    "audit": "role action type request_id",
    "checkouts": "number currency method channel state",
    "commission_rules": "note",
    "event_cursors": "name origin",
    "events": "type actor data",
    "gauges": "name label",
    "holidays": "country name",
    "idempotency_keys": "key fingerprint version",
    "import_errors": "code",
    "import_changes": "outcome",
    "imports": "variants state file_key error_code request_id mode on_match dialect decimal_sign fields",
    "invoice_counters": "kind",
    "invoices": "kind",
    "ledger_accounts": "kind provider",
    "ledger_entries": "kind source note",
    "order_lines": "name option_names options sku image_url image_digest placeholder",
    "order_requests": "kind state bearer reason",
    "orders": "number state cod_collector currency delivery cancel_reason cancelled_by cancel_asked_reason open_request"
    " payment_status fulfilment_status stage",
    "payments": "method channel reference our_reference currency state problem reversed return_url error refusal",
    "provider_callbacks": "provider key outcome",
    "reconciliations": "provider differences",
    "refunds": "currency reason bearer way state reference error",
    "shipments": "courier service state outcome",
    "stock_movements": "kind",
    "store_settings": "cod_collector",
    "uploads": "purpose",
    "users": "role",
    "vouchers": "code name gives product_ids category_ids",
}
COLUMNS = """
    SELECT c.relname || '.' || a.attname
    FROM pg_class AS c
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type AS t ON t.oid = a.atttypid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND c.relrowsecurity
        AND (t.typname IN ('text', 'varchar', 'json', 'jsonb', 'bytea') OR t.typcategory = 'A')
"""


def listed() -> list[str]:
    """The columns of the list in docs/operations.md."""
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    chapter = re.search(r"^## Personal data$(.*?)^## ", text, re.M | re.S)
    assert chapter is not None
    rows = re.findall(r"^\| (`[^|]+) \|", chapter[1], re.M)
    return [name for row in rows for name in re.findall(r"`([a-z_.0-9]+)`", row)]


def test_every_column_that_could_name_a_person_is_known(shared_database: str):
    with psycopg.connect(shared_database) as conn:
        there = {name for (name,) in conn.execute(COLUMNS)}
    without = {
        f"{table}.{name}" for table, names in WITHOUT_PERSONS.items() for name in names.split()
    }
    named = listed()
    assert len(named) == len(set(named)), "a column stands twice"
    assert not set(named) & without, "in the list of docs/operations.md, and declared to have none"
    assert set(named) | without == there, (
        "docs/operations.md, Personal data: one name for each column"
    )


@pytest.fixture
def hall(committed: Api) -> Iterator[Hall]:
    made = Hall(committed)
    yield made
    made.conn.close()


class Leaving:
    """A buyer with a password who trades with a seller, and the worker's part."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall
        self.buyer = hall.user("buyer")
        self.trade = Trade(hall)
        self.trade.buyer = self.buyer.id
        self.private = of_private(hall.api.config)

    def leave(self, user: User) -> Any:
        body = {"current_password": PASSWORD}
        return self.hall.api.delete("/api/users/profile", user, json=body)

    def refused(self, user: User, *numbers: str) -> None:
        found = problem(self.leave(user), 409, "has_open_orders")
        assert found["orders"] == sorted(numbers)
        assert self.hall.api.get("/api/users/profile", user).status_code == 200

    def number(self, order: int) -> str:
        return str(self.trade.one("SELECT number FROM orders WHERE id = %s", order))

    def forget(self, user: User) -> None:
        config = self.hall.api.config
        worker = Database(
            config, url=self.hall.api.owner_url, role="marketplace_worker", patient=True
        )
        for _ in range(2):  # twice does no harm
            users.forget(worker, user.id, user.store_id, config.currency, private=self.private)
        worker.close()

    def broken(self) -> list[Any]:
        return self.hall.conn.execute("SELECT * FROM broken_invariants()").fetchall()


@pytest.fixture
def leaving(hall: Hall) -> Leaving:
    return Leaving(hall)


def test_neither_buyer_nor_seller_leaves_before_an_order_has_ended(leaving: Leaving):
    trade, seller = leaving.trade, leaving.hall.seller
    sale = trade.place()
    number = leaving.number(sale.order)
    for step in (trade.pay, trade.ship, trade.deliver, None):
        leaving.refused(leaving.buyer, number)
        leaving.refused(seller, number)
        if step is not None:
            step(sale)
    trade.complete(sale)
    assert leaving.leave(leaving.buyer).status_code == 204
    leaving.refused(seller)  # the balance is not 0: the platform owes it
    owed = trade.one("SELECT balance FROM store_balances WHERE store_id = %s", seller.store_id)
    trade.post("adjustment", "payout", None, [("payable", owed, seller.store_id), ("bank", -owed)])
    assert leaving.leave(seller).status_code == 204
    assert leaving.broken() == []


def test_money_and_returns_that_are_open_keep_both(leaving: Leaving):
    trade = leaving.trade
    sale = trade.place()
    trade.pay(sale)
    trade.refund_one(sale)
    trade.do("UPDATE order_lines SET cancelled = quantity WHERE id = %s", sale.line)
    leaving.refused(leaving.buyer, leaving.number(sale.order))
    back = trade.place()
    for step in (trade.pay, trade.ship, trade.deliver, trade.complete, trade.open_return):
        step(back)
    numbers = [leaving.number(sale.order), leaving.number(back.order)]
    leaving.refused(leaving.buyer, *numbers)


def test_ten_numbers_are_told_at_most(leaving: Leaving):
    for _ in range(12):
        leaving.trade.place()
    found = problem(leaving.leave(leaving.buyer), 409, "has_open_orders")
    assert len(found["orders"]) == 10


def test_the_database_itself_refuses(leaving: Leaving):
    """Without the question before: whoever calls the function is refused too."""
    leaving.trade.place()
    conn = leaving.hall.conn
    secret = leaving.trade.one(
        "INSERT INTO auth.sessions (user_id, secret_hash, expires_at)"
        " VALUES (%s, sha256('x'), now() + interval '1 hour') RETURNING encode(secret_hash, 'hex')",
        leaving.buyer.id,
    )
    conn.execute("SELECT set_config('app.session', %s, false)", [secret])
    with pytest.raises(psycopg.errors.CheckViolation) as error:
        conn.execute(
            "SELECT auth.forget_me((SELECT password_hash FROM auth.credentials WHERE user_id = %s))",
            [leaving.buyer.id],
        )
    assert error.value.diag.constraint_name == "users_open_orders"
    conn.execute("SELECT set_config('app.session', '', false)")


def test_a_refund_that_waits_for_an_account_is_given_up_with_the_account(leaving: Leaving):
    trade = leaving.trade
    sale = trade.place(rate=0)
    trade.pay(sale)
    refund = trade.refund_one(sale)
    trade.do("UPDATE refunds SET state = 'needs_bank' WHERE id = %s", refund)
    for step in (_ship_rest(trade), trade.deliver, trade.complete):
        step(sale)
    assert leaving.leave(leaving.buyer).status_code == 204
    row = leaving.hall.conn.execute("SELECT * FROM refunds WHERE id = %s", [refund]).fetchone()
    assert (row["state"], row["bank"]) == ("given_up", {"bank": "BCA", "number": "***7890"})
    assert leaving.broken() == []


def _ship_rest(trade: Trade) -> Any:
    """Send what is not cancelled: one of two pieces."""

    def ship(sale: Any) -> None:
        trade.do("UPDATE orders SET state = 'accepted' WHERE id = %s", sale.order)
        parcel = trade.one(
            "INSERT INTO shipments (store_id, buyer_id, order_id) VALUES (%s, %s, %s) RETURNING id",
            sale.store, sale.buyer, sale.order,
        )  # fmt: skip
        trade.do("INSERT INTO shipment_lines VALUES (%s, %s, %s, 1)", sale.order, parcel, sale.line)
        trade.do("UPDATE order_lines SET shipped = 1 WHERE id = %s", sale.line)
        trade.do(
            "UPDATE orders SET units_shipped = 1, deliver_by = now() + interval '1 day' WHERE id = %s",
            sale.order,
        )
        trade.conn.execute(
            "SELECT ship_stock(%s, ARRAY[%s]::bigint[], ARRAY[0]::bigint[], ARRAY[1])",
            [sale.order, sale.product],
        )

    return ship


def mark(leaving: Leaving, sale: Any) -> str:
    """Words of the buyer wherever there is room for them; the key of an image of theirs."""
    trade, conn = leaving.trade, leaving.hall.conn
    key = f"uploads/{MARK.lower()}-large.webp"
    for size in (key, key.replace("-large.", "-thumb.")):
        leaving.private.put(size, b"an image")
    upload = trade.one(
        "INSERT INTO uploads (user_id, purpose, key, bytes, used) VALUES (%s, 'proof', %s, 8, true) RETURNING id",
        sale.buyer, key,
    )  # fmt: skip
    conn.execute(
        "UPDATE checkouts SET address = address || jsonb_build_object('recipient', %s::text, 'line1', %s::text) WHERE id = %s",
        [MARK, MARK, sale.checkout],
    )
    conn.execute("UPDATE orders SET note = %s WHERE id = %s", [f"for {MARK}", sale.order])
    conn.execute(
        "UPDATE payments SET proof = jsonb_build_object('upload', %s::text, 'holder', %s::text), proof_at = now()"
        " WHERE checkout_id = %s", [str(upload), MARK, sale.checkout],
    )  # fmt: skip
    conn.execute(
        "INSERT INTO order_requests (store_id, buyer_id, order_id, state, reason, message, reply, amount, images)"
        " VALUES (%s, %s, %s, 'withdrawn', 'damaged', %s, %s, 1, ARRAY[%s])",
        [sale.store, sale.buyer, sale.order, MARK, f"Dear {MARK}", str(upload)],
    )
    return key


def everywhere(conn: Any, word: str) -> list[str]:
    """Tables of ours in which a word stands."""
    tables = conn.execute(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ('public', 'auth')"
    ).fetchall()
    found = []
    for each in tables:
        query = f"SELECT 1 FROM {each['name']} AS t WHERE t::text ILIKE %s LIMIT 1"  # noqa: S608 - names of tables
        if conn.execute(query, [f"%{word}%"]).fetchone():
            found.append(each["name"])
    return found


def test_a_buyer_who_has_gone_leaves_sums_and_no_words(leaving: Leaving):
    trade, conn = leaving.trade, leaving.hall.conn
    sale = trade.place()
    for step in (trade.pay, trade.ship, trade.deliver, trade.complete):
        step(sale)
    key = mark(leaving, sale)
    body = {
        "recipient": MARK, "phone": "+6281200099", "country": "ID", "area_code": None, "province": "Banten",
        "city": "Serang", "postcode": "42111", "line1": f"Jl. {MARK} 5",
    }  # fmt: skip
    leaving.hall.api.post("/api/addresses", leaving.buyer, json=body)
    assert everywhere(conn, MARK)
    assert leaving.leave(leaving.buyer).status_code == 204
    leaving.forget(leaving.buyer)
    assert everywhere(conn, MARK) == []
    assert everywhere(conn, "628120001") == []
    kept = [stored.key for stored in leaving.private.keys("uploads/")]
    assert key not in kept
    assert kept == []
    row = conn.execute(
        "SELECT address, total FROM checkouts WHERE id = %s", [sale.checkout]
    ).fetchone()
    assert row == {
        "address": {"recipient": "–", "city": "Serang", "country": "ID"},
        "total": sale.total,
    }
    assert trade.one("SELECT count(*) FROM order_lines WHERE order_id = %s", sale.order) == 1
    assert leaving.broken() == []


def test_a_store_that_has_gone_leaves_no_replies_and_the_buyers_words_stay(leaving: Leaving):
    trade, seller, conn = leaving.trade, leaving.hall.seller, leaving.hall.conn
    sale = trade.place(method="none")
    for step in (trade.ship, trade.deliver, trade.complete):
        step(sale)
    mark(leaving, sale)
    owed = trade.one("SELECT balance FROM store_balances WHERE store_id = %s", seller.store_id)
    trade.post("adjustment", "payout", None, [("payable", owed, seller.store_id), ("bank", -owed)])
    assert leaving.leave(seller).status_code == 204
    leaving.forget(seller)
    row = conn.execute(
        "SELECT message, reply FROM order_requests WHERE order_id = %s", [sale.order]
    ).fetchone()
    assert row == {"message": MARK, "reply": None}


def test_of_somebody_who_is_still_there_nothing_is_forgotten(leaving: Leaving):
    trade = leaving.trade
    sale = trade.place()
    mark(leaving, sale)
    leaving.forget(leaving.buyer)
    found = everywhere(leaving.hall.conn, MARK)
    assert {"public.checkouts", "public.orders", "public.order_requests", "public.uploads"} <= set(
        found
    )


def test_parcels_and_proofs_of_what_ended_half_a_year_ago_lead_nowhere(leaving: Leaving):
    trade, conn, config = leaving.trade, leaving.hall.conn, leaving.hall.api.config
    old, new, late = (trade.place() for _ in range(3))
    for sale in (old, new, late):
        trade.pay(sale)
        trade.ship(sale)
    for sale in (old, new):
        trade.deliver(sale)
        trade.complete(sale)
    keys = {}
    for name, sale in (("old", old), ("new", new)):
        keys[name] = f"uploads/{name}-large.webp"
        for size in (keys[name], keys[name].replace("-large.", "-thumb.")):
            leaving.private.put(size, b"an image")
        upload = trade.one(
            "INSERT INTO uploads (user_id, purpose, key, bytes, used, created_at)"
            " VALUES (%s, 'proof', %s, 8, true, now() - interval '200 days') RETURNING id", sale.buyer, keys[name],
        )  # fmt: skip
        conn.execute(
            "UPDATE payments SET proof = jsonb_build_object('upload', %s::text), proof_at = now() - interval '200 days'"
            " WHERE checkout_id = %s", [str(upload), sale.checkout],
        )  # fmt: skip
    conn.execute("UPDATE shipments SET shipped_at = now() - interval '200 days'")
    conn.execute(
        "UPDATE orders SET completed_at = now() - interval '181 days' WHERE id = %s", [old.order]
    )
    conn.execute(
        "UPDATE orders SET completed_at = now() - interval '179 days' WHERE id = %s", [new.order]
    )
    worker = Database(
        config, url=leaving.hall.api.owner_url, role="marketplace_worker", patient=True
    )
    upkeep.run(worker, leaving.private, leaving.private, config)
    worker.close()
    traced = conn.execute(
        "SELECT order_id FROM shipments WHERE tracking_number IS NOT NULL ORDER BY order_id"
    ).fetchall()
    assert [row["order_id"] for row in traced] == [new.order, late.order]
    proofs = conn.execute("SELECT checkout_id FROM payments WHERE proof <> '{}'").fetchall()
    assert [row["checkout_id"] for row in proofs] == [new.checkout]
    kept = {stored.key for stored in leaving.private.keys("uploads/")}
    assert kept == {keys["new"], keys["new"].replace("-large.", "-thumb.")}


def test_one_gets_ones_orders_payments_and_returns_and_nobody_elses(leaving: Leaving):
    trade = leaving.trade
    sale = trade.place()
    trade.pay(sale)
    mark(leaving, sale)
    other = leaving.hall.user("buyer")
    theirs = trade.place(buyer=other.id)
    kept = leaving.hall.api.get("/api/users/export", leaving.buyer).json
    (order,) = kept["orders"]
    assert (order["id"], order["total"], order["store"]) == (sale.order, "170000.00", "Toko Sari")
    assert order["address"]["recipient"] == MARK
    assert order["lines"][0]["quantity"] == 2
    assert order["returns"][0]["message"] == MARK
    (payment,) = kept["payments"]
    assert (payment["amount"], payment["state"]) == ("170000.00", "paid")
    assert kept["addresses"] == []
    found = leaving.hall.api.get("/api/users/export", other).json
    assert [order["id"] for order in found["orders"]] == [theirs.order]
    assert MARK not in str(found)
    seller = leaving.hall.api.get("/api/users/export", leaving.hall.seller).json
    assert seller["orders"] == [], "what was sold is the buyers'"
