"""The ways to what no grant opens: addresses, accounts, private images, balances; who gets what of them."""

import json
from typing import Any

import pytest
from support.stock import Room, act_as, role
from support.trade import ADDRESS, Trade, lives


@pytest.fixture
def trade(room: Room) -> Trade:
    return Trade(room)


def asked(room: Room, user: int | None, query: str, *values: Any) -> list[Any]:
    """What the API's role gets for somebody."""
    act_as(room.conn, user)
    with role(room.conn, "marketplace_app"):
        found = room.conn.execute(query, values).fetchall()
    act_as(room.conn, None)
    return [tuple(each.values()) for each in found]


def test_an_address_is_shown_to_those_who_need_it_as_long_as_they_do(room: Room, trade: Trade):
    made = lives(trade)
    admin, stranger, other = room.user("admin").id, room.user("buyer").id, room.user("seller").id
    whole, nothing = [(ADDRESS, False)], [(None, None)]
    masked = [({"recipient": "S***", "city": "Serang", "country": "ID"}, True)]
    ask = "SELECT * FROM delivery_address(%s)"
    for name in (
        "unpaid",
        "cancelled",
        "new",
        "free",
        "cod",
        "part",
        "shipping",
        "delivered",
        "done",
        "back",
    ):
        order = made[name].order
        assert asked(room, trade.buyer, ask, order) == whole
        assert asked(room, admin, ask, order) == whole
        assert asked(room, room.seller.id, ask, order) == (
            masked if name in ("unpaid", "cancelled") else whole
        ), name
        for user in (None, stranger, other):
            assert asked(room, user, ask, order) == nothing
    for days, shown in ((29, whole), (31, masked)):
        room.conn.execute(
            "UPDATE orders SET completed_at = now() - make_interval(days => %s), updated_at = now() WHERE id = %s",
            [days, made["done"].order],
        )
        assert asked(room, room.seller.id, ask, made["done"].order) == shown
    room.conn.execute("UPDATE users SET suspended_at = now() WHERE id = %s", [room.seller.id])
    assert asked(room, room.seller.id, ask, made["new"].order) == nothing
    assert asked(room, trade.buyer, ask, 987654321) == nothing


def test_a_mail_goes_to_the_parties_who_are_not_suspended(room: Room, trade: Trade):
    sale = trade.place()
    ask = "SELECT user_id FROM order_mail(%s, %s)"

    def to(party: str) -> list[Any]:
        with role(room.conn, "marketplace_worker"):
            return [
                each["user_id"] for each in room.conn.execute(ask, [sale.order, party]).fetchall()
            ]

    assert (to("buyer"), to("seller"), to("admin")) == ([sale.buyer], [room.seller.id], [None])
    room.conn.execute("UPDATE users SET suspended_at = now() WHERE id = %s", [sale.buyer])
    assert (to("buyer"), to("seller")) == ([None], [room.seller.id])


def test_private_images_are_shown_to_the_parties(room: Room, trade: Trade):
    made = lives(trade)
    admin, stranger, other = room.user("admin").id, room.user("buyer").id, room.user("seller").id
    proof = trade.upload(trade.buyer)
    theirs = trade.upload(stranger)
    bought = trade.place()
    direct = trade.ask(bought, "store_transfer")
    set_proof = "UPDATE payments SET proof = %s WHERE id = %s"
    for payment in (made["asked"], direct):
        room.conn.execute(set_proof, [json.dumps({"upload": str(proof)}), payment])
    of_payment, of_return = (
        "SELECT id FROM images_of_payment(%s)",
        "SELECT id FROM images_of_return(%s, %s)",
    )
    for user, platform, own, returned in (
        (trade.buyer, 1, 1, 1), (admin, 1, 1, 1), (room.seller.id, 0, 1, 1), (stranger, 0, 0, 0), (other, 0, 0, 0), (None, 0, 0, 0),
    ):  # fmt: skip
        assert len(asked(room, user, of_payment, made["asked"])) == platform
        assert len(asked(room, user, of_payment, direct)) == own
        assert len(asked(room, user, of_return, made["back"].order, made["request"])) == returned
    # another's upload, named by the buyer: nobody's image
    room.conn.execute(set_proof, [json.dumps({"upload": str(theirs)}), direct])
    room.conn.execute("UPDATE order_requests SET images = ARRAY[%s::text]", [theirs])
    for user in (trade.buyer, admin, room.seller.id):
        assert asked(room, user, of_payment, direct) == []
        assert asked(room, user, of_return, made["back"].order, made["request"]) == []


def test_the_account_of_a_refund_is_whole_for_who_sends_it_alone(room: Room, trade: Trade):
    made = lives(trade)
    ask = "SELECT refund_account(%s)"
    admin = room.user("admin").id
    assert asked(room, admin, ask, made["due"])[0][0]["number"] == "1234567890"
    assert asked(room, trade.buyer, ask, made["due"]) == [({"bank": "BCA", "number": "***7890"},)]
    for user in (room.seller.id, room.user("buyer").id, room.user("seller").id, None):
        assert asked(room, user, ask, made["due"]) == [(None,)]


def test_a_store_reads_its_balance(room: Room, trade: Trade):
    made = lives(trade)
    other, admin = room.user("seller"), room.user("admin").id
    balance = trade.one("SELECT balance FROM store_balances WHERE store_id = %s", trade.store)
    fee = sum(
        trade.one("SELECT commission FROM order_lines WHERE id = %s", made[name].line)
        for name in ("done", "back", "cod")
    )
    assert (
        balance == made["done"].total + made["back"].total - fee
    )  # the cash of the third is there already
    ask = "SELECT balance, updated_at IS NULL FROM store_balance(%s)"
    assert asked(room, room.seller.id, ask, trade.store) == [(balance, False)]
    assert asked(room, admin, ask, trade.store) == [(balance, False)]
    assert asked(room, other.id, ask, other.store_id) == [(0, True)]
    for user in (other.id, trade.buyer, None):
        assert asked(room, user, ask, trade.store) == [(None, True)]
    assert asked(room, admin, ask, 987654321) == [(None, True)]


def test_an_image_that_an_order_shows_is_used(room: Room, trade: Trade):
    trade.place()
    ask = "SELECT lock_unused_pictures(ARRAY[repeat('a', 64), repeat('b', 64)]) AS digest"
    assert [each["digest"] for each in room.conn.execute(ask).fetchall()] == ["b" * 64]


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [("0.5", "IDR", 1), ("1.49", "IDR", 1), ("-0.5", "JPY", -1), ("0.005", "USD", "0.01"), ("0.004", "EUR", "0.00"), ("2.5", "VND", 3)],
)  # fmt: skip
def test_money_is_rounded_half_up_to_its_coin(room: Room, amount: str, currency: str, rounded: Any):
    query = "SELECT round_money(%s::numeric, %s) = %s::numeric AS same"
    assert room.conn.execute(query, [amount, currency, rounded]).fetchone()["same"]


def test_money_goes_home_and_lies_where_its_method_says(room: Room):
    ways = {
        ("pretend", None): ("provider", "provider"), ("midtrans", "qris"): ("provider", "provider"),
        ("midtrans", "bca_va"): ("bank", "provider"), ("midtrans", None): ("bank", "provider"),
        ("transfer", None): ("bank", "bank"), ("store_transfer", None): ("store", "payable"),
    }  # fmt: skip
    for (method, channel), expected in ways.items():
        found = room.conn.execute(
            "SELECT refund_way(%s, %s), payment_account(%s)", [method, channel, method]
        ).fetchone()
        assert tuple(found.values()) == expected
