"""What cannot be placed: each fault has its code and names its product, variant or store; nothing is
held and nothing written.
"""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from conftest import Api, User
from support.buying import HOME, buyer, opened, place, put, quote, seller, try_to_place
from support.responses import problem
from support.stock import add_variants

from marketplace.queries import checkouts


@pytest.fixture
def shop(config, shared_database: str) -> Iterator[Api]:
    with opened(config, shared_database) as api:
        yield api


def owner(shop: Api, statement: str, *values: Any) -> Any:
    """What a statement of the tables' owner returns."""
    with shop.as_owner(shop.db.conn) as conn:
        cursor = conn.execute(statement, values)
        return cursor.fetchone() if cursor.description else None


def refused(shop: Api, buys: User, status: int, code: str, **body: Any) -> dict[str, Any]:
    """The problem of a place that is refused; nothing of it is left, and the cart is as it was."""
    counted = (
        "SELECT (SELECT count(*) FROM checkouts) AS checkouts, (SELECT count(*) FROM holds) AS holds,"
        " (SELECT sum(reserved) FROM inventory) AS reserved, (SELECT count(*) FROM events) AS events"
    )
    before, cart = owner(shop, counted), shop.get("/api/cart", buys).json
    found = problem(try_to_place(shop, buys, **{"expected_total": "94000", **body}), status, code)
    assert owner(shop, counted) == before
    after = shop.get("/api/cart", buys).json
    assert (after["version"], after["count"]) == (cart["version"], cart["count"])
    return found


def about(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Pointer, code, and what each error is about."""
    names = ("pointer", "code", "product_id", "variant_id", "store_id")
    return [tuple(error.get(name) for name in names) for error in found["errors"]]


def test_lines_that_cannot_be_bought_are_named(shop: Api):
    sells, buys = seller(shop), buyer(shop)
    store, product = sells.store_id, shop.product(sells)["id"]
    put(shop, buys, (product, 1))

    def turn(statement: str) -> None:
        owner(shop, statement.replace("WHERE", f"WHERE id = {product} AND"))

    line = [("/lines", "min_quantity", product, None, store)]
    turn("UPDATE products SET min_quantity = 2 WHERE true")
    assert about(refused(shop, buys, 409, "min_quantity")) == line
    turn("UPDATE products SET min_quantity = 1, max_per_buyer = 1 WHERE true")
    two = [{"product_id": product, "quantity": 2}]
    found = refused(shop, buys, 409, "max_per_buyer", lines=two, buy_now=True)
    assert about(found) == [("/lines", "max_per_buyer", product, None, store)]
    turn("UPDATE products SET max_per_buyer = NULL WHERE true")
    for stopped in (
        "UPDATE stores SET state = 'suspended' WHERE id = %s",
        "UPDATE stores SET state = 'active', closed_until = now() + interval '1 day' WHERE id = %s",
    ):
        owner(shop, stopped, store)
        found = refused(shop, buys, 409, "store_closed")
        assert about(found) == [("/lines", "store_closed", product, None, store)]
    owner(shop, "UPDATE stores SET closed_until = NULL WHERE id = %s", store)
    for change in ({"hidden": True}, {"hidden": False}, {"blocked": "counterfeit"}):
        shop.patch(f"/api/products/{product}", shop.admin(), json=change)
        if change == {"hidden": False}:
            continue
        (word,) = refused(shop, buys, 409, "total_changed")["quote"]["problems"]
        assert (word["code"], word["product_id"], word["store_id"]) == ("hidden", product, store)
    for gone in (2**40, product + 2**40):
        wanted = [{"product_id": gone, "quantity": 1}]
        found = refused(shop, buys, 422, "validation_failed", lines=wanted, buy_now=True)
        assert about(found) == [("/lines", "invalid", gone, None, None)]


def test_a_variant_of_another_product_and_ones_own_goods_are_named(shop: Api):
    sells, buys = seller(shop), buyer(shop)
    plain, turned = (shop.product(sells)["id"] for _ in range(2))
    with shop.as_owner(shop.db.conn) as conn:
        red, _ = add_variants(conn, turned, [2, 0])
    put(shop, buys, (plain, 1))
    foreign = [{"product_id": plain, "variant_id": red, "quantity": 1}]
    found = refused(shop, buys, 422, "validation_failed", lines=foreign, buy_now=True)
    assert about(found)[0][:4] == ("/lines", "invalid", plain, red)
    bare = [{"product_id": turned, "quantity": 1}]
    found = refused(shop, buys, 409, "variant_required", lines=bare, buy_now=True)
    assert about(found) == [("/lines", "variant_required", turned, None, sells.store_id)]
    shop.post("/api/users/addresses", sells, json=HOME)
    put(shop, sells, (plain, 1))
    found = refused(shop, sells, 409, "self_purchase")
    assert about(found) == [("/lines", "self_purchase", plain, None, sells.store_id)]


def test_ways_to_send_are_refused_with_their_store(shop: Api):
    sells, other, buys = seller(shop), seller(shop), buyer(shop)
    store = sells.store_id
    put(shop, buys, (shop.product(sells)["id"], 1))
    path = "/api/stores/mine/delivery-options"
    foreign = shop.get(path, other).json["delivery_options"][0]["id"]
    far = {"name": "Kapal", "pricing": "flat", "price": "1", "areas": ["SG"]}
    nowhere = shop.post(path, sells, json=far).json["id"]
    for key_of in (foreign, nowhere, "x"):
        orders = [{"store_id": store, "delivery": str(key_of)}]
        found = refused(shop, buys, 422, "delivery_not_offered", orders=orders)
        assert about(found) == [("/orders/0/delivery", "delivery_not_offered", None, None, store)]
    found = refused(shop, buys, 422, "validation_failed", orders=[{"store_id": other.store_id}])
    assert about(found) == [("/orders/0/store_id", "invalid", None, None, other.store_id)]
    twice = [{"store_id": store}, {"store_id": store, "note": "dua"}]
    found = refused(shop, buys, 422, "validation_failed", orders=twice)
    assert about(found) == [("/orders/1/store_id", "repeated", None, None, store)]
    owner(shop, "UPDATE delivery_options SET active = false WHERE store_id = %s", store)
    found = refused(shop, buys, 422, "delivery_not_offered")
    assert about(found) == [("/orders", "delivery_not_offered", None, None, store)]


def test_an_address_is_ones_own_and_complete(shop: Api):
    buys, other = buyer(shop), buyer(shop)
    put(shop, buys, (shop.product(seller(shop))["id"], 1))
    theirs = shop.get("/api/users/addresses", other).json["addresses"][0]["id"]
    found = refused(shop, buys, 422, "address_required", address_id=theirs)
    assert about(found)[0][:2] == ("/address_id", "address_required")
    for missing in ("district", "postcode"):
        answer = shop.post("/api/users/addresses", buys, json={**HOME, missing: None})
        problem(answer, 422, "address_incomplete")


def test_vouchers_are_refused_by_their_place_and_reason(shop: Api):
    sells, other, buys = seller(shop), seller(shop), buyer(shop)
    put(shop, buys, (shop.product(sells)["id"], 1))
    path = "/api/stores/mine/vouchers"

    def add(user: User, code: str, **fields: Any) -> None:
        body = {"name": "Hemat", "gives": "percent", "value": "10", "code": code, **fields}
        assert shop.post(path, user, json=body).status_code == 201

    add(other, "TETANGGA")
    add(sells, "BESOK", starts_at="2126-12-01T00:00:00Z")
    add(sells, "LALU", starts_at="2025-12-01T00:00:00Z")
    add(sells, "BESAR", min_total="100000")
    add(sells, "HABIS", quota=1)
    add(sells, "BAIK")
    owner(shop, "UPDATE vouchers SET ends_at = now() - interval '1 day' WHERE code = 'LALU'")
    owner(shop, "UPDATE vouchers SET used = 1 WHERE code = 'HABIS'")
    for code in ("TETANGGA", "BESOK", "LALU", "TIDAKADA"):
        found = refused(shop, buys, 422, "voucher_invalid", vouchers=["BAIK", code])
        assert about(found) == [("/vouchers/1", "voucher_invalid", None, None, None)]
    found = refused(shop, buys, 422, "voucher_invalid", vouchers=["BAIK", "BAIK", "BESAR"])
    assert about(found)[0][:2] == ("/vouchers/2", "min_total")
    found = refused(shop, buys, 409, "voucher_used_up", vouchers=["HABIS"])
    assert about(found)[0][:2] == ("/vouchers/0", "used_up")
    asked = quote(shop, buys, vouchers=["baik", "BAIK"])  # as people type it, once
    assert (asked["discount_total"], asked["vouchers"][0]["applied"]) == ("8500.00", True)
    refused(shop, buys, 422, "validation_failed", vouchers=["BAIK"] * 100)


def test_a_cart_that_changed_since_the_quote_is_not_placed(shop: Api):
    buys = buyer(shop)
    product = shop.product(seller(shop))["id"]
    put(shop, buys, (product, 2))
    lines = [{"product_id": product, "quantity": 2}]
    total = quote(shop, buys, lines=lines)["total"]
    put(shop, buys, (product, 1))
    found = refused(shop, buys, 409, "cart_empty", lines=lines, expected_total=total)
    assert about(found)[0][:3] == ("/lines", "cart_empty", product)
    found = refused(shop, buys, 409, "total_changed", expected_total=total)
    assert place(shop, buys, expected_total=found["quote"]["total"])["units"] == 1


#: What somebody else does between the look and the locks -> how it is refused then.
MEANWHILE = {
    "UPDATE products SET price = 90000 WHERE id = {product}": "total_changed",
    "UPDATE products SET hidden = true WHERE id = {product}": "total_changed",
    "UPDATE delivery_options SET price = 9500 WHERE store_id = {store}": "total_changed",
    "UPDATE delivery_options SET active = false WHERE store_id = {store}": "delivery_not_offered",
    "UPDATE stores SET state = 'suspended' WHERE id = {store}": "store_closed",
    "UPDATE products SET max_per_buyer = 1 WHERE id = {product}": "max_per_buyer",
    "UPDATE vouchers SET used = 1 WHERE store_id = {store}": "voucher_used_up",
    "UPDATE inventory SET quantity = 1 WHERE product_id = {product}": "not_enough_stock",
}


def test_what_changes_between_the_look_and_the_locks_is_named_as_if_it_had_been_seen(
    committed: Api, monkeypatch: pytest.MonkeyPatch
):
    buys, looked, others = buyer(committed), checkouts.place, []

    def overtaken(conn: Any, document: Any) -> int:
        with psycopg.connect(committed.owner_url) as other:
            other.execute(others[-1])
        return looked(conn, document)

    monkeypatch.setattr(checkouts, "place", overtaken)
    for number, (statement, code) in enumerate(MEANWHILE.items()):
        sells = seller(committed)
        product = committed.product(sells)["id"]
        voucher = {"name": "Hemat", "gives": "percent", "value": "10", "code": f"HEMAT{number}"}
        committed.post("/api/stores/mine/vouchers", sells, json={**voucher, "quota": 1})
        committed.delete("/api/cart", buys)
        put(committed, buys, (product, 2))
        codes = [f"hemat{number}"]
        total = quote(committed, buys, vouchers=codes)["total"]
        others.append(statement.format(product=product, store=sells.store_id))
        answer = try_to_place(committed, buys, "cod", vouchers=codes, expected_total=total)
        found = problem(answer, 422 if code == "delivery_not_offered" else 409, code)
        if code == "total_changed":
            (order,) = found["quote"]["orders"]
            assert found["quote"]["problems"] or found["quote"]["total"] != total
            assert order["store"]["id"] == sells.store_id
        elif code == "voucher_used_up":
            assert about(found)[0][:2] == ("/vouchers/0", "used_up")
        else:
            named = found["errors"][0]
            assert sells.store_id == named.get("store_id") or product == named["product_id"]
    with psycopg.connect(committed.owner_url) as conn:
        assert conn.execute("SELECT count(*) FROM checkouts").fetchone() == (0,)
        assert conn.execute("SELECT sum(reserved) FROM inventory").fetchone() == (0,)
