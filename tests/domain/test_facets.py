"""Facets of product lists: what is counted under which filters, and where counting ends."""

import pytest
from conftest import Api, User
from support.responses import problem

from marketplace.workflows import facets as workflow
from marketplace.workflows import listings


@pytest.fixture
def shop(api: Api) -> User:
    """Twelve products in a store: two brands, a tree of three categories, four prices, some sold
    out, one hidden.
    """
    seller, admin = api.seller(), api.admin()
    food = api.post("/api/categories", admin, json={"name": "Makanan faset"}).json["id"]
    coffee = api.post(
        "/api/categories", admin, json={"name": "Kopi faset", "parent_id": food}
    ).json["id"]
    tea = api.post("/api/categories", admin, json={"name": "Teh faset", "parent_id": food}).json[
        "id"
    ]
    for number in range(12):
        api.product(
            seller,
            name=f"Barang faset {number}",
            price=("15000.00", "30000.00", "75000.00", "0.50")[number % 4],
            stock=number % 3,
            category_id=(coffee, coffee, tea)[number % 3],
            brand=f"Merek faset {number % 2}",
        )
    hidden = api.product(seller, name="Barang faset tersembunyi", category_id=tea)
    api.delete(f"/api/products/{hidden['id']}", seller)
    seller.food, seller.coffee, seller.tea = food, coffee, tea
    return seller


def counted(api: Api, facets: str, **params) -> dict:
    answer = api.get("/api/products", params={"facets": facets, **params})
    assert answer.status_code == 200, answer.text
    return answer.json["facets"]


def names(choices: list[dict]) -> dict[str, int]:
    return {choice["name"]: choice["count"] for choice in choices}


def test_a_list_has_no_facets_unless_asked(api: Api, shop: User):
    assert "facets" not in api.get("/api/products").json


@pytest.mark.parametrize("by", ["store", "words"])
def test_every_facet_is_counted(api: Api, shop: User, by: str):
    filters = {"store_id": shop.store_id} if by == "store" else {"search": "barang faset"}
    found = counted(api, "category,brand,price,in_stock", **filters)

    assert found["exact"] is True
    assert names(found["category"]) == {"Makanan faset": 12}
    assert names(found["brand"]) == {"Merek faset 0": 6, "Merek faset 1": 6}
    assert found["in_stock"] == {"available": 8, "sold_out": 4}
    assert found["price"] == {
        "min": "0.50",
        "max": "75000.00",
        "ranges": [
            {"from": "0.00", "to": "1.00", "count": 3},
            {"from": "10000.00", "to": "20000.00", "count": 3},
            {"from": "20000.00", "to": "50000.00", "count": 3},
            {"from": "50000.00", "to": "100000.00", "count": 3},
        ],
    }


def test_categories_are_those_below_the_one_chosen(api: Api, shop: User):
    found = counted(api, "category", category_id=shop.food, store_id=shop.store_id)
    assert names(found["category"]) == {"Kopi faset": 8, "Teh faset": 4}
    assert counted(api, "category", category_id=shop.tea, store_id=shop.store_id)["category"] == []


def test_whole_categories_have_the_numbers_that_the_worker_keeps(api: Api, shop: User):
    assert counted(api, "category", category_id=shop.food)["category"] == []
    with api.as_owner(api.db.conn) as conn:
        conn.execute("SELECT refresh_category_counts()")
    assert names(counted(api, "category", category_id=shop.food)["category"]) == {
        "Kopi faset": 8,
        "Teh faset": 4,
    }


def test_a_facet_does_not_heed_its_own_filter(api: Api, shop: User):
    brand = api.get("/api/products", params={"store_id": shop.store_id}).json["products"][0][
        "brand_id"
    ]
    params = {
        "store_id": shop.store_id,
        "brand_id": brand,
        "max_price": "20000",
        "in_stock": "true",
    }
    found = counted(api, "brand,price,in_stock,category", **params)
    listed = api.get("/api/products", params=params).json["products"]

    assert len(found["brand"]) == 2
    assert sum(choice["count"] for choice in found["category"]) == len(listed)
    without = {name: value for name, value in params.items() if name != "in_stock"}
    assert sum(found["in_stock"].values()) == len(
        api.get("/api/products", params=without).json["products"]
    )
    without = {name: value for name, value in params.items() if name != "max_price"}
    expected = len(api.get("/api/products", params=without).json["products"])
    assert sum(step["count"] for step in found["price"]["ranges"]) == expected


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"category": "food"},
        {"category": "coffee", "brand": 1},
        {"category": "coffee", "min_price": "1000"},
        {"in_stock": "false", "category": "food"},
        {"search": "barang", "category": "tea"},
        {"search": "barang", "max_price": "20000"},
    ],
)
def test_counts_are_those_of_the_lists(api: Api, shop: User, filters: dict):
    params = {**filters, "store_id": shop.store_id}
    if "category" in params:
        params["category_id"] = getattr(shop, params.pop("category"))
    if "brand" in params:
        listed = api.get("/api/products", params={"store_id": shop.store_id}).json["products"]
        params["brand_id"] = listed[params.pop("brand")]["brand_id"]
    if params.get("in_stock") == "false":
        params.pop("store_id")  # with one owner only
    found = counted(api, "brand", **params)

    for choice in found["brand"]:
        expected = api.get("/api/products", params={**params, "brand_id": choice["id"]})
        if expected.status_code == 200:
            assert expected.json["total_items"] == choice["count"]


def test_past_a_cap_counts_are_lower_bounds_and_say_so(api: Api, shop: User, monkeypatch):
    monkeypatch.setattr(workflow, "MOST", 5)
    found = counted(api, "brand", store_id=shop.store_id)

    assert found["exact"] is False
    assert sum(choice["count"] for choice in found["brand"]) == 5


@pytest.mark.parametrize(("most", "exact"), [(6000, True), (3, False)])
def test_facets_of_crossing_filters_are_counted_of_what_the_page_has_read(
    api: Api, shop: User, monkeypatch, most: int, exact: bool
):
    monkeypatch.setattr(listings, "NARROW", most)
    params = {"store_id": shop.store_id, "category_id": shop.coffee, "max_price": "40000"}
    found = counted(api, "price,in_stock,brand", **params)

    assert found["exact"] is exact
    stock, steps = found["in_stock"], found["price"]["ranges"]
    if exact:
        assert stock == {"available": 3, "sold_out": 3}
        assert sum(step["count"] for step in steps) == 8
    else:
        assert sum(step["count"] for step in steps) == most + 1


def test_twenty_choices_at_most(api: Api, shop: User):
    for number in range(22):
        api.product(shop, name="Banyak", brand=f"Merek banyak {number:02}")
    assert len(counted(api, "brand", store_id=shop.store_id)["brand"]) == 20


def test_nothing_found_has_empty_facets(api: Api, shop: User):
    found = counted(api, "category,brand,price,in_stock", search="qzxqzx", store_id=shop.store_id)
    assert found == {
        "exact": True,
        "category": [],
        "brand": [],
        "price": {"min": None, "max": None, "ranges": []},
        "in_stock": {"available": 0, "sold_out": 0},
    }


def test_unknown_facets_are_refused_and_repeated_ones_harmless(api: Api, shop: User):
    problem(api.get("/api/products?facets=colour"), 422, "validation_failed")
    assert set(counted(api, "brand,brand", store_id=shop.store_id)) == {"exact", "brand"}


def test_a_cursor_goes_on_without_the_facets(api: Api, shop: User):
    first = api.get(
        "/api/products", params={"store_id": shop.store_id, "per_page": 5, "facets": "brand"}
    )
    assert "facets" not in first.headers["Link"]
    cursor = first.json["next_cursor"]
    params = {"store_id": shop.store_id, "per_page": 5, "cursor": cursor}
    rest = api.get("/api/products", params=params).json
    assert "facets" not in rest
    assert len(rest["products"]) == 5
    assert "brand" in counted(api, "brand", **params)
