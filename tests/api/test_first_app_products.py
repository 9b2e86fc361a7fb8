"""Stores and products of the first app: what it sends by retrofit, and its own list."""

import json
import re
import secrets

import falcon.testing
import psycopg
import pytest
from conftest import Api
from support.first_app import signed_in
from support.images import picture
from support.responses import problem

from marketplace.resources import legacy_android


def part(name: str, kind: str, data: bytes, filename: str = "") -> bytes:
    return (
        f'Content-Disposition: form-data; name="{name}"{filename}\r\nContent-Transfer-Encoding: '
        "binary\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n"
    ).encode() + data


def retrofit(fields: dict[str, str], image: bytes | None) -> dict:
    """A multipart request as the app's library writes it: every part with its type, length and
    encoding.
    """
    boundary = secrets.token_hex(16)
    parts = [
        part(name, "text/plain; charset=utf-8", value.encode()) for name, value in fields.items()
    ]
    if image is not None:
        parts.append(part("main_image", "image/*", image, '; filename="image_1000000033"'))
    body = (
        b"".join(f"--{boundary}\r\n".encode() + one + b"\r\n" for one in parts)
        + f"--{boundary}--\r\n".encode()
    )
    return {"body": body, "headers": {"Content-Type": f"multipart/form-data; boundary={boundary}"}}


KOPI = {
    "name": "Kopi Toraja",
    "description": "Sangrai sedang",
    "price": "12000.0",
    "stock": "5",
    "category_id": "",
}


def test_a_store_is_opened_and_shown_as_the_apps_brand(api: Api):
    phone = signed_in(api, api.buyer())
    problem(api.get("/api/auth/brands/my", phone), 404, "not_found")
    body = {"name": "Toko Melati", "description": "Bunga segar"}
    answer = api.post("/api/auth/open_store", phone, json=body)

    assert answer.status_code == 201, answer.text
    brand = {"id": answer.json["brand"]["id"], **body, "owner_id": phone.id}
    assert answer.json["brand"] == brand
    assert answer.json["message"]
    user = answer.json["user"]
    assert (user["role"], user["user_role"], user["store_id"]) == ("seller", "penjual", brand["id"])
    assert user == {**api.get("/api/users/profile", phone).json}
    assert api.get("/api/auth/brands/my", phone).json == brand
    assert api.get(answer.headers["location"]).json["name"] == "Toko Melati"
    log = api.get("/api/users/activities", phone, params={"type": "open_store"}).json["activities"]
    assert [(row["related_id"], row["related_name"]) for row in log] == [
        (brand["id"], "Toko Melati")
    ]
    problem(api.post("/api/auth/open_store", phone, json={"name": "Kedua"}), 409, "store_exists")


def test_a_store_that_is_opened_twice_with_one_key_is_opened_once(api: Api):
    phone = signed_in(api, api.buyer())
    first, again = (
        api.post(
            "/api/auth/open_store",
            phone,
            json={"name": "Toko Ulang"},
            headers={"Idempotency-Key": "toko-1"},
        )
        for _ in range(2)
    )

    assert (first.status_code, again.status_code, again.headers["idempotent-replayed"]) == (
        201,
        201,
        "true",
    )
    assert first.content == again.content


def test_a_product_is_created_from_what_the_app_sends(api: Api):
    phone = signed_in(api, api.seller())
    answer = api.post("/api/products/create", phone, **retrofit(KOPI, picture()))

    assert answer.status_code == 201, answer.text
    made, product = answer.json, answer.json["product"]
    assert made["message"]
    assert (made["product_id"], made["product_name"]) == (product["id"], "Kopi Toraja")
    assert made["main_image_url"] == product["images"][0]["image_url"]
    assert made["main_image_url"].startswith("http://falconframework.org/uploads/")
    assert (product["price"], product["stock"], product["category_id"]) == ("12000.00", 5, None)
    store = {name: product["store"][name] for name in ("id", "name")}
    assert {**api.get(answer.headers["location"]).json, "brand": store} == product
    log = api.get("/api/users/activities", phone, params={"type": "create_product"}).json[
        "activities"
    ]
    assert [(row["related_id"], row["related_name"]) for row in log] == [
        (product["id"], "Kopi Toraja")
    ]


def test_what_the_user_left_empty_was_not_sent(api: Api):
    phone = signed_in(api, api.seller())
    empty = {"name": "Kopi", "description": "", "price": "0.0", "stock": "", "category_id": ""}
    answer = api.post("/api/products/create", phone, **retrofit(empty, None))

    assert answer.status_code == 201, answer.text
    product = answer.json["product"]
    assert (product["description"], product["stock"], product["category_id"]) == (None, 0, None)
    assert (product["images"], answer.json["main_image_url"]) == ([], None)
    refused = api.post(
        "/api/products/create", phone, **retrofit({**empty, "name": "", "price": ""}, None)
    )
    errors = problem(refused, 422, "validation_failed")["errors"]
    assert [(error["pointer"], error["code"]) for error in errors] == [
        ("/name", "required"),
        ("/price", "required"),
    ]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("12000.0", "12000.00"),
        ("12500.5", "12500.50"),
        ("1.0E7", "10000000.00"),
        ("1.2345678901E10", "12345678901.00"),
    ],
)
def test_a_price_is_read_as_java_writes_it(api: Api, sent: str, stored: str):
    answer = api.post(
        "/api/products/create",
        signed_in(api, api.seller()),
        **retrofit({**KOPI, "price": sent}, None),
    )

    assert answer.json["product"]["price"] == stored


@pytest.mark.parametrize(
    "fields",
    [
        {"price": "-1.0"},
        {"price": "NaN"},
        {"price": "1.0E13"},
        {"price": "1.0E99"},
        {"price": "1.2345678E2"},
        {"stock": "-1"},
        {"stock": "5.0"},
        {"category_id": "0"},
        {"category_id": "4611686018427387904"},
        {"sku": "KT-1"},
        {"store_id": "1"},
    ],
    ids=str,
)
def test_what_the_app_cannot_mean_is_refused_by_name(api: Api, fields: dict[str, str]):
    answer = api.post(
        "/api/products/create", signed_in(api, api.seller()), **retrofit({**KOPI, **fields}, None)
    )

    errors = problem(answer, 422, "validation_failed")["errors"]
    assert [error["pointer"] for error in errors] == [f"/{name}" for name in fields]


def test_only_multipart_from_who_has_a_store_makes_a_product(api: Api):
    phone = signed_in(api, api.seller())
    problem(api.post("/api/products/create", phone, json=KOPI), 415, "unsupported_media_type")
    broken = api.post("/api/products/create", phone, **retrofit(KOPI, b"no picture"))
    problem(broken, 422, "picture_refused")
    storeless = signed_in(api, api.register("seller"))
    problem(
        api.post("/api/products/create", storeless, **retrofit(KOPI, None)), 409, "store_required"
    )
    problem(api.get("/api/products/my-brand", storeless), 409, "store_required")


def test_a_product_that_is_sent_twice_with_one_key_is_made_once(api: Api):
    phone = signed_in(api, api.seller())
    answers = []
    for _ in range(2):
        request = retrofit(KOPI, picture())  # another boundary each time
        request["headers"]["Idempotency-Key"] = "kopi-1"
        answers.append(api.post("/api/products/create", phone, **request))

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert len(api.get("/api/products/my-brand", phone).json) == 1


def test_the_apps_own_list_is_a_bare_array_with_prices_as_numbers(api: Api):
    phone = signed_in(api, api.seller())
    assert api.get("/api/products/my-brand", phone).json == []
    api.post(
        "/api/products/create",
        phone,
        **retrofit({**KOPI, "name": 'Kopi "price":"1.00"'}, picture()),
    )
    for price, stock in (("12500.50", 0), ("9999999999999.99", 1)):
        api.product(phone, name=f"Seharga {price}", price=price, stock=stock)
    removed = api.product(phone, name="Dihapus")
    api.delete(f"/api/products/{removed['id']}", phone)
    api.product(api.seller(), name="Punya orang lain")

    answer = api.get("/api/products/my-brand/", phone)

    assert answer.headers["content-type"] == "application/json"
    assert re.findall(r'[,{]"price":([^,]+)', answer.text) == [
        "9999999999999.99",
        "12500.50",
        "12000.00",
    ]
    usual = api.get("/api/stores/mine/products", phone, params={"hidden": "false"}).json["products"]
    shown = json.loads(answer.text, parse_float=str)
    assert [
        {
            **one,
            "brand": {name: one["store"][name] for name in ("id", "name")},
            "description": described["description"],
        }
        for one, described in zip(usual, shown, strict=True)
    ] == shown
    assert shown[2]["description"] == KOPI["description"]
    assert shown[2]["images"][0]["image_url"].startswith("http://falconframework.org/uploads/")


def test_the_apps_own_list_is_read_in_batches_without_gaps(
    api: Api, monkeypatch: pytest.MonkeyPatch
):
    seller = api.seller()
    made = [api.product(seller, name=f"Produk {number}")["id"] for number in range(6)]
    for size in (1, 3, 4, 6, 7):
        monkeypatch.setattr(legacy_android, "BATCH", size)
        assert [
            product["id"] for product in api.get("/api/products/my-brand", seller).json
        ] == made[::-1]


def test_a_phone_that_reads_slowly_holds_no_transaction(
    committed: Api, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(legacy_android, "BATCH", 2)
    seller = committed.seller()
    made = [committed.product(seller, name=f"Produk {number}")["id"] for number in range(5)]
    environ = falcon.testing.create_environ(
        "/api/products/my-brand", headers={"Authorization": f"Bearer {seller.token}"}
    )
    chunks = iter(committed.app(environ, falcon.testing.StartResponseMock()))

    read = [next(chunks)]
    with psycopg.connect(committed.owner_url) as conn:
        states = conn.execute(
            "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND "
            "application_name = 'marketplace'"
        ).fetchall()
    assert {state for (state,) in states} == {"idle"}
    committed.product(seller, name="Sementara itu")
    committed.delete(f"/api/products/{made[0]}", seller)
    read.extend(chunks)

    assert [product["id"] for product in json.loads(b"".join(read))] == made[:0:-1]


def test_the_list_of_products_is_read_without_a_token_or_a_page(api: Api):
    product = api.product(api.seller())
    answer = api.get("/api/products/")

    assert answer.status_code == 200
    assert answer.json["products"][0]["id"] == product["id"]
    assert (answer.json["current_page"], answer.json["per_page"]) == (1, 20)


def test_the_app_finds_its_store_as_brand_and_a_description(api: Api):
    seller = api.seller("Toko Sari")
    phone = signed_in(api, seller)
    brand = {"id": seller.store_id, "name": "Toko Sari"}
    made = api.post("/api/products/create", phone, **retrofit(KOPI, picture())).json["product"]
    api.product(phone, name="Teh", brand="Cap Botol")
    listed = api.get("/api/products/my-brand", phone).json

    assert made["brand"] == brand
    assert [one["brand"] for one in listed] == [brand, brand]
    assert [one["description"] for one in listed] == [None, KOPI["description"]]
    assert api.get(f"/api/products/{listed[0]['id']}").json["brand"]["name"] == "Cap Botol"
