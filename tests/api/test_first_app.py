"""The calls of the first app: what it sends and reads, and how long its token is good."""

import dataclasses
import json
import re
import secrets
from datetime import datetime

import falcon.testing
import jwt
import psycopg
import pytest
from conftest import PASSWORD, Api, User
from support.images import picture
from support.responses import problem

from marketplace.resources import legacy_android

MONTH = 30 * 86400
WORDS = {"buyer": "pembeli", "seller": "penjual", "admin": "admin"}


def signed_in(api: Api, user: User) -> User:
    """The user on a phone with the first app: the token is its `auth_token`."""
    answer = api.post(
        "/api/auth/login", json={"email": user.email, "password": PASSWORD, "client_type": "mobile"}
    )
    assert answer.status_code == 200, answer.text
    return User({**answer.json, "access_token": answer.json["auth_token"]}, user.email)


def claims(token: str) -> dict:
    return jwt.decode(token, options={"verify_signature": False})


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


def test_registering_answers_what_the_app_reads(api: Api):
    body = {
        "name": "Sari",
        "email": "sari@example.com",
        "password": PASSWORD,
        "client_type": "mobile",
    }
    answer = api.post("/api/auth/register", json=body)

    assert answer.status_code == 201, answer.text
    assert "Selamat" in answer.json["message"]
    assert (answer.json["user_role"], answer.json["user"]["user_role"]) == ("pembeli", "pembeli")
    assert (answer.json["user"]["role"], answer.json["expires_in"]) == ("buyer", 900)
    profile = api.get(
        "/api/users/profile", headers={"Authorization": f"Bearer {answer.json['auth_token']}"}
    ).json
    assert (profile["name"], profile["user_role"]) == ("Sari", "pembeli")
    assert [
        row["type"]
        for row in api.get("/api/users/activities", User(answer.json, "")).json["activities"]
    ] == [
        "view_profile",
        "register",
    ]


def test_signing_in_calls_each_role_by_the_apps_word(api: Api):
    for user, role in ((api.buyer(), "buyer"), (api.seller(), "seller"), (api.admin(), "admin")):
        body = {"email": user.email, "password": PASSWORD, "client_type": "mobile"}
        answer = api.post("/api/auth/login", json=body).json
        assert (answer["user"]["role"], answer["user"]["user_role"], answer["user_role"]) == (
            role,
            WORDS[role],
            WORDS[role],
        )


def test_other_apps_are_answered_nothing_more(api: Api):
    user = api.buyer()
    answer = api.post("/api/auth/login", json={"email": user.email, "password": PASSWORD}).json

    assert set(answer) == {"access_token", "refresh_token", "token_type", "expires_in", "user"}
    assert set(answer["user"]) == {"id", "name", "email", "role", "store_id", "avatar"}
    unknown = api.post(
        "/api/auth/login", json={"email": user.email, "password": PASSWORD, "client_type": "web"}
    )
    assert problem(unknown, 422, "validation_failed")["errors"][0]["pointer"] == "/client_type"


def test_its_token_lives_as_long_as_its_session(api: Api):
    user = api.buyer()
    phone = signed_in(api, user)
    session = next(
        one for one in api.get("/api/auth/sessions", phone).json["sessions"] if one["current"]
    )
    ends = datetime.fromisoformat(session["expires_at"].replace("Z", "+00:00")).timestamp()

    assert set(claims(phone.token)) == set(claims(user.token))
    assert claims(phone.token)["exp"] - claims(phone.token)["iat"] == MONTH
    assert abs(claims(phone.token)["exp"] - ends) <= 2
    with api.as_owner(api.db.conn) as conn:
        conn.execute("UPDATE auth.sessions SET expires_at = now() WHERE id = %s", [session["id"]])
    problem(api.get("/api/users/profile", phone), 401, "invalid_token")
    assert api.get("/api/users/profile", user).status_code == 200


def test_no_session_lives_longer_than_the_operator_allows(api: Api):
    user = api.buyer()
    strict = Api(
        dataclasses.replace(api.config, refresh_token_seconds=86400), api.db, api.owner_url
    )
    phone = signed_in(strict, user)

    assert claims(phone.token)["exp"] - claims(phone.token)["iat"] == 86400


def test_its_token_is_no_refresh_token_and_a_refresh_token_is_no_access_token(api: Api):
    phone = signed_in(api, api.buyer())

    problem(
        api.post("/api/auth/refresh", json={"refresh_token": phone.token}), 422, "validation_failed"
    )
    for piece in (
        *phone.token.split("."),
        claims(phone.token)["sid"],
        f"{claims(phone.token)['sid']}.",
    ):
        problem(
            api.post("/api/auth/refresh", json={"refresh_token": piece}),
            401,
            "invalid_refresh_token",
        )
    answer = api.get(
        "/api/users/profile", headers={"Authorization": f"Bearer {phone.refresh_token}"}
    )
    problem(answer, 401, "invalid_token")
    assert api.get("/api/users/profile", phone).status_code == 200
    assert (
        api.post("/api/auth/refresh", json={"refresh_token": phone.refresh_token}).status_code
        == 200
    )


def end_from_another_device(api: Api, user: User, phone: User) -> None:
    listed = api.get("/api/auth/sessions", user).json["sessions"]
    session = next(one for one in listed if not one["current"])
    assert api.delete(f"/api/auth/sessions/{session['id']}", user).status_code == 204


def change_password(api: Api, user: User, phone: User) -> None:
    body = {"name": "Sari", "password": "teh-melati-panas-sekali", "current_password": PASSWORD}
    assert api.put("/api/users/profile", user, json=body).status_code == 200


def reuse_a_refresh_token(api: Api, user: User, phone: User) -> None:
    for _ in range(2):
        api.post("/api/auth/refresh", json={"refresh_token": phone.refresh_token})
        with api.as_owner(api.db.conn) as conn:
            conn.execute("UPDATE auth.refresh_tokens SET used_at = used_at - interval '1 minute'")


@pytest.mark.parametrize(
    "end",
    [
        lambda api, user, phone: api.post("/api/auth/logout", phone),
        lambda api, user, phone: api.delete("/api/auth/sessions", user),
        lambda api, user, phone: api.patch(
            f"/api/users/{user.id}", api.admin(), json={"suspended": True}
        ),
        end_from_another_device,
        change_password,
        reuse_a_refresh_token,
    ],
    ids=["log-out", "all others ended", "suspended", "ended", "new password", "stolen"],
)
def test_its_token_dies_with_the_session(api: Api, end):
    user = api.buyer()
    phone = signed_in(api, user)
    assert api.get("/api/users/profile", phone).status_code == 200

    end(api, user, phone)

    problem(api.get("/api/users/profile", phone), 401, "invalid_token")
    problem(
        api.post("/api/auth/open_store", phone, json={"name": "Toko Hantu"}), 401, "invalid_token"
    )


def test_a_change_of_role_bites_its_token_too(api: Api):
    phone = signed_in(api, api.seller())
    assert api.get("/api/products/my-brand", phone).status_code == 200

    api.patch(f"/api/users/{phone.id}", api.admin(), json={"role": "buyer"})

    problem(api.get("/api/products/my-brand", phone), 403, "forbidden")
    assert api.get("/api/users/profile", phone).json["user_role"] == "pembeli"


def test_the_profile_is_flat_and_has_the_apps_word_which_nobody_writes(api: Api):
    user = api.buyer()
    profile = api.get("/api/users/profile", user).json
    answer = api.put(
        "/api/users/profile", user, json={**profile, "user_role": "admin", "name": "Sari Dewi"}
    )

    assert (profile["role"], profile["user_role"]) == ("buyer", "pembeli")
    assert (answer.json["name"], answer.json["role"], answer.json["user_role"]) == (
        "Sari Dewi",
        "buyer",
        "pembeli",
    )
    listed = api.get("/api/users", api.admin(), params={"search": user.email}).json["users"]
    assert [one["user_role"] for one in listed] == ["pembeli"]


def test_a_name_is_changed_alone(api: Api):
    phone = signed_in(api, api.buyer())
    before = api.put(
        "/api/users/profile",
        phone,
        json={"name": "Sari", "phone": "+62 812", "address": "Jl. Melati 5"},
    ).json
    answer = api.put("/api/users/profile/username", phone, json={"name": "Sari Dewi"})

    assert answer.status_code == 200, answer.text
    assert answer.json["message"]
    changed = {
        "name": "Sari Dewi",
        "version": before["version"] + 1,
        "updated_at": answer.json["user"]["updated_at"],
    }
    assert answer.json["user"] == {**before, **changed}
    log = api.get("/api/users/activities", phone, params={"type": "update_profile"}).json[
        "activities"
    ]
    assert (log[0]["details"], log[0]["related_name"]) == ({"changed": ["name"]}, "Sari Dewi")
    for wrong in (
        {},
        {"name": " "},
        {"name": "x" * 201},
        {"name": "Sari", "email": "other@example.com"},
    ):
        problem(api.put("/api/users/profile/username", phone, json=wrong), 422, "validation_failed")
    stale = api.put(
        "/api/users/profile/username", phone, json={"name": "S"}, headers={"If-Match": '"1-0"'}
    )
    problem(stale, 412, "precondition_failed")


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
    assert {**api.get(answer.headers["location"]).json, "brand": product["store"]} == product
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
        {**one, "brand": one["store"], "description": described["description"]}
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


def test_registering_without_saying_who_it_is_is_answered_the_same(api: Api):
    body = {"name": "Sari", "email": "sari@example.com", "password": PASSWORD}
    answer = api.post("/api/auth/register", json=body).json
    assert "Selamat" in answer["message"]
    assert (answer["user_role"], answer["user"]["user_role"]) == ("pembeli", "pembeli")
    headers = {"Authorization": f"Bearer {answer['auth_token']}"}
    assert api.get("/api/users/profile", headers=headers).status_code == 200


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
