"""Signs within words, decimals with units, accents: what is typed as it stands in a name finds it."""

import csv

import pytest
from conftest import Api, User

from marketplace.demo import PRODUCTS

NAMES = (
    "Kabel Jack 3.5mm",
    "Botol 1.5L",
    "Beras 2.5kg",
    "Router 2.4GHz",
    "Baterai 3.7V",
    "Wi-Fi 802.11ac",
    "Powerbank 10.000mAh",
    "Speaker 2.1ch",
    "Pompa Air 0.5HP",
    "Flashdisk USB-C 3.2gen2",
    "Mobil R/C 1:16",
    "Meja 120x60cm",
    "Kaos L/XL",
    "Lampu 12W@220V",
    "Sekrup M4x20mm",
    "Pulsa AT&T",
    "Router Wi\u2011Fi",
    'Layar 13,3" 16:9',
    "Ban 185/65R15",
    "Cat No.5",
)


@pytest.fixture
def seller(api: Api) -> User:
    return api.seller()


def found(api: Api, seller: User, words: str) -> list[str]:
    params = {"search": words, "store_id": seller.store_id, "per_page": 100}
    answer = api.get("/api/products", params=params)
    assert answer.status_code == 200, answer.text
    return [product["name"] for product in answer.json["products"]]


def test_each_word_of_a_name_finds_it_as_it_stands_there(api: Api, seller: User):
    for name in NAMES:
        api.product(seller, name=name)
    missed = [
        (name, word)
        for name in NAMES
        for word in name.split()
        if name not in found(api, seller, word)
    ]
    assert missed == []


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("Botol 1.5L", "1,5L"),
        ("Kabel 3.5mm", "3.5 mm"),
        ("Kabel 3.5 mm", "3.5mm"),
        ("Powerbank 10.000mAh", "10.000 mah"),
        ("Pulsa AT&T", "att"),
        ("Router Wi\u2011Fi", "wifi"),
        ("Router Wi‐Fi", "wi-fi"),
    ],
)
def test_other_spellings_find_it_too(api: Api, seller: User, name: str, typed: str):
    api.product(seller, name=name)
    api.product(seller, name="Barang lain")
    assert found(api, seller, typed) == [name]


def test_a_unit_alone_finds_no_other_number(api: Api, seller: User):
    api.product(seller, name="Kabel 3.5mm")
    api.product(seller, name="Kabel 2.5mm")
    assert found(api, seller, "2.5mm") == ["Kabel 2.5mm"]


@pytest.mark.parametrize("typed", ["345.6mm", "345.6m", "345.6"])
def test_decimals_are_completed(api: Api, seller: User, typed: str):
    api.product(seller, name="Selang 345.6mm hijau")
    answer = api.get("/api/products/suggest", params={"q": typed})
    assert [product["name"] for product in answer.json["products"]] == ["Selang 345.6mm hijau"]


def test_every_demo_product_is_found_by_each_word_of_its_name(api: Api, seller: User):
    with PRODUCTS.open(encoding="utf-8", newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    for name in names:
        api.product(seller, name=name)
    missed = [
        (name, word)
        for name in names
        for word in name.split()
        if any(sign.isalnum() for sign in word) and name not in found(api, seller, word)
    ]
    assert missed == []


def test_names_are_sorted_without_regard_to_accents(api: Api, seller: User):
    for name in ("Zebra", "Ärm", "Nasi", "Çay", "Éclair", "arm"):
        api.product(seller, name=name)
    params = {"store_id": seller.store_id, "sort_by": "name"}
    for order in ("asc", "desc"):
        pages = []
        cursor = {}
        while cursor is not None:
            answer = api.get(
                "/api/products", params={**params, "sort_order": order, "per_page": 2, **cursor}
            )
            pages += [product["name"] for product in answer.json["products"]]
            following = answer.json["next_cursor"]
            cursor = {"cursor": following} if following else None
        pages = pages if order == "asc" else pages[::-1]
        assert pages == ["Ärm", "arm", "Çay", "Éclair", "Nasi", "Zebra"]


def test_a_renamed_product_is_sorted_anew(api: Api, seller: User):
    first = api.product(seller, name="Zebra")["id"]
    api.product(seller, name="Nasi")
    assert api.patch(f"/api/products/{first}", seller, json={"name": "Ärm"}).status_code == 200
    params = {"store_id": seller.store_id, "sort_by": "name"}
    shown = api.get("/api/products", params=params).json["products"]
    assert [product["name"] for product in shown] == ["Ärm", "Nasi"]


@pytest.mark.parametrize(
    ("name", "typed"),
    [("Éclat", "eclat"), ("Straße", "strasse"), ("L'Oréal", "loreal"), ("L’Oréal", "L'OREAL")],
)
def test_brands_and_users_are_found_without_accents(api: Api, seller: User, name: str, typed: str):
    api.product(seller, brand=name)
    brands = api.get("/api/brands", params={"search": typed}).json["brands"]
    assert [brand["name"] for brand in brands] == [name]
    api.register(name=f"{name} Sari")
    users = api.get("/api/users", api.admin(), params={"search": f"{typed} s"}).json["users"]
    assert [user["name"] for user in users] == [f"{name} Sari"]


def test_brands_are_sorted_without_regard_to_accents(api: Api, seller: User):
    for brand in ("Zeta", "Ärzte", "Arta"):
        api.product(seller, brand=brand)
    listed = [brand["name"] for brand in api.get("/api/brands").json["brands"]]
    assert listed == ["Arta", "Ärzte", "Zeta"]


def test_a_seller_finds_a_product_by_its_sku(api: Api, seller: User):
    api.product(seller, name="Kopi", sku="SKU-Ab.1")
    api.product(seller, name="Teh SKU-Ab.1 palsu")
    other = api.seller()
    api.product(other, name="Susu", sku="SKU-Ab.1")
    for user, name in ((seller, "Kopi"), (other, "Susu")):
        answer = api.get("/api/stores/mine/products", user, params={"search": "SKU-Ab.1"})
        assert [product["name"] for product in answer.json["products"]] == [name]


def test_an_admin_sees_what_a_store_has_hidden(api: Api, seller: User):
    api.product(seller, name="Kopi", hidden=True, sku="K-1")
    admin = api.admin()
    for more in ({}, {"search": "kopi"}, {"search": "K-1"}, {"hidden": "true"}):
        params = {"store_id": seller.store_id, **more}
        answer = api.get("/api/stores/mine/products", admin, params=params)
        assert [product["name"] for product in answer.json["products"]] == ["Kopi"]
    assert api.get("/api/stores/mine/products", admin).status_code == 409
    other = api.get("/api/stores/mine/products", api.seller(), params={"store_id": seller.store_id})
    assert other.status_code == 404


def test_a_cursor_goes_on_where_a_sku_has_come_to_be_what_is_searched(api: Api, seller: User):
    names = {api.product(seller, name=f"Zonk {number}")["name"] for number in "ab"}
    asked = {"search": "zonk", "per_page": 1}
    first = api.get("/api/stores/mine/products", seller, params=asked).json
    api.product(seller, name="Lain", sku="zonk", hidden=True)
    more = {**asked, "cursor": first["next_cursor"]}
    answer = api.get("/api/stores/mine/products", seller, params=more)
    assert answer.status_code == 200, answer.text
    assert {page["products"][0]["name"] for page in (first, answer.json)} == names
    for hidden, count in (("true", 1), ("false", 0)):
        asked = {"search": "zonk", "hidden": hidden}
        answer = api.get("/api/stores/mine/products", seller, params=asked)
        assert len(answer.json["products"]) == count


def test_points_between_words_are_no_words(api: Api, seller: User):
    gayo = api.product(seller, name="Teh 2 Gayo")["name"]
    api.product(seller, name="Teh 2 Melati")
    typed = "teh 2" + 12 * "." + "gayo"
    assert found(api, seller, typed)[0] == gayo
    assert found(api, seller, f"teh -2{12 * '.'}gayo") == []
    assert found(api, seller, f"teh -1{12 * '.'}melati") == [gayo]
    for points in (10, 11, 12):  # what comes then is the twelfth word, or an empty one
        answer = api.get("/api/products/suggest", params={"q": f"teh 2{points * '.'}gayo"})
        assert answer.status_code == 200, answer.text
        assert [product["name"] for product in answer.json["products"]] == [gayo]
