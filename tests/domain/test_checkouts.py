"""From cart to order over HTTP: the quote, placing it, and what was placed."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from conftest import Api, User
from support.buying import (
    ACCOUNT,
    HOME,
    buyer,
    key,
    opened,
    place,
    put,
    quote,
    seller,
    try_to_place,
)
from support.images import picture
from support.responses import problem
from support.stock import add_variants, broken, stock


@pytest.fixture
def shop(config, shared_database: str) -> Iterator[Api]:
    with opened(config, shared_database) as api:
        yield api


def invariants(api: Api) -> list:
    with api.as_owner(api.db.conn) as conn:
        return broken(conn)


def pieces(api: Api, product: int) -> tuple[int, int]:
    with api.as_owner(api.db.conn) as conn:
        return stock(conn, product)


def test_buying_one_thing_takes_five_calls(shop: Api):
    sells, buys = seller(shop), buyer(shop)
    product = shop.product(sells, name="Kopi Gayo 250 g", stock=12)["id"]

    shop.upload(f"/api/products/{product}/images", sells, [("images", "a", picture())])

    shop.get(f"/api/products/{product}")
    put(shop, buys, (product, 2))
    asked = quote(shop, buys)
    assert asked["problems"] == []
    assert (asked["total"], asked["items_total"], asked["delivery_total"], asked["units"]) == (
        "179000.00",
        "170000.00",
        "9000.00",
        2,
    )
    assert asked["address"]["text"] == "Jl. Veteran 5, Cipocok Jaya, Serang, Banten 42121"
    (order,) = asked["orders"]
    assert order["delivery"]["chosen"] == order["delivery"]["options"][0]["key"]
    body = {"expected_total": asked["total"], "payment": {"method": "transfer"}}
    answer = shop.post("/api/checkouts", buys, json=body, headers=key())
    assert answer.status_code == 201, answer.text
    placed = answer.json
    assert answer.headers["location"] == f"/api/checkouts/{placed['id']}"
    seen = shop.get(f"/api/checkouts/{placed['id']}", buys)
    assert seen.json == placed
    assert seen.headers["etag"].startswith('"1-')

    assert (placed["state"], placed["total"], placed["can"]) == (
        "unpaid",
        "179000.00",
        ["pay", "change_method", "cancel"],
    )
    (payment,) = placed["payments"]
    assert payment["instructions"] == {
        "kind": "transfer",
        "accounts": [ACCOUNT],
        "amount": "179000.00",
    }
    assert (payment["state"], payment["poll_after"]) == ("open", 60)
    first = placed["orders"][0]["first_line"]
    assert first["name"] == "Kopi Gayo 250 g"
    assert first["thumb_url"].endswith("-thumb.webp")
    assert first["thumb_url"] == order["lines"][0]["thumb_url"]
    assert shop.get("/api/cart", buys).json["count"] == 0
    assert pieces(shop, product) == (10, 2)
    moved = shop.get(f"/api/products/{product}/stock-movements", sells).json["movements"][0]
    of_order = placed["orders"][0]
    assert (moved["kind"], moved["order_id"]) == ("hold", of_order["id"])
    assert moved["order_number"] == of_order["number"]
    assert invariants(shop) == []


def test_a_quote_says_what_is_missing(shop: Api):
    empty = quote(shop, shop.buyer())
    assert [each["code"] for each in empty["problems"]] == ["address_required", "cart_empty"]
    assert (empty["total"], empty["orders"], empty["address"]) == ("0.00", [], None)
    sells, buys = shop.seller(), buyer(shop)
    product = shop.product(sells, stock=1)["id"]
    put(shop, buys, (product, 2))
    found = quote(shop, buys)["problems"]
    assert [each["code"] for each in found] == ["not_enough_stock", "delivery_not_offered"]
    assert (found[0]["product_id"], found[1]["store_id"]) == (product, sells.store_id)


def test_one_order_a_store_each_with_its_delivery_and_note(shop: Api):
    near, far, buys = seller(shop), seller(shop, price="20000"), buyer(shop)
    extra = {"name": "Kilat", "pricing": "flat", "price": "50000", "position": 1}
    quick = shop.post("/api/stores/mine/delivery-options", far, json=extra).json["id"]
    first, second = shop.product(near)["id"], shop.product(far)["id"]
    put(shop, buys, (first, 1), (second, 1))
    orders = [
        {"store_id": far.store_id, "delivery": str(quick), "note": "bungkus kado"},
    ]
    asked = quote(shop, buys, orders=orders)
    assert asked["total"] == "229000.00"
    placed = place(shop, buys, orders=orders)
    assert [order["number"] for order in placed["orders"]] == [
        f"{placed['number']}-1",
        f"{placed['number']}-2",
    ]
    with shop.as_owner(shop.db.conn) as conn:
        row = conn.execute(
            "SELECT note, delivery ->> 'name' AS way FROM orders WHERE store_id = %s",
            [far.store_id],
        ).fetchone()
    assert row == {"note": "bungkus kado", "way": "Kilat"}
    assert invariants(shop) == []


def test_a_changed_price_is_said_with_the_new_quote_which_then_places(shop: Api):
    sells, buys = seller(shop), buyer(shop)
    product = shop.product(sells)["id"]
    put(shop, buys, (product, 1))
    before = quote(shop, buys)["total"]
    shop.patch(f"/api/products/{product}", sells, json={"price": "90000"})
    refused = try_to_place(shop, buys, expected_total=before)
    found = problem(refused, 409, "total_changed")
    assert found["quote"]["total"] == "99000.00"
    assert found["quote"]["orders"][0]["lines"][0]["price"] == "90000.00"
    assert pieces(shop, product) == (5, 0)
    answer = try_to_place(shop, buys, expected_total=found["quote"]["total"])
    assert (answer.status_code, answer.json["total"]) == (201, "99000.00")


def test_what_is_short_is_named_and_nothing_is_held(shop: Api):
    sells, buys = seller(shop), buyer(shop)
    enough, few = shop.product(sells, stock=5)["id"], shop.product(sells, stock=1)["id"]
    put(shop, buys, (enough, 1), (few, 2))
    found = problem(try_to_place(shop, buys), 409, "not_enough_stock")
    assert found["errors"] == [
        {
            "pointer": "/lines",
            "code": "not_enough_stock",
            "product_id": few,
            "variant_id": None,
            "available": 1,
            "message": "there are fewer of it",
        }
    ]
    assert pieces(shop, enough) == (5, 0)
    assert shop.get("/api/cart", buys).json["count"] == 2


def test_lines_are_of_the_cart_unless_it_is_bought_now(shop: Api):
    sells, buys = seller(shop), buyer(shop)
    first, second = (shop.product(sells)["id"] for _ in range(2))
    put(shop, buys, (first, 3), (second, 1))
    some = [{"product_id": first, "quantity": 2}]
    placed = place(shop, buys, "cod", lines=some)
    assert (placed["state"], placed["units"], placed["payments"]) == ("settled", 2, [])
    left = shop.get("/api/cart", buys).json
    assert [line["quantity"] for line in left["stores"][0]["lines"]] == [1, 1]
    too_many = [{"product_id": first, "quantity": 2}]
    found = problem(try_to_place(shop, buys, lines=too_many), 409, "cart_empty")
    assert found["errors"][0]["product_id"] == first
    place(shop, buys, "cod", lines=too_many, buy_now=True)
    after = shop.get("/api/cart", buys).json
    assert (after["version"], after["count"]) == (left["version"], left["count"])


def test_the_same_key_places_once(shop: Api):
    sells, buys, kept = seller(shop), buyer(shop), key()
    product = shop.product(sells)["id"]
    put(shop, buys, (product, 1))
    first = try_to_place(shop, buys, expected_total="94000", headers=kept)
    again = try_to_place(shop, buys, expected_total="94000", headers=kept)
    assert (again.status_code, again.json) == (201, first.json)
    assert again.headers["idempotent-replayed"] == "true"
    other = try_to_place(shop, buys, expected_total="94000")
    problem(other, 409, "cart_empty")
    bare = {"expected_total": "94000", "payment": {"method": "cod"}}
    problem(shop.post("/api/checkouts", buys, json=bare), 422, "idempotency_key_required")
    problem(
        try_to_place(shop, buys, expected_total="1", headers=kept), 422, "idempotency_key_reused"
    )


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"address_id": 2**40}, 422, "address_required"),
        ({"vouchers": ["TIDAKADA"]}, 422, "voucher_invalid"),
        ({"vouchers": ["A"] * 6}, 422, "validation_failed"),
        ({"orders": [{"store_id": 2**40}]}, 422, "validation_failed"),
        ({"lines": []}, 422, "validation_failed"),
        (
            {"lines": [{"product_id": 2**40, "quantity": 1}], "buy_now": True},
            422,
            "validation_failed",
        ),
        ({"lines": [{"product_id": 1, "quantity": 0}]}, 422, "validation_failed"),
        ({"lines": [{"product_id": 1, "quantity": 1001}]}, 422, "validation_failed"),
        ({"lines": [{"product_id": 1, "quantity": "2"}]}, 422, "validation_failed"),
        ({"nonsense": 1}, 422, "validation_failed"),
    ],
)
def test_a_wrong_request_is_refused_by_quote_and_place(shop: Api, change, status, code):
    buys = buyer(shop)
    put(shop, buys, (shop.product(seller(shop))["id"], 1))
    problem(shop.post("/api/checkout/quote", buys, json=change), status, code)
    problem(try_to_place(shop, buys, expected_total="94000", **change), status, code)


def test_what_cannot_be_placed_has_its_code(shop: Api):
    sells, buys = seller(shop), buyer(shop)
    product = shop.product(sells)["id"]
    put(shop, buys, (product, 1))
    tries = [
        ({"orders": [{"store_id": sells.store_id, "delivery": "1"}]}, 422, "delivery_not_offered"),
        ({"method": "barter"}, 409, "payment_not_offered"),
        ({"method": "store_transfer"}, 409, "payment_not_offered"),
        ({"method": "none"}, 409, "payment_not_offered"),
        ({"method": None}, 422, "validation_failed"),
    ]
    for change, status, code in tries:
        problem(try_to_place(shop, buys, expected_total="94000", **change), status, code)
    document = {"expected_total": "94000", "payment": {"method": "cod", "return_url": "http://x"}}
    answer = shop.post("/api/checkouts", buys, json=document, headers=key())
    problem(answer, 422, "return_url_refused")
    shop.post("/api/users/addresses", sells, json=HOME)
    put(shop, sells, (product, 1))
    problem(try_to_place(shop, sells, expected_total="94000"), 409, "self_purchase")
    homeless = shop.buyer()
    put(shop, homeless, (product, 1))
    problem(try_to_place(shop, homeless, expected_total="94000"), 422, "address_required")
    assert pieces(shop, product) == (5, 0)


def test_a_product_that_changed_since_is_refused_by_what_it_is_now(shop: Api):
    sells, buys = seller(shop), buyer(shop)
    product = shop.product(sells)["id"]
    put(shop, buys, (product, 1))

    def change(statement: str) -> None:
        with shop.as_owner(shop.db.conn) as conn:
            conn.execute(statement, {"product": product, "store": sells.store_id})

    change("UPDATE products SET min_quantity = 2 WHERE id = %(product)s")
    problem(try_to_place(shop, buys, expected_total="94000"), 409, "min_quantity")
    change("UPDATE products SET min_quantity = 1, max_per_buyer = 1 WHERE id = %(product)s")
    place(shop, buys, "cod")
    put(shop, buys, (product, 1))
    assert quote(shop, buys)["problems"][0]["code"] == "max_per_buyer"
    found = problem(try_to_place(shop, buys, expected_total="94000"), 409, "max_per_buyer")
    assert found["errors"][0]["product_id"] == product
    change("UPDATE products SET max_per_buyer = NULL, hidden = true WHERE id = %(product)s")
    found = problem(try_to_place(shop, buys, expected_total="94000"), 409, "total_changed")
    assert found["quote"]["problems"][0]["code"] == "hidden"
    change("UPDATE products SET hidden = false WHERE id = %(product)s")
    change("UPDATE stores SET state = 'suspended' WHERE id = %(store)s")
    problem(try_to_place(shop, buys, expected_total="94000"), 409, "store_closed")


def test_a_variant_is_bought_by_its_own_price_and_stock(shop: Api):
    sells, buys = seller(shop), buyer(shop)
    product = shop.product(sells)["id"]
    put(shop, buys, (product, 1))
    with shop.as_owner(shop.db.conn) as conn:
        red, _ = add_variants(conn, product, [2, 0], price="50000.00")
    problem(try_to_place(shop, buys, expected_total="94000"), 409, "variant_required")
    line = {"product_id": product, "variant_id": red, "quantity": 2}
    placed = place(shop, buys, lines=[line], buy_now=True)
    assert placed["total"] == "109000.00"
    found = problem(
        try_to_place(shop, buys, expected_total="1", lines=[line], buy_now=True),
        409,
        "not_enough_stock",
    )
    assert (found["errors"][0]["variant_id"], found["errors"][0]["available"]) == (red, 0)
    gone = {**line, "variant_id": 2**40}
    problem(
        try_to_place(shop, buys, expected_total="1", lines=[gone], buy_now=True),
        422,
        "validation_failed",
    )
    assert invariants(shop) == []


def voucher(shop: Api, user, path: str = "/api/stores/mine/vouchers", **fields) -> dict:
    body = {"name": "Hemat", "gives": "percent", "value": "10", **fields}
    answer = shop.post(path, user, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json


def test_vouchers_are_offered_taken_and_used_once(shop: Api):
    sells, buys, admin = seller(shop), buyer(shop), shop.admin()
    product = shop.product(sells)["id"]
    voucher(shop, admin, "/api/vouchers", code="PLATFORM10")
    voucher(shop, sells, code="TOKO10")
    voucher(shop, sells, code="BESAR", min_total="100000")
    voucher(shop, sells, code="RAHASIA", listed=False)
    put(shop, buys, (product, 1))
    offered = {each["code"]: each for each in quote(shop, buys)["vouchers"]}
    assert set(offered) == {"PLATFORM10", "TOKO10", "BESAR"}
    assert (offered["BESAR"]["reason"], offered["BESAR"]["missing"]) == ("min_total", "15000.00")
    codes = ["PLATFORM10", "TOKO10", "TOKO10"]
    asked = quote(shop, buys, vouchers=codes)
    assert (asked["discount_total"], asked["subsidy_total"]) == ("8500.00", "7650.00")
    found = problem(
        try_to_place(shop, buys, expected_total="94000", vouchers=["BESAR"]), 422, "voucher_invalid"
    )
    assert found["errors"][0]["code"] == "min_total"
    placed = place(shop, buys, vouchers=codes)
    assert placed["total"] == "77850.00"
    put(shop, buys, (product, 1))
    again = quote(shop, buys, vouchers=["TOKO10"])["vouchers"][0]
    assert (again["applied"], again["reason"]) == (False, "used")
    problem(
        try_to_place(shop, buys, expected_total="94000", vouchers=["TOKO10"]), 409, "voucher_used"
    )
    assert invariants(shop) == []
    shop.post(f"/api/checkouts/{placed['id']}/cancel", buys, json={})
    assert quote(shop, buys, vouchers=["TOKO10"])["vouchers"][0]["applied"] is True
    place(shop, buys, vouchers=["RAHASIA"])
    assert invariants(shop) == []


def test_nothing_to_pay_needs_no_payment(shop: Api):
    sells, buys = seller(shop), buyer(shop)
    product = shop.product(sells)["id"]
    voucher(shop, sells, code="GRATIS", value="100")
    voucher(shop, sells, code="ONGKIR", gives="free_delivery", value="0")
    put(shop, buys, (product, 1))
    codes = ["GRATIS", "ONGKIR"]
    asked = quote(shop, buys, vouchers=codes)
    assert asked["total"] == "0.00"
    methods = {each["method"]: each["available"] for each in asked["payment_methods"]}
    assert methods == {"none": True, "cod": False, "transfer": False, "store_transfer": False}
    placed = place(shop, buys, None, vouchers=codes)
    assert (placed["state"], placed["method"], placed["payments"]) == ("settled", "none", [])
    assert placed["orders"][0]["stage"] == "new"
    assert invariants(shop) == []


def test_taxes_are_in_the_prices_or_on_top(shop: Api):
    sells, buys = seller(shop), buyer(shop)
    product = shop.product(sells)["id"]
    put(shop, buys, (product, 2))
    with shop.as_owner(shop.db.conn) as conn:
        conn.execute("INSERT INTO tax_rates (country, name, rate) VALUES ('ID', 'PPN', 11)")
        conn.execute(
            "INSERT INTO store_settings (store_id, taxable) VALUES (%s, true)", [sells.store_id]
        )
    inside = quote(shop, buys)
    assert (inside["tax_total"], inside["tax_included"], inside["total"]) == (
        "16847.00",
        True,
        "179000.00",
    )
    place(shop, buys, "cod")
    with shop.as_owner(shop.db.conn) as conn:
        conn.execute("UPDATE tax_rates SET included = false")
    put(shop, buys, (product, 2))
    assert quote(shop, buys)["total"] == "197700.00"
    place(shop, buys, "cod")
    assert invariants(shop) == []


def test_cash_on_delivery_has_its_limits(shop: Api):
    sells, buys = seller(shop, cod=False), buyer(shop)
    put(shop, buys, (shop.product(sells)["id"], 1))

    def reason(body: dict) -> str | None:
        return next(m["reason"] for m in body["payment_methods"] if m["method"] == "cod")

    assert reason(quote(shop, buys)) == "delivery_option"
    dear = shop.product(seller(shop), price="6000000")["id"]
    line = {"lines": [{"product_id": dear, "quantity": 1}], "buy_now": True}
    assert reason(quote(shop, buys, **line)) == "cod_limit"
    problem(try_to_place(shop, buys, "cod", **line), 409, "payment_not_offered")


def test_checkouts_are_listed_and_cancelled_as_one(shop: Api):
    sells, buys = seller(shop), buyer(shop)
    product = shop.product(sells, stock=10)["id"]
    placed = []
    for method in ("transfer", "cod", "transfer"):
        put(shop, buys, (product, 1))
        placed.append(place(shop, buys, method)["id"])

    def ids(**query) -> list[int]:
        answer = shop.get("/api/checkouts", buys, params=query)
        assert answer.status_code == 200, answer.text
        return [each["id"] for each in answer.json["checkouts"]]

    assert ids() == placed[::-1]
    assert (ids(state="unpaid"), ids(state="settled")) == ([placed[2], placed[0]], [placed[1]])
    first = shop.get("/api/checkouts", buys, params={"per_page": 2}).json
    assert ids(per_page=2, cursor=first["next_cursor"]) == placed[:1]
    path = f"/api/checkouts/{placed[0]}/cancel"
    problem(shop.post(path, shop.buyer(), json={}), 404, "not_found")
    problem(shop.get(f"/api/checkouts/{placed[0]}", sells), 404, "not_found")
    cancelled = shop.post(path, buys, json={"reason": "changed_mind"})
    assert (cancelled.json["state"], cancelled.json["can"]) == ("cancelled", [])
    assert shop.post(path, buys, json={}).json == cancelled.json
    problem(shop.post(f"/api/checkouts/{placed[1]}/cancel", buys, json={}), 409, "checkout_paid")
    assert ids(state="cancelled") == [placed[0]]
    admin = shop.admin()
    assert shop.get(f"/api/checkouts/{placed[2]}", admin).json["id"] == placed[2]
    assert shop.post(f"/api/checkouts/{placed[2]}/cancel", admin, json={}).status_code == 200
    assert pieces(shop, product) == (9, 1)
    assert invariants(shop) == []


def test_an_admin_lists_everybodys_checkouts(shop: Api):
    sells, admin = seller(shop), shop.admin()
    product = shop.product(sells, stock=10)["id"]
    placed, people = [], [buyer(shop), buyer(shop), admin]
    shop.post("/api/users/addresses", admin, json=HOME)
    for user, method in zip(people, ("transfer", "cod", "transfer"), strict=True):
        put(shop, user, (product, 1))
        placed.append(place(shop, user, method))

    def listed(user: User = admin, **query) -> list[dict]:
        answer = shop.get("/api/checkouts", user, params=query)
        assert answer.status_code == 200, answer.text
        return [each for each in answer.json["checkouts"] if each["id"] >= placed[0]["id"]]

    def ids(user: User = admin, **query) -> list[int]:
        return [each["id"] for each in listed(user, **query)]

    first, second, own = (each["id"] for each in placed)
    assert ids() == [own, second, first]
    assert (ids(state="unpaid"), ids(state="settled")) == ([own, first], [second])
    assert [each["can"] for each in listed(state="unpaid")] == [
        ["pay", "change_method", "cancel"],
        ["cancel"],  # somebody else's
    ]
    page = shop.get("/api/checkouts", admin, params={"per_page": 2}).json
    assert [each["id"] for each in page["checkouts"]] == [own, second]
    rest = shop.get(
        "/api/checkouts", admin, params={"per_page": 2, "cursor": page["next_cursor"]}
    ).json
    assert rest["checkouts"][0]["id"] == first
    one = {"buyer_id": people[0].id}
    assert (ids(**one), ids(**one, state="settled")) == ([first], [])
    order = placed[1]["orders"][0]["number"].lower().replace("-", " ")
    for number in (placed[1]["number"], order):
        assert (ids(number=number), ids(people[1], number=number)) == ([second], [second])
        assert ids(people[0], number=number) == []
    for user, query in ((people[0], one), (admin, {"number": order, "state": "settled"})):
        answer = shop.get("/api/checkouts", user, params=query)
        problem(answer, 400, "filter_not_offered")


def test_another_way_to_pay_is_asked_with_a_key(shop: Api):
    buys = buyer(shop)
    put(shop, buys, (shop.product(seller(shop))["id"], 1))
    placed = place(shop, buys)
    path = f"/api/checkouts/{placed['id']}/payments"
    problem(shop.post(path, buys, json={"method": "transfer"}), 422, "idempotency_key_required")
    problem(
        shop.post(path, buys, json={"method": "cod"}, headers=key()), 409, "payment_not_offered"
    )
    changed = shop.post(path, buys, json={"method": "transfer"}, headers=key())
    assert changed.json["payments"][0]["id"] > placed["payments"][0]["id"]
    problem(
        shop.post(path, shop.buyer(), json={"method": "transfer"}, headers=key()), 404, "not_found"
    )
    shop.post(f"/api/checkouts/{placed['id']}/cancel", buys, json={})
    problem(shop.post(path, buys, json={"method": "transfer"}, headers=key()), 409, "not_payable")


def test_a_total_with_a_part_of_a_coin_cannot_be_paid(shop: Api):
    buys = buyer(shop)
    put(shop, buys, (shop.product(seller(shop), price="100.50")["id"], 1))
    quoted = shop.post("/api/checkout/quote", buys, json={}).json["problems"]
    assert [each["code"] for each in quoted] == ["total_not_payable"]
    problem(try_to_place(shop, buys), 422, "total_not_payable")


def test_an_amount_above_the_type_is_refused(shop: Api):
    buys = buyer(shop)
    dear = shop.product(seller(shop), price="9999999999999.99", stock=9)["id"]
    put(shop, buys, (dear, 2))
    problem(shop.post("/api/checkout/quote", buys, json={}), 422, "amount_too_large")
    assert Decimal(shop.get("/api/cart", buys).json["total"]) > 10**13


def test_ten_wait_for_payment_and_no_more(shop: Api):
    sells, buys = seller(shop), buyer(shop)
    line = {"lines": [{"product_id": shop.product(sells, stock=20)["id"], "quantity": 1}]}
    for _ in range(10):
        place(shop, buys, **line, buy_now=True)
    problem(try_to_place(shop, buys, **line, buy_now=True), 409, "too_many_unpaid")
