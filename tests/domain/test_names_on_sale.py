"""Which brands and categories guests see: those that are kept, and those that something on sale has."""

from typing import Any

import psycopg
import pytest
from conftest import Api
from support.feed_reader import reader, settled, told
from support.import_shop import Shop
from support.responses import problem

from marketplace.queries import brands, categories

HIDDEN = "name,sku,price,category,brand,hidden\nA,S-1,1,Dapur > Panci,Rahasia,{hidden}\n"


def shown(api: Api) -> dict[str, list[str]]:
    """The names that a guest finds: in lists, suggestions and the change feed."""
    tree = api.get("/api/categories").json["categories"]
    found = {
        "brands": [each["name"] for each in api.get("/api/brands").json["brands"]],
        "categories": [each["name"] for top in tree for each in (top, *top["children"])],
    }
    for kind, word in (("brands", "raha"), ("categories", "panc")):
        suggested = api.get("/api/products/suggest", params={"q": word}).json[kind]
        assert [each["name"] for each in suggested] == found[kind][-1:]
    return found


def settle(shop: Shop) -> None:
    with shop.db.working() as conn:
        brands.settle(conn, None)
        categories.clear(conn)


def only(shop: Shop, table: str) -> int:
    return int(shop.value(f"SELECT max(id) FROM {table}"))  # noqa: S608


def test_names_that_only_a_hidden_product_has_are_nowhere(shop: Shop):
    api = shop.api
    number = shop.send(HIDDEN.format(hidden="true"))
    assert shop.run(number)["rows_created"] == 1
    brand, category = only(shop, "brands"), only(shop, "categories")
    product = api.get("/api/stores/mine/products", shop.seller).json["products"][0]
    for _ in range(2):
        assert shown(api) == {"brands": [], "categories": []}
        problem(api.get(f"/api/brands/{brand}"), 404, "not_found")
        problem(api.get(f"/api/categories/{category}"), 404, "not_found")
        settle(shop)
    assert product["brand"]["name"] == "Rahasia"  # its seller sees it
    assert product["category"]["name"] == "Panci"


def test_names_are_seen_with_their_first_product_on_sale_and_go_with_the_last(shop: Shop):
    api = shop.api
    both = {"brands": ["Rahasia"], "categories": ["Dapur", "Panci"]}
    shop.run(shop.send(HIDDEN.format(hidden="true")))
    path = f"/api/products/{only(shop, 'products')}"
    for hidden in (False, True, False):
        assert api.patch(path, shop.seller, json={"hidden": hidden}).status_code == 200
        if hidden:
            settle(shop)
        assert shown(api) == ({"brands": [], "categories": []} if hidden else both)
    assert api.get(f"/api/brands/{only(shop, 'brands')}").status_code == 200
    found = api.get(f"/api/categories/{only(shop, 'categories')}").json
    assert [each["name"] for each in found["path"]] == ["Dapur"]


def test_names_of_an_import_on_sale_are_seen_at_once(shop: Shop):
    shop.run(shop.send(HIDDEN.format(hidden="false")))
    assert shown(shop.api) == {"brands": ["Rahasia"], "categories": ["Dapur", "Panci"]}


@pytest.mark.parametrize("change", [{"brand": "Rahasia"}, {"hidden": False, "brand": "Rahasia"}])
def test_a_brand_is_seen_when_a_product_on_sale_gets_it(api: Api, change: dict[str, Any]):
    seller = api.seller()
    api.product(seller, hidden=True, brand="Rahasia")
    other = api.product(seller, hidden="hidden" in change)
    assert api.get("/api/brands").json["brands"] == []
    assert api.patch(f"/api/products/{other['id']}", seller, json=change).status_code == 200
    assert [each["name"] for each in api.get("/api/brands").json["brands"]] == ["Rahasia"]


def test_what_an_admin_makes_or_changes_is_seen_at_once(shop: Shop):
    api, admin = shop.api, shop.api.admin()
    shop.run(shop.send(HIDDEN.format(hidden="true")))
    brand, category = only(shop, "brands"), only(shop, "categories")
    assert api.put(f"/api/brands/{brand}", admin, json={"name": "Rahasia"}).status_code == 200
    assert (
        api.patch(f"/api/categories/{category}", admin, json={"name": "Panci"}).status_code == 200
    )
    api.post("/api/brands", admin, json={"name": "Abadi"})
    settle(shop)
    assert [each["name"] for each in api.get("/api/brands").json["brands"]] == ["Abadi", "Rahasia"]
    assert api.get(f"/api/categories/{category}").json["name"] == "Panci"


def test_products_of_a_removed_brand_may_move_to_one_that_nobody_sees(api: Api):
    seller, admin = api.seller(), api.admin()
    hidden = api.product(seller, hidden=True, brand="Rahasia")
    gone = api.product(seller, brand="Lama")["brand_id"]
    moved = api.delete(f"/api/brands/{gone}", admin, params={"move_to": hidden["brand_id"]})
    assert moved.status_code == 204
    assert [each["name"] for each in api.get("/api/brands").json["brands"]] == ["Rahasia"]


def test_the_trail_has_no_word_of_it(shop: Shop):
    shop.api.product(shop.seller, hidden=True, brand="Rahasia")
    before = shop.value("SELECT count(*) FROM audit WHERE type IN ('brand', 'category')")
    path = f"/api/products/{only(shop, 'products')}"
    shop.api.patch(path, shop.seller, json={"hidden": False})
    assert shop.rows("SELECT listed FROM brands") == [{"listed": True}]
    after = shop.value("SELECT count(*) FROM audit WHERE type IN ('brand', 'category')")
    assert after == before


def test_nobody_waits_for_whoever_removes_a_brand(shop: Shop):
    """An admin holds the brand and waits for its products: waiting for the brand would be a circle."""
    api = shop.api
    product = api.product(shop.seller, hidden=True, brand="Rahasia")
    with psycopg.connect(api.owner_url) as remover:
        remover.execute("SELECT FROM brands FOR NO KEY UPDATE")
        shown_again = api.patch(
            f"/api/products/{product['id']}", shop.seller, json={"hidden": False}
        )
        assert shown_again.status_code == 200
    assert api.get("/api/brands").json["brands"] == []
    settle(shop)
    assert len(api.get("/api/brands").json["brands"]) == 1


def test_the_worker_waits_for_nobody_and_takes_out_nothing_that_is_being_shown(shop: Shop):
    api = shop.api
    product = api.product(shop.seller, brand="Rahasia")["id"]
    api.patch(f"/api/products/{product}", shop.seller, json={"hidden": True})
    with psycopg.connect(api.owner_url) as seller:
        seller.execute("UPDATE products SET hidden = false WHERE id = %s", [product])
        with shop.db.working() as conn:
            assert brands.settle(conn, None) == 0
    assert [each["name"] for each in api.get("/api/brands").json["brands"]] == ["Rahasia"]


@pytest.mark.alone
def test_the_feed_tells_of_names_when_guests_may_see_them(shop: Shop):
    api = shop.api
    shop.run(shop.send(HIDDEN.format(hidden="true")))
    brand, category, product = (only(shop, name) for name in ("brands", "categories", "products"))
    top = category - 1
    copy = reader(api)
    settled(api)
    copy.catch_up()
    assert {kind for kind, _ in copy.things} == {"store"}
    named = [("brand", brand), ("category", top), ("category", category)]
    for hidden in (False, True):
        api.patch(f"/api/products/{product}", shop.seller, json={"hidden": hidden})
        if hidden:
            told(copy, api)
            settle(shop)
        found = told(copy, api)
        assert [each for each in found if each[0] != "product"] == [
            (*each, hidden) for each in named
        ]
