"""Lists of products: filters, orders, pages and cursors."""

import itertools

import pytest
from conftest import Api, User
from support.responses import problem


@pytest.fixture
def shop(api: Api) -> User:
    """A store of 12 products in a small tree of categories, and all that filters can tell apart."""
    seller, admin = api.seller(), api.admin()
    food = api.post("/api/categories", admin, json={"name": "Makanan uji"}).json["id"]
    coffee = api.post("/api/categories", admin, json={"name": "Kopi uji", "parent_id": food}).json[
        "id"
    ]
    for number in range(12):
        api.product(
            seller,
            name=f"{'Zebra' if number % 2 else 'Apel'} nomor {number:02}",
            price=f"{(number * 7) % 12}.50",
            stock=number % 4,
            category_id=coffee if number % 3 == 0 else food,
            brand=f"Merek {number % 2}",
        )
    shop = seller
    shop.food, shop.coffee = food, coffee
    return shop


def listed(api: Api, **params) -> list[dict]:
    answer = api.get("/api/products", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json["products"]


def test_a_page_says_where_it_stands(api: Api, shop: User):
    answer = api.get(
        "/api/products", params={"store_id": shop.store_id, "page": 2, "per_page": 5}
    ).json

    assert len(answer["products"]) == 5
    expected = {
        "total_items": 12,
        "total_pages": 3,
        "current_page": 2,
        "per_page": 5,
        "has_next": True,
        "has_prev": True,
        "total_exact": True,
    }
    assert {name: answer[name] for name in expected} == expected


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"category": "food"},
        {"category": "coffee"},
        {"in_stock": "true"},
        {"search": "nomor"},
        {"min_price": "3", "max_price": "8"},
    ],
)
@pytest.mark.parametrize(
    ("sort_by", "sort_order"), list(itertools.product(["newest", "price", "name"], ["asc", "desc"]))
)
def test_cursor_and_pages_go_through_the_same_rows(
    api: Api, shop: User, filters: dict, sort_by: str, sort_order: str
):
    params = {"store_id": shop.store_id, "sort_by": sort_by, "sort_order": sort_order, **filters}
    category = params.pop("category", None)
    if category:
        params["category_id"] = getattr(shop, category)
    whole = listed(api, **params, per_page=100)
    pages = [
        product
        for page in (1, 2, 3, 4, 5)
        for product in listed(api, **params, page=page, per_page=3)
    ]
    walked, cursor = [], None
    while True:
        answer = api.get(
            "/api/products",
            params={**params, "per_page": 5, **({"cursor": cursor} if cursor else {})},
        ).json
        walked += answer["products"]
        cursor = answer["next_cursor"]
        if cursor is None:
            break

    assert whole == pages == walked
    assert len(whole) > 1
    keys = {
        "newest": lambda p: p["id"],
        "price": lambda p: float(p["price"]),
        "name": lambda p: p["name"].lower(),
    }
    ordered = [keys[sort_by](product) for product in whole]
    assert ordered == sorted(ordered, reverse=sort_order == "desc")


def test_a_category_is_taken_with_its_subtree(api: Api, shop: User):
    assert len(listed(api, category_id=shop.food)) == 12
    assert len(listed(api, category_id=shop.coffee)) == 4


def test_filters_combine(api: Api, shop: User):
    brand = listed(api, store_id=shop.store_id)[0]["brand_id"]
    found = listed(
        api,
        store_id=shop.store_id,
        brand_id=brand,
        in_stock="true",
        min_price="1",
        max_price="9",
        search="nomor",
        category_id=shop.food,
    )

    assert found
    for product in found:
        assert product["brand_id"] == brand
        assert product["in_stock"]
        assert 1 <= float(product["price"]) <= 9


def test_words_are_found_without_regard_to_case_and_accents(api: Api):
    seller = api.seller()
    api.product(seller, name="Café Crème")

    for words in ("cafe", "CRÈME", "creme café"):
        assert len(listed(api, store_id=seller.store_id, search=words)) == 1
    assert listed(api, store_id=seller.store_id, search="teh") == []


@pytest.mark.parametrize(
    "words",
    [
        "'",
        '"',
        "\\",
        "%",
        "_",
        "!&|()",
        ":*",
        "a:b",
        "<->",
        "-",
        "-kopi",
        '"kopi',
        "or",
        "\u200f",
        "𝕏",
        "'; DROP TABLE users; --",
        "-" * 64,
        "- " * 60,
        '-"' * 60,
        "a " + "-b " * 60,
    ],
)
def test_no_word_breaks_the_search(api: Api, words: str):
    assert api.get("/api/products", params={"search": words}).status_code in (200, 422)


def test_an_order_without_an_index_is_refused_by_name(api: Api, shop: User):
    problem(api.get("/api/products", params={"sort_by": "relevance"}), 400, "sort_not_offered")


@pytest.mark.parametrize("path", ["/api/products", "/api/stores/mine/products"])
@pytest.mark.parametrize("filters", ["", "&in_stock=true", "&search=kopi", "&ids=1", "&page=2"])
def test_no_list_is_in_the_order_of_stock(api: Api, shop: User, path: str, filters: str):
    user = shop if "mine" in path else None
    problem(api.get(f"{path}?sort_by=stock{filters}", user), 400, "sort_not_offered")


def test_a_cursor_is_bound_to_its_list(api: Api, shop: User):
    cursor = api.get("/api/products", params={"store_id": shop.store_id, "per_page": 2}).json[
        "next_cursor"
    ]

    for params in (
        {"cursor": cursor},
        {"cursor": cursor, "store_id": shop.store_id, "sort_by": "price"},
        {"cursor": ("B" if cursor[0] == "A" else "A") + cursor[1:], "store_id": shop.store_id},
        {"cursor": "x", "store_id": shop.store_id},
    ):
        problem(api.get("/api/products", params=params), 400, "invalid_cursor")
    both = api.get("/api/products", params={"cursor": cursor, "page": 1, "store_id": shop.store_id})
    problem(both, 422, "validation_failed")


def test_a_cursor_stands_in_the_link_header_too(api: Api, shop: User):
    answer = api.get("/api/products", params={"store_id": shop.store_id, "per_page": 7})
    link = answer.headers["link"]
    assert "rel=next" in link.replace('"', "")
    target = link[link.index("<") + 1 : link.index(">")]

    assert len(api.get(target).json["products"]) == 5


def test_pages_end_where_the_cursor_goes_on(api: Api):
    problem(api.get("/api/products", params={"page": 101, "per_page": 100}), 400, "page_too_deep")
    assert api.get("/api/products", params={"page": 100, "per_page": 100}).json["products"] == []


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=x",
        "per_page=101",
        "per_page=1.0",
        "colour=red",
        "category_id=１",
        "min_price=-1",
        "in_stock=maybe",
        "ids=",
        "ids=1,",
        "sort_by=id",
    ],
)
def test_a_wrong_parameter_is_named(api: Api, query: str):
    if query == "ids=":  # an empty parameter is as good as none
        assert api.get("/api/products?ids=").status_code == 200
        return
    found = problem(api.get(f"/api/products?{query}"), 422, "validation_failed")
    assert found["errors"][0]["pointer"] == "/" + query.split("=")[0]


def test_a_parameter_stands_once(api: Api):
    problem(api.get("/api/products?page=1&page=2"), 422, "validation_failed")
    problem(api.get("/api/products?search=%ff"), 400, "invalid_query")


def test_a_trailing_slash_is_as_good_as_none(api: Api):
    assert api.get("/api/products/").status_code == 200


def test_stock_crossing_zero_moves_a_product_between_lists(api: Api, shop: User):
    product = listed(api, category_id=shop.coffee, in_stock="true")[0]
    api.patch(f"/api/products/{product['id']}", shop, json={"stock": 0})

    assert product["id"] not in [
        found["id"] for found in listed(api, category_id=shop.coffee, in_stock="true")
    ]
    assert product["id"] in [
        found["id"] for found in listed(api, category_id=shop.coffee, in_stock="false")
    ]
