"""Names and addresses: one identity is one, however it is typed; what shows nothing is no name."""

import pytest
from conftest import PASSWORD, Api, User
from support.responses import problem

from marketplace.integrations import mail

NOTHING = (
    "\u200b",
    "\u3164",
    "\u2800",
    "\u00ad",
    "\u2060\u2060",
    "\ufeff",
    "\u115f",
    "\U000e0020",
    " \u00a0 ",
)
TURNING = ("\u202egnp.exe", "a\u2066b", "\u202bToko")


@pytest.fixture
def seller(api: Api) -> User:
    return api.seller()


@pytest.mark.parametrize("name", [*NOTHING, *TURNING])
def test_what_shows_nothing_or_something_else_is_no_name(api: Api, seller: User, name: str):
    admin = api.admin()
    answers = (
        api.post("/api/products", seller, json={"name": name, "price": "1"}),
        api.post("/api/products", seller, json={"name": "Kopi", "price": "1", "brand": name}),
        api.patch("/api/users/profile", seller, json={"name": name}),
        api.post("/api/stores", api.buyer(), json={"name": name}),
        api.post("/api/categories", admin, json={"name": name}),
        api.post("/api/brands", admin, json={"name": name}),
    )
    for answer in answers:
        problem(answer, 422, "validation_failed")


@pytest.mark.parametrize(
    "name",
    [
        "Toko \U0001f468\u200d\U0001f469\u200d\U0001f467",
        "Kopi \u2615\ufe0f",
        "می\u200cخواهم",
        "क\u094d\u200dष",
    ],
)
def test_joiners_that_shape_what_is_seen_are_kept(api: Api, name: str):
    answer = api.post("/api/stores", api.buyer(), json={"name": name})
    assert (answer.status_code, answer.json["name"]) == (201, name)


@pytest.mark.parametrize(
    "twin",
    [
        "Toko Kopi Sari ",
        " Toko Kopi Sari",
        "Toko  Kopi Sari",
        "toko\u00a0kopi sari",
        "Toko Kopi Sa\u0301ri",
        "T\u043eko Kopi Sari",
        "\uff34oko Kopi Sari",
        "T0ko K0pi Sari",
        "\u03a4oko \u039aopi Sari",
        "\U0001d413oko Kopi Sari",
    ],
)
def test_a_store_does_not_take_a_name_that_looks_like_anothers(api: Api, twin: str):
    first = api.seller("Toko Kopi Sari")
    problem(api.post("/api/stores", api.buyer(), json={"name": twin}), 409, "store_name_taken")
    other = api.seller("Toko Lain")
    version = {"name": twin}
    problem(api.put("/api/stores/mine", other, json=version), 409, "store_name_taken")
    assert api.put("/api/stores/mine", first, json=version).status_code == 200


def test_stores_whose_names_differ_to_the_eye_are_others(api: Api):
    for name in ("Toko 10", "Toko 1O0", "Toko Sari", "Toko Sari 2", "Toko-Sari", "Кофейня"):
        assert api.post("/api/stores", api.buyer(), json={"name": name}).status_code == 201


def test_brands_that_differ_by_blanks_are_one(api: Api, seller: User):
    spellings = ("Gayo Asli", "Gayo Asli ", " gayo asli", "Gayo  Asli", "Gayo\u00a0Asli")
    made = [api.product(seller, brand=spelling)["brand"]["id"] for spelling in spellings]
    assert len(set(made)) == 1


def test_categories_that_differ_by_blanks_are_one(api: Api):
    admin = api.admin()
    assert api.post("/api/categories", admin, json={"name": "Rumah Tangga"}).status_code == 201
    for twin in ("Rumah Tangga ", "Rumah  Tangga", "rumah\u00a0tangga"):
        problem(api.post("/api/categories", admin, json={"name": twin}), 409, "category_exists")


@pytest.mark.parametrize(
    "registered", ["x@xn--bcher-kva.example", "x@bücher.example", " X@Bücher.example "]
)
@pytest.mark.parametrize(
    "typed",
    ["x@xn--bcher-kva.example", "x@bücher.example", "X@BÜCHER.EXAMPLE ", "\u00a0x@bücher.example"],
)
def test_an_address_is_found_in_each_of_its_spellings(api: Api, registered: str, typed: str):
    body = {"name": "Sari", "email": registered, "password": PASSWORD}
    assert api.post("/api/auth/register", json=body).status_code == 201
    answer = api.post("/api/auth/login", json={"email": typed, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    twin = api.post("/api/auth/register", json={**body, "email": typed})
    problem(twin, 409, "email_taken")


def test_a_blank_behind_an_address_is_no_wrong_guess(api: Api):
    user = api.buyer()
    for _ in range(12):
        answer = api.post(
            "/api/auth/login", json={"email": f" {user.email} ", "password": PASSWORD}
        )
        assert answer.status_code == 200


def test_a_text_that_is_no_address_is_nobodys(api: Api):
    for text in ("sari", "@", "a@b@c", "x" * 200):
        answer = api.post("/api/auth/login", json={"email": text, "password": PASSWORD})
        problem(answer, 401, "invalid_credentials")


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("x@bücher.example", "x@xn--bcher-kva.example"),
        ("x@Straße.example", "x@xn--strae-oqa.example"),
        ("x@example.com", "x@example.com"),
    ],
)
def test_mails_go_to_addresses_that_every_server_takes(api: Api, address: str, written: str):
    made = mail.written(api.config, "verify", to=address, token="t", language="en")
    assert made["To"] == written
