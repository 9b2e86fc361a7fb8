"""Carts: lines set together, merged, and what is said of those that cannot be bought."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from conftest import Api, User
from support.import_shop import Shop
from support.responses import problem
from support.stock import Room, hold

from marketplace.queries import carts
from marketplace.workflows import carts as workflow

LINES = "/api/cart/lines"


def line(product_id: int, quantity: int = 1, variant_id: int | None = None) -> dict:
    return {"product_id": product_id, "variant_id": variant_id, "quantity": quantity}


def put(api: Api, user: User, *lines: dict, **more) -> dict:
    answer = api.put(LINES, user, json={"lines": list(lines), **more})
    assert answer.status_code == 200, answer.text
    return answer.json


def shown(cart: dict) -> list[tuple]:
    return [
        (each["product_id"], each["quantity"], each["problem"])
        for store in cart["stores"]
        for each in store["lines"]
    ]


@pytest.fixture
def room(api: Api) -> Room:
    return Room(api)


def test_a_cart_is_empty_until_something_is_put_in(api: Api):
    user = api.buyer()
    empty = api.get("/api/cart", user)
    assert empty.json == {
        "version": 0, "currency": "IDR", "count": 0, "problems": 0, "total": "0.00", "stores": [],
    }  # fmt: skip
    product = api.product(api.seller())
    cart = put(api, user, line(product["id"], 2))
    (store,) = cart["stores"]
    (only,) = store["lines"]
    assert (cart["version"], cart["count"], cart["problems"], cart["total"]) == (
        1,
        1,
        0,
        "170000.00",
    )
    assert store["store"]["id"] == product["store"]["id"]
    assert only == {
        "product_id": product["id"], "variant_id": None, "name": "Kopi Gayo 250 g", "options": [],
        "thumb_url": None, "placeholder": None, "quantity": 2, "price": "85000.00", "price_before": None,
        "total": "170000.00", "weight_grams": 0, "min_quantity": 1, "stock": 5, "problem": None,
    }  # fmt: skip
    assert api.get("/api/cart", user).json == cart


def test_lines_are_set_and_zero_removes_one(api: Api):
    user, seller = api.buyer(), api.seller()
    first, second = (api.product(seller)["id"] for _ in range(2))
    assert put(api, user, line(first, 2), line(second, 1))["version"] == 1
    cart = put(api, user, line(first, 3))
    assert shown(cart) == [(first, 3, None), (second, 1, None)]
    assert put(api, user, line(first, 3))["version"] == cart["version"]  # sent again
    assert shown(put(api, user, line(first, 0))) == [(second, 1, None)]
    assert shown(put(api, user, line(second, 2), line(second, 4))) == [(second, 4, None)]
    assert api.delete("/api/cart", user).status_code == 204
    assert api.get("/api/cart", user).json["count"] == 0


def test_a_guests_lines_are_merged_to_the_larger_quantity(api: Api):
    user, seller = api.buyer(), api.seller()
    first, second = (api.product(seller)["id"] for _ in range(2))
    put(api, user, line(first, 3))
    phone = [line(first, 2), line(second, 1), line(second, 2), line(2**62, 1)]
    cart = put(api, user, *phone, merge=True)
    assert shown(cart) == [(first, 3, None), (second, 2, None)]
    assert put(api, user, *phone, merge=True) == cart
    assert shown(put(api, user, line(first, 0), merge=True)) == shown(cart)


def test_a_product_that_does_not_exist_is_refused_and_nothing_is_set(api: Api):
    user, product = api.buyer(), api.product(api.seller())["id"]
    answer = api.put(LINES, user, json={"lines": [line(product), line(2**62)]})
    (error,) = problem(answer, 422, "validation_failed")["errors"]
    assert (error["pointer"], error["product_id"]) == ("/lines/1/product_id", 2**62)
    assert api.get("/api/cart", user).json["count"] == 0


@pytest.mark.parametrize("quantity", [-1, 1001, "2", 1.5, None, True])
def test_a_quantity_is_a_number_of_pieces(api: Api, quantity: object):
    answer = api.put(LINES, api.buyer(), json={"lines": [line(1, quantity)]})
    assert problem(answer, 422, "validation_failed")["errors"][0]["pointer"] == "/lines/0/quantity"


def test_a_cart_has_two_hundred_lines(api: Api, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workflow, "MOST", 2)
    user, seller = api.buyer(), api.seller()
    products = [api.product(seller)["id"] for _ in range(3)]
    put(api, user, *(line(product) for product in products[:2]))
    problem(api.put(LINES, user, json={"lines": [line(products[2])]}), 409, "cart_full")
    assert api.get("/api/cart", user).json["count"] == 2
    put(api, user, line(products[0], 0), line(products[2]))
    too_many = [line(number) for number in range(1, 202)]
    problem(api.put(LINES, user, json={"lines": too_many}), 422, "validation_failed")


def test_what_cannot_be_bought_says_why_and_stays(room: Room):
    api, user = room.api, room.user("buyer")
    few, none, hidden, simple, gone = (room.product(n) for n in (1, 0, 5, 5, 5))
    turned, (red, blue) = room.product_with_variants(5, 0)
    least = room.product(9)
    closed_store = room.user("seller")
    room.become("marketplace_app")
    closed = api.product(closed_store)["id"]
    wanted = [
        line(few, 2), line(none), line(hidden), line(simple, 2), line(gone, 1, 2**40), line(turned),
        line(turned, 1, red), line(turned, 1, blue), line(least, 2), line(closed),
    ]  # fmt: skip
    api.patch(f"/api/products/{hidden}", room.seller, json={"hidden": True})
    with api.as_owner(room.conn) as conn:
        conn.execute("UPDATE products SET min_quantity = 3 WHERE id = %s", [least])
        conn.execute(
            "UPDATE stores SET closed_until = now() + interval '1 day' WHERE id = %s",
            [closed_store.store_id],
        )
    cart = put(api, user, *wanted)
    problems = {
        (each["product_id"], each["variant_id"]): each["problem"]
        for store in cart["stores"]
        for each in store["lines"]
    }
    assert problems == {
        (few, None): "not_enough_stock", (none, None): "sold_out", (hidden, None): "hidden",
        (simple, None): None, (gone, 2**40): "variant_gone", (turned, None): "variant_required",
        (turned, red): None, (turned, blue): "sold_out", (least, None): "min_quantity",
        (closed, None): "store_closed",
    }  # fmt: skip
    assert cart["problems"] == 8
    options = [
        each["options"]
        for store in cart["stores"]
        for each in store["lines"]
        if each["variant_id"] == red
    ]
    assert options == [[{"name": "Warna", "value": "Warna 1"}]]


def test_a_price_is_that_of_the_moment(api: Api):
    user, seller = api.buyer(), api.seller()
    product = api.product(seller)["id"]
    put(api, user, line(product))
    before = api.get("/api/cart", user)
    api.patch(f"/api/products/{product}", seller, json={"price": "90000"})
    tag = {"If-None-Match": before.headers["etag"]}
    after = api.get("/api/cart", user, headers=tag)
    assert (after.status_code, after.json["total"]) == (200, "90000.00")
    assert after.json["version"] == before.json["version"]
    tag = {"If-None-Match": after.headers["etag"]}
    assert api.get("/api/cart", user, headers=tag).status_code == 304


def test_a_change_that_started_from_an_older_cart_is_refused_on_request(api: Api):
    user, product = api.buyer(), api.product(api.seller())["id"]
    put(api, user, line(product))
    stale = {"If-Match": '"0-x"'}
    problem(
        api.put(LINES, user, json={"lines": [line(product, 2)]}, headers=stale),
        412,
        "precondition_failed",
    )
    problem(api.delete("/api/cart", user, headers=stale), 412, "precondition_failed")
    fresh = {"If-Match": api.get("/api/cart", user).headers["etag"]}
    assert api.delete("/api/cart", user, headers=fresh).status_code == 204


def test_pieces_in_holds_that_have_lapsed_can_be_bought(room: Room):
    api, user, product = room.api, room.user("buyer"), room.product(3)
    hold(room.conn, [(10**12, product, 0, 2)], minutes=30)
    hold(room.conn, [(10**12 + 1, product, 0, 1)], minutes=30)
    room.conn.execute(
        "UPDATE holds SET expires_at = now() - interval '1 second' WHERE order_id = %s", [10**12]
    )
    room.become("marketplace_app")
    (store,) = put(api, user, line(product, 2))["stores"]
    assert (store["lines"][0]["stock"], store["lines"][0]["problem"]) == (2, None)
    assert shown(put(api, user, line(product, 3))) == [(product, 3, "not_enough_stock")]


def test_taps_at_once_leave_a_cart_that_is_right(committed: Api):
    user, seller = committed.buyer(), committed.seller()
    products = [committed.product(seller)["id"] for _ in range(4)]

    def tap(number: int) -> int:
        lines = [line(product, number + 1) for product in products[:: 1 if number % 2 else -1]]
        return committed.put(LINES, user, json={"lines": lines}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(tap, range(24))) == {200}
    cart = committed.get("/api/cart", user).json
    quantities = {each["quantity"] for store in cart["stores"] for each in store["lines"]}
    assert (len(quantities), cart["count"]) == (1, 4)


def test_a_cart_that_nobody_touches_goes(committed: Api):

    user, other = committed.buyer(), committed.buyer()
    product = committed.product(committed.seller())["id"]
    for each in (user, other):
        put(committed, each, line(product))
    with psycopg.connect(committed.owner_url) as conn:
        old = timedelta(days=181)
        conn.execute("UPDATE carts SET updated_at = now() - %s WHERE user_id = %s", [old, user.id])
    shop = Shop(committed)
    try:
        with shop.db.working() as conn:
            assert carts.sweep(conn, days=180, most=10) == 1
    finally:
        shop.db.close()
    assert committed.get("/api/cart", user).json["count"] == 0
    assert committed.get("/api/cart", other).json["count"] == 1
