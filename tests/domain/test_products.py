"""Products: adding, changing, hiding, and who may."""

import pytest
from conftest import Api
from support.images import picture
from support.responses import problem


def test_a_product_is_answered_as_the_contract_says(api: Api):
    seller = api.seller("Toko Kopi")
    product = api.product(
        seller,
        name="Kopi Gayo",
        price="12500.5",
        stock=3,
        sku="KG-1",
        brand="Gayo Asli",
        source_url="https://example.com/kopi",
        description="Wangi\nsekali",
    )

    assert product["price"] == "12500.50"
    assert product["currency"] == "IDR"
    assert (product["stock"], product["in_stock"], product["hidden"], product["version"]) == (
        3,
        True,
        False,
        1,
    )
    assert product["store"] == {
        "id": seller.store_id,
        "name": "Toko Kopi",
        "logo_url": None,
        "city": None,
        "closed_until": None,
    }
    assert product["brand"] == {"id": product["brand_id"], "name": "Gayo Asli"}
    assert (product["category_id"], product["category"], product["images"]) == (None, None, [])
    assert product["slug"] == "kopi-gayo"
    assert product["description"] == "Wangi\nsekali"
    assert product["created_at"].endswith("Z")
    assert api.get(f"/api/products/{product['id']}").json == product
    listed = api.get("/api/products", params={"ids": str(product["id"])}).json["products"]
    details = {
        "description",
        "sold",
        "condition",
        "min_quantity",
        "max_per_buyer",
        "preorder_days",
        "weight_grams",
        "length_cm",
        "width_cm",
        "height_cm",
        "blocked",
        "variants",
    }
    assert listed == [{name: value for name, value in product.items() if name not in details}]


@pytest.mark.parametrize(
    ("price", "stored"),
    [("0", "0.00"), (12500, "12500.00"), (0.1, "0.10"), ("9999999999999.99", "9999999999999.99")],
)
def test_a_price_is_a_text_or_a_number_and_never_a_float(api: Api, price, stored):
    assert api.product(api.seller(), price=price)["price"] == stored


@pytest.mark.parametrize(
    "price",
    [
        "1.234",
        1.234,
        -1,
        "-1",
        "NaN",
        "Infinity",
        "1e400",
        1e300,
        "１２",
        "12 500",
        "",
        None,
        True,
        [],
        {},
        "10000000000000",
    ],
)
def test_a_price_that_is_none_is_refused(api: Api, price):
    answer = api.post("/api/products", api.seller(), json={"name": "x", "price": price})

    assert [error["pointer"] for error in problem(answer, 422, "validation_failed")["errors"]] == [
        "/price"
    ]


def test_only_sellers_with_a_store_add_products(api: Api):
    body = {"name": "x", "price": "1"}

    problem(api.post("/api/products", json=body), 401, "unauthorized")
    problem(api.post("/api/products", api.buyer(), json=body), 403, "forbidden")
    problem(api.post("/api/products", api.register("seller"), json=body), 409, "store_required")


def test_an_admin_names_the_store(api: Api):
    admin, seller = api.admin(), api.seller()
    body = {"name": "x", "price": "1"}

    problem(api.post("/api/products", admin, json=body), 409, "store_required")
    problem(
        api.post("/api/products", admin, json={**body, "store_id": 2**62}), 422, "validation_failed"
    )
    assert (
        api.post("/api/products", admin, json={**body, "store_id": seller.store_id}).json["store"][
            "id"
        ]
        == seller.store_id
    )
    problem(
        api.post("/api/products", api.seller(), json={**body, "store_id": seller.store_id}),
        404,
        "not_found",
    )


def test_sku_and_link_are_unique_within_a_store_only(api: Api):
    seller = api.seller()
    api.product(seller, sku="A", source_url="https://example.com/a")

    problem(
        api.post("/api/products", seller, json={"name": "x", "price": "1", "sku": "A"}),
        409,
        "sku_taken",
    )
    again = {"name": "x", "price": "1", "source_url": "https://example.com/a"}
    problem(api.post("/api/products", seller, json=again), 409, "source_url_taken")
    api.product(api.seller(), sku="A", source_url="https://example.com/a")


def test_a_product_is_got_edited_and_put_back(api: Api):
    seller = api.seller()
    product = api.product(seller, brand="Gayo", sku="K", description="old")
    answer = api.put(f"/api/products/{product['id']}", seller, json={**product, "price": "99.90"})

    assert answer.status_code == 200, answer.text
    expected = {**product, "price": "99.90", "version": 2, "updated_at": answer.json["updated_at"]}
    assert answer.json == expected
    assert api.get(f"/api/products/{product['id']}").json == expected


def test_put_replaces_and_leaves_the_stock_unless_given(api: Api):
    seller = api.seller()
    product = api.product(seller, sku="K", description="old", stock=7)
    answer = api.put(
        f"/api/products/{product['id']}", seller, json={"name": "new", "price": "1"}
    ).json

    assert (answer["name"], answer["sku"], answer["description"], answer["stock"]) == (
        "new",
        None,
        None,
        7,
    )


def test_patch_changes_what_is_given(api: Api):
    seller = api.seller()
    product = api.product(seller, sku="K", description="old", stock=7)
    answer = api.patch(
        f"/api/products/{product['id']}", seller, json={"stock": 0, "sku": None}
    ).json

    assert (
        answer["name"],
        answer["sku"],
        answer["description"],
        answer["stock"],
        answer["in_stock"],
    ) == (
        product["name"],
        None,
        "old",
        0,
        False,
    )
    problem(
        api.patch(f"/api/products/{product['id']}", seller, json={"name": None}),
        422,
        "validation_failed",
    )


def test_a_change_of_stock_alone_is_no_new_version(api: Api):
    seller = api.seller()
    product = api.product(seller, stock=7)

    assert (
        api.patch(f"/api/products/{product['id']}", seller, json={"stock": 3}).json["version"] == 1
    )


def test_a_removed_product_is_hidden_and_can_be_shown_again(api: Api):
    seller = api.seller()
    path = f"/api/products/{api.product(seller)['id']}"

    assert api.delete(path, seller).status_code == 204
    assert api.delete(path, seller).status_code == 204
    problem(api.get(path), 404, "not_found")
    problem(api.get(path, api.seller()), 404, "not_found")
    assert api.get(path, seller).json["hidden"] is True
    assert api.get("/api/products", params={"store_id": seller.store_id}).json["products"] == []
    assert api.get("/api/stores/mine/products", seller).json["total_items"] == 1

    assert api.patch(path, seller, json={"hidden": False}).json["hidden"] is False
    assert api.get(path).status_code == 200


def test_somebody_elses_product_is_not_there(api: Api):
    product = api.product(api.seller())
    path, other = f"/api/products/{product['id']}", api.seller()
    body = {"name": "mine now", "price": "1"}

    problem(api.put(path, other, json=body), 404, "not_found")
    problem(api.patch(path, other, json=body), 404, "not_found")
    problem(api.delete(path, other), 404, "not_found")
    problem(api.upload(f"{path}/images", other, [("images", "a", picture())]), 404, "not_found")
    assert api.get(path).json == product
    assert api.put(path, api.admin(), json=body).json["name"] == "mine now"


def test_a_product_comes_with_its_main_picture_in_one_call(api: Api):
    seller = api.seller()
    answer = api.upload(
        "/api/products",
        seller,
        [("main_image", "foto", picture())],
        {"name": "Kopi", "price": "12000.0", "stock": "4", "description": "x"},
    )

    assert answer.status_code == 201, answer.text
    assert (answer.json["price"], answer.json["stock"]) == ("12000.00", 4)
    image = answer.json["images"][0]
    assert image["is_main"] is True
    assert (image["width"], image["height"]) == (300, 200)
    assert {size["name"] for size in image["variants"]} == {"thumb", "small", "large"}
    assert image["placeholder"]
    assert api.get(image["image_url"].removeprefix("http://falconframework.org")).status_code == 200


def test_nothing_is_stored_when_one_of_several_pictures_is_refused(api: Api):
    seller = api.seller()
    path = f"/api/products/{api.product(seller)['id']}"
    answer = api.upload(
        f"{path}/images",
        seller,
        [("images", "good.png", picture(kind="PNG")), ("images", "bad.jpg", b"\xff\xd8 no")],
    )

    assert "bad.jpg" in problem(answer, 422, "picture_refused")["errors"][0]["message"]
    assert api.get(path).json["images"] == []


def test_pictures_have_one_main_and_an_order(api: Api):
    seller = api.seller()
    path = f"/api/products/{api.product(seller)['id']}"
    files = [
        ("images", "a", picture(colour=(1, 200, 1))),
        ("images", "b", picture(colour=(1, 1, 200))),
    ]
    first, second = api.upload(f"{path}/images", seller, files).json["images"]
    assert (first["is_main"], second["is_main"]) == (True, False)

    assert (
        api.patch(
            f"{path}/images/{second['id']}", seller, json={"is_main": True, "alt": "Biru"}
        ).status_code
        == 200
    )
    images = api.get(path).json["images"]
    assert [(image["id"], image["is_main"], image["alt"]) for image in images] == [
        (second["id"], True, "Biru"),
        (first["id"], False, None),
    ]

    assert api.delete(f"{path}/images/{second['id']}", seller).status_code == 204
    assert [image["is_main"] for image in api.get(path).json["images"]] == [True]
    problem(api.delete(f"{path}/images/{second['id']}", seller), 404, "not_found")


def test_a_product_has_at_most_so_many_pictures(api: Api):
    seller = api.seller()
    path = f"/api/products/{api.product(seller)['id']}"
    files = [("images", str(n), picture(size=(20 + n, 20))) for n in range(10)]

    assert api.upload(f"{path}/images", seller, files).status_code == 201
    problem(api.upload(f"{path}/images", seller, files[:1]), 409, "too_many_pictures")


@pytest.mark.parametrize(
    "path",
    [
        "/api/products/0",
        "/api/products/１",
        "/api/products/1_0",
        "/api/products/9223372036854775808",
        "/api/products/-1",
        "/api/products/abc",
    ],
)
def test_what_is_no_id_is_not_there(api: Api, path: str):
    problem(api.get(path), 404, "not_found")


def test_a_renamed_brand_name_is_found_without_regard_to_case(api: Api):
    seller = api.seller()

    assert (
        api.product(seller, brand="Gayo")["brand_id"]
        == api.product(seller, brand="GAYO")["brand_id"]
    )


def test_reading_a_product_with_head_gives_headers_only(api: Api):
    path = f"/api/products/{api.product(api.seller())['id']}"
    answer = api.request("HEAD", path)

    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) == len(api.get(path).content)


def test_a_forged_host_cannot_break_an_answer(api: Api):
    seller = api.seller()
    path = f"/api/products/{api.product(seller)['id']}"
    api.upload(f"{path}/images", seller, [("images", "a", picture())])
    answer = api.client.simulate_get(path, host='evil","x":"')

    assert "evil" not in answer.text
    assert answer.json["images"][0]["image_url"].startswith("http://")


def test_no_brand_name_is_no_brand(api: Api):
    seller = api.seller()
    product = api.product(seller, brand="Gayo")
    path = f"/api/products/{product['id']}"

    assert (
        api.patch(path, seller, json={"brand": product["brand"]}).json["brand"] == product["brand"]
    )
    assert api.patch(path, seller, json={"brand": None}).json["brand"] is None


def test_an_unknown_part_beside_pictures_is_refused_by_name(api: Api):
    seller = api.seller()
    path = f"/api/products/{api.product(seller)['id']}/images"
    answer = api.upload(path, seller, [("images", "a", picture())], {"colour": "red"})

    assert problem(answer, 422, "validation_failed")["errors"][0]["pointer"] == "/colour"
