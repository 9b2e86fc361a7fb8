"""The verbs between cart and order: they write what follows from the tables, and refuse the rest by
name.
"""

import copy
from typing import Any

import pytest
from conftest import Api
from support.placing import ADDRESS, Market
from support.stock import broken, refused, stock

ORDER = "SELECT * FROM orders WHERE checkout_id = %s"
CHECKOUT = "SELECT * FROM checkouts WHERE id = %s"
PAYMENT = "SELECT * FROM payments WHERE checkout_id = %s ORDER BY id DESC LIMIT 1"


@pytest.fixture
def market(api: Api) -> Market:
    return Market(api)


def test_what_is_placed_is_held_and_waits_for_its_payment(market: Market):
    product = market.product(5)
    checkout = market.place(market.document((product, 2)))
    placed, order = market.row(CHECKOUT, checkout), market.row(ORDER, checkout)
    assert (placed["state"], placed["total"], placed["units"]) == ("unpaid", 179_000, 2)
    assert (order["stage"], order["number"]) == ("unpaid", f"{placed['number']}-1")
    assert stock(market.conn, product) == (3, 2)
    payment = market.row(PAYMENT, checkout)
    assert (payment["state"], payment["amount"], payment["expires_at"]) == (
        "open",
        179_000,
        placed["pay_by"],
    )
    assert broken(market.conn) == []


@pytest.mark.parametrize(("method", "stage"), [("cod", "new"), ("none", "new")])
def test_what_needs_no_payment_is_the_stores_at_once(market: Market, method: str, stage: str):
    product = market.product(5, price="0" if method == "none" else "85000")
    if method == "none":
        market.conn.execute("UPDATE delivery_options SET price = 0 WHERE id = %s", [market.option])
    document = market.document(
        (product, 1), method=method, delivery="0" if method == "none" else "9000"
    )
    if method == "none":
        document["lines"][0]["price"] = "0"
        document["orders"][0]["total"] = document["total"] = "0"
    checkout = market.place(document)
    order = market.row(ORDER, checkout)
    assert (order["stage"], order["settled"], order["cod"]) == (stage, True, method == "cod")
    assert order["ship_by"] is not None
    assert market.conn.execute(PAYMENT, [checkout]).fetchone() is None
    assert broken(market.conn) == []


FAULTS: dict[str, tuple[list[Any], Any, str]] = {
    "price": (["lines", 0, "price"], "84999", "checkouts_prices"),
    "pieces": (["lines", 0, "quantity"], 0, "checkouts_lines"),
    "discount": (["lines", 0, "discount"], "1", "checkouts_discount"),
    "subsidy": (["lines", 0, "subsidy"], "1", "checkouts_discount"),
    "tax": (["lines", 0, "tax"], "1", "checkouts_tax"),
    "delivery": (["orders", 0, "delivery_total"], "8999", "checkouts_delivery"),
    "option": (["orders", 0, "delivery_option_id"], 2**40, "checkouts_delivery"),
    "total": (["total"], "178999", "checkouts_total"),
    "address": (["address_id"], 2**40, "checkouts_address"),
    "method": (["method"], "barter", "checkouts_method"),
    "nothing to pay": (["method"], "none", "checkouts_method"),
    "store account": (["method"], "store_transfer", "checkouts_method"),
    "currency": (["currency"], "idr", "checkouts_currency"),
    "no time": (["pay_within_minutes"], 0, "checkouts_pay_by_check"),
    "voucher": (["vouchers"], [{"id": 2**40, "amount": "1"}], "checkouts_discount"),
    "no lines": (["lines"], [], "checkouts_discount"),
    "no orders": (["orders"], [], "checkouts_lines"),
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_what_does_not_follow_from_the_tables_is_refused(market: Market, fault: str):
    path, value, constraint = FAULTS[fault]
    document: Any = copy.deepcopy(market.document((market.product(5), 2)))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with refused(market.conn, "23514", constraint):
        market.place(document)
    assert market.one("SELECT count(*) FROM checkouts") == 0


def test_more_than_there_is_is_refused_and_named(market: Market):
    product = market.product(1)
    with refused(market.conn, "23514", "inventory_quantity_check"):
        market.place(market.document((product, 2)))
    assert stock(market.conn, product) == (1, 0)


def test_a_stopped_store_and_ones_own_sell_nothing(market: Market):
    product = market.product(5)
    own = market.document((product, 1)) | {"address_id": None}
    with refused(market.conn, "23514", "checkouts_address"):
        market.place(own, market.seller)
    market.conn.execute(
        "UPDATE stores SET state = 'suspended' WHERE id = %s", [market.seller.store_id]
    )
    with refused(market.conn, "23514"):
        market.place(market.document((product, 1)))


def test_ten_wait_for_their_payment_and_no_more(market: Market):
    product = market.product(20)
    for _ in range(10):
        market.place(market.document((product, 1)))
    with refused(market.conn, "23514", "checkouts_unpaid_limit"):
        market.place(market.document((product, 1)))
    market.place(market.document((product, 1), method="cod"))


def test_a_checkout_is_cancelled_once_by_whom_it_concerns(market: Market):
    product, other = market.product(5), market.user("buyer")
    checkout = market.place(market.document((product, 2)))
    cancel = "SELECT cancel_checkout(%s, 'changed_mind')"
    assert market.acting(other, cancel, checkout) is None
    assert market.acting(market.seller, cancel, checkout) is None
    assert market.acting(None, cancel, checkout) == "not_due"
    assert market.acting(market.buyer, cancel, checkout) == "cancelled"
    assert market.acting(market.buyer, cancel, checkout) == "already"
    assert stock(market.conn, product) == (5, 0)
    assert market.row(PAYMENT, checkout)["state"] == "cancelled"
    assert market.row(ORDER, checkout)["cancelled_by"] == "buyer"
    assert broken(market.conn) == []


def test_a_transfer_is_shown_refused_and_confirmed(market: Market):
    product, admin = market.product(5), market.user("admin")
    checkout = market.place(market.document((product, 2)))
    payment = market.row(PAYMENT, checkout)["id"]
    upload = market.one(
        "INSERT INTO uploads (user_id, purpose, key, bytes) VALUES (%s, 'proof', 'x', 1) RETURNING id::text",
        market.buyer.id,
    )
    proof = "SELECT send_proof(%s, jsonb_build_object('upload', %s::text))"
    assert market.acting(admin, proof, payment, upload) is None
    assert market.acting(market.buyer, proof, payment, upload) == "checking"
    assert market.acting(market.buyer, "SELECT cancel_checkout(%s, 'x')", checkout) == "checking"
    refuse = "SELECT refuse_transfer(%s, 'not_received')"
    assert market.acting(market.buyer, refuse, payment) is None
    assert market.acting(admin, refuse, payment) == "open"
    confirm = "SELECT confirm_transfer(%s, 179000)"
    assert market.acting(market.seller, confirm, payment) is None
    with refused(market.conn, "23514", "payments_received_enough"):
        market.acting(admin, "SELECT confirm_transfer(%s, 178999)", payment)
    assert market.acting(admin, confirm, payment) == "paid"
    assert market.acting(admin, confirm, payment) == "repeated"
    order = market.row(ORDER, checkout)
    assert (order["stage"], order["paid"], order["payment_id"]) == ("new", 179_000, payment)
    assert broken(market.conn) == []
    parcel = "SELECT ship_order(%s, NULL, NULL, 'jne', 'REG', 'JX1')"
    assert market.acting(market.buyer, parcel, order["id"]) is None
    sent = market.acting(market.seller, parcel, order["id"])
    assert market.acting(market.seller, parcel, order["id"]) == sent
    assert market.row(ORDER, checkout)["stage"] == "shipping"
    assert stock(market.conn, product) == (3, 0)
    assert broken(market.conn) == []


def test_an_order_that_was_paid_is_cancelled_and_its_money_promised(market: Market):
    product, admin = market.product(5), market.user("admin")
    checkout = market.place(market.document((product, 1)))
    payment = market.row(PAYMENT, checkout)["id"]
    market.acting(admin, "SELECT confirm_transfer(%s, 94000)", payment)
    order = market.row(ORDER, checkout)["id"]
    assert market.acting(market.buyer, "SELECT cancel_order(%s, 'x')", order) == "cancelled"
    refund = market.row("SELECT * FROM refunds WHERE order_id = %s", order)
    assert (refund["amount"], refund["way"], refund["state"]) == (94_000, "bank", "needs_bank")
    assert market.row(CHECKOUT, checkout)["state"] == "cancelled"
    assert broken(market.conn) == []


def test_money_for_pieces_that_lapsed_and_were_sold_goes_home(market: Market):
    product, admin, other = market.product(1), market.user("admin"), market.user("buyer")
    checkout = market.place(market.document((product, 1)))
    market.conn.execute("UPDATE holds SET expires_at = now() - interval '1 second'")
    theirs = market.document((product, 1)) | {"address_id": market.one(ADDRESS, other.id)}
    market.place(theirs, other)
    payment = market.row(PAYMENT, checkout)["id"]
    assert market.acting(admin, "SELECT confirm_transfer(%s, 94000)", payment) == "out_of_stock"
    assert market.row(CHECKOUT, checkout)["state"] == "cancelled"
    assert market.row("SELECT * FROM refunds")["reason"] == "out_of_stock"
    assert broken(market.conn) == []


def test_another_way_to_pay_closes_the_one_before(market: Market):
    checkout = market.place(market.document((market.product(5), 1)))
    first = market.row(PAYMENT, checkout)
    change = "SELECT change_payment(%s, 'pretend', NULL, NULL, 60)"
    assert market.acting(market.user("buyer"), change, checkout) is None
    second = market.acting(market.buyer, change, checkout)
    assert second != first["id"]
    assert market.row(PAYMENT, checkout)["state"] == "opening"
    assert (
        market.row("SELECT state FROM payments WHERE id = %s", first["id"])["state"] == "cancelled"
    )
    with refused(market.conn, "23514", "checkouts_not_payable"):
        market.acting(market.buyer, "SELECT change_payment(%s, 'cod', NULL, NULL, 60)", checkout)


def test_numbers_have_a_check_symbol_and_differ(market: Market):
    numbers = {market.one("SELECT draw_number()") for _ in range(200)}
    assert len(numbers) == 200
    symbols = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    for number in numbers:
        word = number.replace("-", "")
        bits = 0
        for symbol in word[:7]:
            bits = bits * 32 + symbols.index(symbol)
        assert symbols[bits % 37] == word[7]


def test_working_days_leave_out_sundays_and_holidays(market: Market):
    day = "SELECT (working_day(%s, 'ID') AT TIME ZONE 'Asia/Jakarta')::date"
    ends = [market.one(day, count) for count in (1, 2, 7)]
    assert ends == sorted(ends)
    assert all((end.toordinal() - 1) % 7 != 0 for end in ends)  # the day before its midnight
    market.conn.execute(
        "INSERT INTO holidays (country, day, name) VALUES ('ID', %s::date - 1, 'x')", [ends[0]]
    )
    assert market.one(day, 1) > ends[0]


def test_the_applications_role_writes_no_order(market: Market):
    market.place(market.document((market.product(5), 1)))
    for statement in (
        "INSERT INTO checkouts (buyer_id) VALUES (1)",
        "UPDATE orders SET settled = true",
        "UPDATE payments SET state = 'paid'",
        "DELETE FROM voucher_uses",
        "UPDATE vouchers SET used = 0",
        "SELECT settle_orders('{1}')",
        "SELECT cancel_orders('{1}', 'x', 'y')",
        "SELECT apply_payment(1, 'paid', 1, 'IDR')",
        "SELECT promise_refund(1, 1, 'x', NULL, NULL, 'store', NULL)",
        "SELECT use_vouchers(1, 1, '{}', '{}')",
        "SELECT address FROM checkouts",
    ):
        market.become("marketplace_app")
        try:
            with refused(market.conn, "42501"):
                market.conn.execute(statement)
        finally:
            market.become("none")
