"""Products with variants: made, changed, taken off sale, and who may."""

from typing import Any

import pytest
from conftest import Api, User
from support.images import picture
from support.responses import problem
from support.shirts import SHIRT, made, read, variants
from support.stock import broken, moves


@pytest.fixture
def seller(api: Api) -> User:
    return api.seller()


@pytest.fixture(autouse=True)
def sound(api: Api):
    """After each test all that must always be so is so."""
    yield
    with api.as_owner(api.db.conn) as conn:
        assert broken(conn) == []


def test_a_product_is_made_with_its_variants(api: Api, seller: User):
    shirt = made(api, seller)

    assert (shirt["price"], shirt["price_max"], shirt["stock"]) == ("90000.00", "99000.00", 7)
    assert (shirt["sku"], shirt["variant_count"], shirt["in_stock"]) == (None, 3, True)
    assert shirt["options"] == [
        {"name": "Warna", "values": ["Merah", "Biru"]},
        {"name": "Ukuran", "values": ["M", "L"]},
    ]
    large = {**shirt["variants"][1]}
    assert large.pop("id") > 0
    assert large == {
        "options": ["Merah", "L"],
        "sku": "TS-M-L",
        "barcode": None,
        "price": "99000.00",
        "price_before": None,
        "image_id": None,
        "weight_grams": 180,
        "stock": 0,
        "in_stock": False,
        "hidden": False,
    }
    assert [row["stock"] for row in shirt["variants"]] == [3, 0, 4]
    assert api.get(f"/api/products/{shirt['id']}").json == shirt
    listed = api.get("/api/products", params={"ids": str(shirt["id"])}).json["products"][0]
    assert "variants" not in listed
    assert listed["options"] == shirt["options"]


def test_a_product_is_made_once_by_its_key(api: Api, seller: User):
    key = {"Idempotency-Key": "kaus-1"}
    first, again = (api.post("/api/products", seller, json=SHIRT, headers=key) for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json == first.json
    assert len(variants(api, first.json["id"])) == 3


def test_a_form_with_an_image_brings_variants_as_json(api: Api, seller: User):
    answer = api.upload(
        "/api/products",
        seller,
        [("main_image", "kaus.png", picture())],
        {
            "name": "Kaus",
            "options": '["Warna"]',
            "variants": '[{"options": ["Merah"], "price": "5000", "stock": 2}]',
        },
    )
    assert answer.status_code == 201, answer.text
    assert [row["options"] for row in answer.json["variants"]] == [["Merah"]]
    assert (answer.json["price"], len(answer.json["images"])) == ("5000.00", 1)
    bad = api.upload("/api/products", seller, [], {"name": "x", "variants": '[{"options"'})
    problem(bad, 400, "invalid_json")


def test_what_a_get_returned_is_taken_back_and_changes_nothing(api: Api, seller: User):
    shirt = made(api, seller)

    for method in ("PUT", "PATCH"):
        answer = api.request(method, f"/api/products/{shirt['id']}", seller, json=shirt)
        assert answer.status_code == 200, answer.text
        assert answer.json == shirt


def test_the_wanted_set_is_matched_by_id_else_by_options_and_the_rest_is_hidden(
    api: Api, seller: User
):
    shirt = made(api, seller)
    red, large, blue = (row["id"] for row in shirt["variants"])
    wanted = [
        {"id": large, "options": ["Merah", "XL"], "price": "101000"},
        {"options": ["Biru", "M"], "stock": 9},
        {"options": ["Hijau", "M"], "price": "80000", "stock": 1},
    ]
    answer = api.patch(f"/api/products/{shirt['id']}", seller, json={"variants": wanted})

    assert answer.status_code == 200, answer.text
    rows = {row["id"]: row for row in answer.json["variants"]}
    assert [row["id"] for row in answer.json["variants"] if not row["hidden"]][:2] == [large, blue]
    assert (rows[large]["options"], rows[large]["sku"]) == (["Merah", "XL"], "TS-M-L")
    assert (rows[blue]["stock"], rows[blue]["price_before"]) == (9, "120000.00")
    assert rows[red]["hidden"] is True
    assert (answer.json["price"], answer.json["price_max"]) == ("80000.00", "101000.00")
    assert (answer.json["stock"], answer.json["variant_count"]) == (10, 4)
    assert answer.json["version"] == shirt["version"] + 1
    guest = api.get(f"/api/products/{shirt['id']}")
    assert red not in [row["id"] for row in guest.json["variants"]]
    assert guest.json["options"][0]["values"] == ["Merah", "Biru", "Hijau"]
    again = api.patch(
        f"/api/products/{shirt['id']}",
        seller,
        json={"variants": [*wanted, {"options": ["Merah", "M"]}]},
    )
    assert red in [row["id"] for row in again.json["variants"] if not row["hidden"]]


def test_two_variants_may_exchange_options_and_skus(api: Api, seller: User):
    shirt = made(api, seller)
    red, large, blue = shirt["variants"]
    wanted = [
        {"id": red["id"], "options": large["options"], "sku": large["sku"]},
        {"id": large["id"], "options": red["options"], "sku": red["sku"]},
        {"id": blue["id"]},
    ]
    answer = api.patch(f"/api/products/{shirt['id']}", seller, json={"variants": wanted})

    assert answer.status_code == 200, answer.text
    assert [(row["id"], row["options"], row["sku"]) for row in answer.json["variants"]] == [
        (red["id"], ["Merah", "L"], "TS-M-L"),
        (large["id"], ["Merah", "M"], "TS-M-M"),
        (blue["id"], ["Biru", "M"], None),
    ]


def test_names_of_options_change_by_themselves(api: Api, seller: User):
    shirt = made(api, seller)
    answer = api.patch(f"/api/products/{shirt['id']}", seller, json={"options": ["Color", "Size"]})

    assert [each["name"] for each in answer.json["options"]] == ["Color", "Size"]
    assert [row["id"] for row in answer.json["variants"]] == [
        row["id"] for row in shirt["variants"]
    ]
    wrong = api.patch(f"/api/products/{shirt['id']}", seller, json={"options": ["Warna"]})
    assert problem(wrong, 422, "validation_failed")["errors"][0]["pointer"] == "/options"


def test_one_variant_is_added_changed_and_removed(api: Api, seller: User):
    shirt = made(api, seller)
    path = f"/api/products/{shirt['id']}/variants"
    tag = api.get(f"/api/products/{shirt['id']}", seller).headers["ETag"]
    body = {"options": ["Biru", "L"], "price": "70000", "stock": 2, "barcode": "899123"}
    added = api.post(path, seller, json=body, headers={"If-Match": tag})

    assert added.status_code == 201, added.text
    assert added.headers["location"] == f"{path}/{added.json['id']}"
    assert added.json["barcode"] == "899123"
    assert read(api, shirt["id"])["price"] == "70000.00"
    problem(
        api.post(path, seller, json={**body, "options": ["x", "y"]}, headers={"If-Match": tag}),
        412,
        "precondition_failed",
    )

    one = f"{path}/{added.json['id']}"
    fields = {"price": "100000", "weight_grams": 150, "stock": 0}
    changed = api.patch(one, seller, json=fields, headers={"If-Match": added.headers["ETag"]})
    assert changed.status_code == 200, changed.text
    assert (changed.json["price"], changed.json["barcode"]) == ("100000.00", "899123")
    assert (changed.json["in_stock"], read(api, shirt["id"])["price_max"]) == (False, "100000.00")

    for _ in range(2):
        assert api.delete(one, seller).status_code == 204
    assert added.json["id"] not in [row["id"] for row in read(api, shirt["id"])["variants"]]
    shown = api.patch(one, seller, json={"hidden": False})
    assert shown.json["hidden"] is False
    with api.as_owner(api.db.conn) as conn:
        kinds = [(move.kind, move.change) for move in moves(conn, shirt["id"], added.json["id"])]
    assert kinds == [("opening", 2), ("set", -2)]


def test_with_all_variants_hidden_a_product_keeps_its_price_and_has_nothing_to_sell(
    api: Api, seller: User
):
    shirt = made(api, seller)
    for row in shirt["variants"]:
        path = f"/api/products/{shirt['id']}/variants/{row['id']}"
        assert api.delete(path, seller).status_code == 204

    left = read(api, shirt["id"])
    assert (left["variants"], left["stock"], left["in_stock"]) == ([], 0, False)
    assert (left["price"], left["price_max"]) == ("95000.00", None)
    assert len(variants(api, shirt["id"], seller)) == 3


def test_a_simple_product_becomes_one_with_variants_and_its_stock_that_of_the_first(
    api: Api, seller: User
):
    simple = api.product(seller, sku="KAUS-1", stock=5)
    wanted = [
        {"options": ["Merah"], "price": "80000", "sku": "KAUS-1"},
        {"options": ["Biru"], "price": "85000", "stock": 2},
    ]
    answer = api.put(
        f"/api/products/{simple['id']}",
        seller,
        json={**simple, "options": ["Warna"], "variants": wanted},
    )

    assert answer.status_code == 200, answer.text
    assert [(row["sku"], row["stock"]) for row in answer.json["variants"]] == [
        ("KAUS-1", 5),
        (None, 2),
    ]
    assert (answer.json["sku"], answer.json["price"], answer.json["stock"]) == (None, "80000.00", 7)
    back = api.patch(f"/api/products/{simple['id']}", seller, json={"options": [], "variants": []})
    assert problem(back, 422, "has_variants")["errors"][0]["pointer"] == "/options"


def test_a_product_with_open_orders_gets_no_options(api: Api, seller: User):
    simple = api.product(seller, stock=5)
    with api.as_owner(api.db.conn) as conn:
        conn.execute(
            "SELECT hold_stock('{1}', ARRAY[%s]::bigint[], '{0}', '{2}', NULL)", [simple["id"]]
        )
    answer = api.patch(
        f"/api/products/{simple['id']}",
        seller,
        json={"options": ["Warna"], "variants": [{"options": ["Merah"], "price": "1"}]},
    )
    problem(answer, 409, "has_open_orders")
    assert read(api, simple["id"])["variant_count"] == 0
    with api.as_owner(api.db.conn) as conn:
        conn.execute("SELECT release_stock('{1}')")


def test_an_image_of_the_product_shows_a_variant(api: Api, seller: User):
    shirt, other = made(api, seller), api.product(seller)
    images = [
        api.upload(f"/api/products/{each}/images", seller, [("images", "a.png", picture())]).json[
            "images"
        ][0]["id"]
        for each in (shirt["id"], other["id"])
    ]
    path = f"/api/products/{shirt['id']}/variants/{shirt['variants'][2]['id']}"
    assert api.patch(path, seller, json={"image_id": images[0]}).json["image_id"] == images[0]

    foreign = api.patch(path, seller, json={"image_id": images[1]})
    error = problem(foreign, 422, "validation_failed")["errors"][0]
    assert error["pointer"] == "/image_id"
    assert error["variant_id"] == shirt["variants"][2]["id"]
    wanted = [{"id": row["id"], "image_id": images[1]} for row in shirt["variants"]]
    answer = api.patch(f"/api/products/{shirt['id']}", seller, json={"variants": wanted})
    assert [each["pointer"] for each in problem(answer, 422, "validation_failed")["errors"]] == [
        f"/variants/{place}/image_id" for place in range(3)
    ]
    api.delete(f"/api/products/{shirt['id']}/images/{images[0]}", seller)
    assert variants(api, shirt["id"])[2]["image_id"] is None


VARIANT = {"options": ["Merah", "M"], "price": "1"}


@pytest.mark.parametrize(
    ("fields", "status", "code", "pointer"),
    [
        ({"options": ["Warna"], "variants": None, "price": "1"}, 422, "validation_failed", "/variants"),
        ({"options": ["Warna"], "variants": [], "price": "1"}, 422, "validation_failed", "/variants"),
        ({"options": []}, 422, "validation_failed", "/options"),
        ({"options": ["a", "a"]}, 422, "validation_failed", "/options"),
        ({"options": ["a", "b", "c", "d"]}, 422, "validation_failed", "/options"),
        ({"options": ["a", ""]}, 422, "validation_failed", "/options/1"),
        ({"options": ["a", {"name": "b"}]}, 422, "validation_failed", "/options/1"),
        ({"price": "1"}, 422, "has_variants", "/price"),
        ({"stock": 1}, 422, "has_variants", "/stock"),
        ({"sku": "X"}, 422, "has_variants", "/sku"),
        ({"variants": [{**VARIANT, "id": 1}]}, 422, "validation_failed", "/variants/0/id"),
        ({"variants": [{"options": ["a", "b"]}]}, 422, "validation_failed", "/variants/0/price"),
        ({"variants": [{"price": "1"}]}, 422, "validation_failed", "/variants/0/options"),
        ({"variants": [{**VARIANT, "options": ["a"]}]}, 422, "validation_failed", "/variants/0/options"),
        ({"variants": [{**VARIANT, "options": ["a", ""]}]}, 422, "validation_failed", "/variants/0/options/1"),
        ({"variants": [{**VARIANT, "stock": -1}]}, 422, "validation_failed", "/variants/0/stock"),
        ({"variants": [{**VARIANT, "stock": 1.5}]}, 422, "validation_failed", "/variants/0/stock"),
        ({"variants": [{**VARIANT, "stock": "5"}]}, 422, "validation_failed", "/variants/0/stock"),
        ({"variants": [{**VARIANT, "stock": 1e9}]}, 422, "validation_failed", "/variants/0/stock"),
        ({"variants": [{**VARIANT, "image_id": 1}]}, 422, "validation_failed", "/variants/0/image_id"),
        ({"variants": [{**VARIANT, "colour": 1}]}, 422, "validation_failed", "/variants/0/colour"),
        ({"variants": [VARIANT, {**VARIANT, "price_before": "1"}]}, 422, "price_before_too_low", "/variants/1/price_before"),
        ({"variants": [VARIANT, VARIANT]}, 409, "duplicate_options", "/variants/1/options"),
        (
            {"variants": [{**VARIANT, "sku": "S"}, {**VARIANT, "options": ["a", "b"], "sku": "S"}]},
            409,
            "sku_taken",
            "/variants/1/sku",
        ),
        (
            {"variants": [{"options": [str(n), "x"], "price": "1"} for n in range(101)]},
            422,
            "too_many_variants",
            "/variants",
        ),
        ({"variants": None, "options": None, "price": "5", "price_before": "5"}, 422, "price_before_too_low", "/price_before"),
        ({"min_quantity": 0}, 422, "validation_failed", "/min_quantity"),
        ({"min_quantity": 5, "max_per_buyer": 4}, 422, "validation_failed", "/min_quantity"),
        ({"preorder_days": 91}, 422, "validation_failed", "/preorder_days"),
        ({"condition": "broken"}, 422, "validation_failed", "/condition"),
        ({"weight_grams": -1}, 422, "validation_failed", "/weight_grams"),
        ({"length_cm": 0}, 422, "validation_failed", "/length_cm"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_nothing_is_written(
    api: Api, seller: User, fields: dict[str, Any], status: int, code: str, pointer: str
):
    body = {name: value for name, value in {**SHIRT, **fields}.items() if value is not None}
    answer = api.post("/api/products", seller, json=body)

    assert problem(answer, status, code)["errors"][0]["pointer"] == pointer
    assert api.get("/api/stores/mine/products", seller).json["products"] == []


def test_a_product_without_a_price_or_variants_is_refused(api: Api, seller: User):
    answer = api.post("/api/products", seller, json={"name": "x"})
    assert problem(answer, 422, "validation_failed")["errors"][0]["pointer"] == "/price"


def test_own_fields_of_a_product_with_variants_are_as_read_or_refused(api: Api, seller: User):
    shirt = made(api, seller)
    path = f"/api/products/{shirt['id']}"
    for fields in ({"price": "1"}, {"stock": 8}, {"sku": "A"}, {"price_before": "99999999"}):
        answer = api.patch(path, seller, json=fields)
        (error,) = problem(answer, 422, "has_variants")["errors"]
        assert error["pointer"] == f"/{next(iter(fields))}"
    same = {"price": "90000.00", "stock": 7, "sku": None}
    assert api.patch(path, seller, json=same).json == shirt


def test_a_sku_stands_once_in_a_store_and_its_holder_is_named(api: Api, seller: User):
    shirt, other = made(api, seller), api.product(seller, sku="KOPI")
    path = f"/api/products/{shirt['id']}"
    large = shirt["variants"][1]
    wanted = [{"id": row["id"], "sku": "KOPI"} for row in shirt["variants"][:1]]
    for method, where, body, pointer in (
        ("PATCH", path, {"variants": wanted}, "/variants/0/sku"),
        ("PATCH", f"{path}/variants/{large['id']}", {"sku": "KOPI"}, "/sku"),
        ("POST", f"{path}/variants", {"options": ["a", "b"], "price": "1", "sku": "KOPI"}, "/sku"),
    ):
        (error,) = problem(api.request(method, where, seller, json=body), 409, "sku_taken")[
            "errors"
        ]
        assert error["pointer"] == pointer
        assert f"product {other['id']} has it" in error["message"]
    answer = api.patch(f"/api/products/{other['id']}", seller, json={"sku": "TS-M-L"})
    (error,) = problem(answer, 409, "sku_taken")["errors"]
    assert f"variant {large['id']} of product {shirt['id']}" in error["message"]
    own = api.patch(f"{path}/variants/{large['id']}", seller, json={"sku": "TS-M-M"})
    (error,) = problem(own, 409, "sku_taken")["errors"]
    assert (error["product_id"], error["variant_id"]) == (shirt["id"], large["id"])
    assert read(api, shirt["id"])["version"] == shirt["version"]
    made(api, api.seller())  # another store has the same


def test_a_variant_takes_no_options_of_another(api: Api, seller: User):
    shirt = made(api, seller)
    path = f"/api/products/{shirt['id']}/variants"
    red, large, _ = shirt["variants"]
    for answer in (
        api.post(path, seller, json={"options": red["options"], "price": "1"}),
        api.patch(f"{path}/{large['id']}", seller, json={"options": red["options"]}),
    ):
        (error,) = problem(answer, 409, "duplicate_options")["errors"]
        assert error["pointer"] == "/options"
        assert error["product_id"] == shirt["id"]
    short = api.post(path, seller, json={"options": ["Merah"], "price": "1"})
    assert problem(short, 422, "validation_failed")["errors"][0]["pointer"] == "/options"
    simple = api.product(seller)
    none = api.post(f"/api/products/{simple['id']}/variants", seller, json=VARIANT)
    assert problem(none, 422, "validation_failed")["errors"][0]["pointer"] == "/options"


def test_the_hundred_and_first_variant_is_refused(api: Api, seller: User):
    many = [{"options": [str(n), "M"], "price": "1"} for n in range(100)]
    shirt = made(api, seller, variants=many)
    body = {"options": ["100", "M"], "price": "1"}
    path = f"/api/products/{shirt['id']}/variants"
    assert problem(api.post(path, seller, json=body), 422, "too_many_variants")["errors"]
    one_other = api.patch(f"/api/products/{shirt['id']}", seller, json={"variants": [body]})
    problem(one_other, 422, "too_many_variants")
    assert read(api, shirt["id"])["variant_count"] == 100


def test_only_its_store_and_admins_write_and_see_hidden_variants(api: Api, seller: User):
    shirt, stranger = made(api, seller), api.seller()
    mine = made(api, stranger)
    hidden = shirt["variants"][0]["id"]
    path = f"/api/products/{shirt['id']}"
    api.delete(f"{path}/variants/{hidden}", seller)
    body = {"options": ["x", "y"], "price": "1"}
    for method, where, sent in (
        ("POST", f"{path}/variants", body),
        ("PATCH", f"{path}/variants/{hidden}", {"hidden": False}),
        ("DELETE", f"{path}/variants/{shirt['variants'][1]['id']}", None),
        ("PATCH", f"/api/products/{mine['id']}/variants/{hidden}", {"hidden": False}),
        ("PATCH", path, {"variants": [body]}),
    ):
        problem(api.request(method, where, stranger, json=sent), 404, "not_found")
    for user, seen in ((None, False), (stranger, False), (seller, True), (api.admin(), True)):
        answer = api.get(path, user)
        assert (hidden in [row["id"] for row in answer.json["variants"]]) is seen
        same = api.get(path, user, headers={"If-None-Match": answer.headers["ETag"]})
        assert same.status_code == 304
    guest = api.get(path).headers["ETag"]
    assert api.get(path, seller, headers={"If-None-Match": guest}).status_code == 200
    foreign = {"variants": [{"id": mine["variants"][0]["id"], "price": "5"}]}
    (error,) = problem(api.patch(path, seller, json=foreign), 422, "validation_failed")["errors"]
    assert (error["pointer"], error["variant_id"]) == (
        "/variants/0/id",
        foreign["variants"][0]["id"],
    )
    assert api.patch(f"{path}/variants/{hidden}", api.admin(), json={"hidden": False}).json["id"]


def test_two_opposite_changes_of_stock_make_another_tag(api: Api, seller: User):
    shirt = made(api, seller)
    path = f"/api/products/{shirt['id']}"
    tag = api.get(path, seller).headers["ETag"]
    red, _, blue = (row["id"] for row in shirt["variants"])
    stock = [{"product_id": shirt["id"], "variant_id": red, "stock": 4}, {"product_id": shirt["id"], "variant_id": blue, "stock": 3}]  # fmt: skip
    answer = api.post("/api/stores/mine/stock", seller, json={"rows": stock})
    assert answer.json["done"] == 2, answer.text

    assert read(api, shirt["id"])["stock"] == 7
    assert api.get(path, seller, headers={"If-None-Match": tag}).status_code == 200
    problem(
        api.patch(path, seller, json={"name": "x"}, headers={"If-Match": tag}),
        412,
        "precondition_failed",
    )


def test_values_of_options_find_a_product_and_skus_find_it_for_its_seller(api: Api, seller: User):
    shirt = made(api, seller)
    red = f"/api/products/{shirt['id']}/variants/{shirt['variants'][0]['id']}"
    assert api.patch(red, seller, json={"sku": "QX-9"}).status_code == 200

    def found(path: str, words: str, user: User | None = None) -> list[int]:
        answer = api.get(path, user, params={"search": words}).json
        return [product["id"] for product in answer["products"]]

    assert found("/api/products", "kaus biru") == [shirt["id"]]
    assert found("/api/stores/mine/products", "QX-9", seller) == [shirt["id"]]
    assert found("/api/products", "QX-9") == []
    api.delete(f"/api/products/{shirt['id']}/variants/{shirt['variants'][2]['id']}", seller)
    assert found("/api/products", "biru") == []


def test_selling_fields_are_kept_by_patch_and_reset_by_put(api: Api, seller: User):
    fields = {
        "min_quantity": 2,
        "max_per_buyer": 5,
        "preorder_days": 7,
        "condition": "used",
        "weight_grams": 250,
        "length_cm": 20,
        "width_cm": 10,
        "height_cm": 5,
        "price_before": "99000.00",
    }
    product = api.product(seller, **fields)
    assert {name: product[name] for name in fields} == fields
    assert product["sold"] == 0
    path = f"/api/products/{product['id']}"
    patched = api.patch(path, seller, json={"max_per_buyer": None}).json
    assert {name: patched[name] for name in fields} == {**fields, "max_per_buyer": None}
    put = api.put(path, seller, json={"name": "Kopi", "price": "1"}).json
    assert {name: put[name] for name in fields} == {
        **dict.fromkeys(fields),
        "min_quantity": 1,
        "condition": "new",
    }


def test_an_admin_takes_a_product_off_sale_and_its_seller_cannot_undo_it(api: Api, seller: User):
    product, admin = api.product(seller), api.admin()
    path = f"/api/products/{product['id']}"
    blocked = api.patch(path, admin, json={"blocked": "counterfeit"}).json
    assert (blocked["blocked"], blocked["hidden"]) == ("counterfeit", True)

    problem(api.get(path), 404, "not_found")
    assert api.get(path, seller).json["blocked"] == "counterfeit"
    problem(api.patch(path, seller, json={"hidden": False}), 409, "product_blocked")
    problem(api.patch(path, seller, json={"blocked": None}), 403, "forbidden")
    problem(api.patch(path, admin, json={"hidden": False}), 409, "product_blocked")
    problem(api.patch(path, admin, json={"blocked": "store"}), 422, "validation_failed")
    read_back = {**api.get(path, seller).json, "name": "Kopi Toraja"}
    assert api.put(path, seller, json=read_back).json["blocked"] == "counterfeit"
    shown = api.patch(path, admin, json={"blocked": None}).json
    assert (shown["blocked"], shown["hidden"]) == (None, False)
    entries = api.get("/api/audit", admin, params={"type": "product"}).json
    assert any((entry["after"] or {}).get("blocked") == "counterfeit" for entry in entries["audit"])


def test_a_block_that_goes_leaves_hidden_what_its_stopped_store_hides(api: Api, seller: User):
    product, admin = api.product(seller), api.admin()
    path = f"/api/products/{product['id']}"
    api.patch(path, admin, json={"blocked": "counterfeit"})
    with api.as_owner(api.db.conn) as conn:
        conn.execute("UPDATE stores SET state = 'suspended' WHERE id = %s", [seller.store_id])
    answer = api.patch(path, admin, json={"blocked": None}).json
    assert (answer["blocked"], answer["hidden"]) == ("store", True)


def test_the_store_of_a_product_says_its_city_and_holiday_live(api: Api, seller: User):
    product = api.product(seller)
    path = f"/api/products/{product['id']}"
    tag = api.get(path).headers["ETag"]
    for when, said in (("2199-01-31 03:00:00+00", "2199-01-31T03:00:00Z"), ("2001-01-01", None)):
        with api.as_owner(api.db.conn) as conn:
            conn.execute(
                "UPDATE stores SET closed_until = %s WHERE id = %s", [when, seller.store_id]
            )
        answer = api.get(path, headers={"If-None-Match": tag})
        if said is None:
            assert answer.status_code == 304
        else:
            assert answer.json["store"]["closed_until"] == said
            listed = api.get("/api/products", params={"ids": str(product["id"])}).json
            assert listed["products"][0]["store"] == answer.json["store"]


def test_a_guest_and_a_buyer_see_the_same_of_a_product_byte_for_byte(api: Api, seller: User):
    """Each by a statement of its own."""
    buyer, second = api.buyer(), api.seller("Toko Kedua")
    simple, empty = api.product(seller, stock=3), api.product(seller, name="Habis", stock=0)
    shirt, none_left = made(api, seller), made(api, second)
    for variant in none_left["variants"]:
        path = f"/api/products/{none_left['id']}/variants/{variant['id']}"
        assert api.patch(path, second, json={"stock": 0}).status_code == 200
    red = f"/api/products/{shirt['id']}/variants/{shirt['variants'][0]['id']}"
    assert api.patch(red, seller, json={"hidden": True}).status_code == 200
    paths = [f"/api/products/{each['id']}" for each in (simple, empty, shirt, none_left)]
    for change in ("SELECT", "UPDATE stores SET closed_until = now() + interval '1 day'"):
        with api.as_owner(api.db.conn) as conn:
            conn.execute(change)
        for path in paths:
            guest, other = api.get(path), api.get(path, buyer)
            assert guest.content == other.content
            assert guest.headers["ETag"] == other.headers["ETag"]
            known = {"If-None-Match": f'"x", {other.headers["ETag"]}'}
            assert api.get(path, headers=known).status_code == 304
        assert len({api.get(path).headers["ETag"] for path in paths}) == len(paths)
