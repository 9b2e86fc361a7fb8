"""Finding products by words: forms, order, corrections, filters, suggestions, and how true it
all stays.
"""

import psycopg
import pytest
from conftest import Api, User
from support.responses import problem

from marketplace.workflows import search as workflow


@pytest.fixture
def seller(api: Api) -> User:
    return api.seller()


def names(api: Api, search: str, **params) -> list[str]:
    """Names of what is found, in the order answered."""
    answer = api.get("/api/products", params={"search": search, **params})
    assert answer.status_code == 200, answer.text
    return [product["name"] for product in answer.json["products"]]


def suggested(api: Api, q: str) -> dict[str, list[str]]:
    answer = api.get("/api/products/suggest", params={"q": q})
    assert answer.status_code == 200, answer.text
    return {kind: [thing["name"] for thing in things] for kind, things in answer.json.items()}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Kaméra Süper Zoom", "KAMERA super"),
        ("Asus RTX-4090 OC", "rtx4090"),
        ("Asus RTX-4090 OC", "rtx 4090"),
        ("Asus RTX4090 OC", "RTX-4090"),
        ("Asus RTX 4090 OC", "RTX-4090"),
        ("Flashdisk 256GB", "256 gb"),
        ("Flashdisk 256 GB", "256gb"),
        ('Laptop 13.3" tipis', "13.3 inch"),
        ("Laptop 13,3 inci tipis", '13.3"'),
        ("Router Wi-Fi rumah", "wifi"),
        ("Router WiFi rumah", "wi-fi"),
        ("Headset kabel", "head set"),
        ("Bluetooth speakers", "speaker"),
        ("Baju berlari", "lari"),
        ("Levi's asli", "levis"),
        ("Kopi untuk kantor", "kopi untuk kantor"),
        ("東京 タワー", "東京"),
    ],
)
def test_words_are_found_however_they_are_written(api: Api, seller: User, name: str, words: str):
    api.product(seller, name=name)
    api.product(seller, name="Barang lain sama sekali")

    assert names(api, words) == [name]


def test_brand_category_and_description_are_found_too(api: Api, seller: User):
    category = api.post("/api/categories", api.admin(), json={"name": "Perkakas dapur"}).json["id"]
    api.product(
        seller,
        name="Wajan",
        brand="Maspion Uji",
        category_id=category,
        description="<p>Antilengket dan ringan.</p>",
    )

    for words in ("maspion", "perkakas", "antilengket", "wajan maspion dapur ringan"):
        assert names(api, words) == ["Wajan"]


def test_name_comes_before_brand_before_category_before_description(api: Api, seller: User):
    category = api.post("/api/categories", api.admin(), json={"name": "Zamrud"}).json["id"]
    api.product(seller, name="Batu hijau", description="Hampir zamrud.")
    api.product(seller, name="Batu biru", category_id=category)
    api.product(seller, name="Batu kuning", brand="Zamrud")
    api.product(seller, name="Zamrud murni")

    found = names(api, "zamrud")
    assert found[0] == "Zamrud murni"
    assert set(found[1:3]) == {"Batu biru", "Batu kuning"}
    assert found[3] == "Batu hijau"


def test_all_words_come_before_any_and_rare_words_before_common_ones(api: Api, seller: User):
    for number in range(4):
        api.product(seller, name=f"Meja kayu {number}")
    api.product(seller, name="Kursi rotan tua")
    api.product(
        seller, name="Meja rotan kayu jati lama sekali dan sangat besar untuk teras depan rumah"
    )

    found = names(api, "meja rotan")
    assert found[0].startswith("Meja rotan")
    assert found[1] == "Kursi rotan tua"
    assert len(found) == 6


def test_any_word_fills_up_other_orders_only_where_nothing_has_all_words(api: Api, seller: User):
    api.product(seller, name="Meja kayu", price="1.00")
    api.product(seller, name="Kursi rotan", price="2.00")
    api.product(seller, name="Meja rotan", price="3.00")

    assert names(api, "meja rotan", sort_by="price") == ["Meja rotan"]
    assert names(api, "meja rotan emas", sort_by="price") == [
        "Meja kayu",
        "Kursi rotan",
        "Meja rotan",
    ]


@pytest.mark.parametrize(
    "typed", ["kemja batik", "kemeaj batik", "kmeeja batik", "kemejja batik", "kemexa batik"]
)
def test_a_misspelt_word_is_corrected(api: Api, seller: User, typed: str):
    api.product(seller, name="Kemeja batik pria")
    api.product(seller, name="Sarung batik wanita")

    assert names(api, typed)[0] == "Kemeja batik pria"


def test_a_word_that_the_catalogue_knows_is_left_as_it_is(api: Api, seller: User):
    for number in range(6):
        api.product(seller, name=f"Kemeja {number}")
    for number in range(6):
        api.product(seller, name=f"Remeja {number}")

    assert all(name.startswith("Kemeja") for name in names(api, "kemeja"))


def test_what_nobody_has_is_not_found(api: Api, seller: User):
    api.product(seller)

    answer = api.get("/api/products", params={"search": "qzxqzx"}).json
    assert answer["products"] == []
    assert answer["total_items"] == 0


def test_words_behind_a_minus_sign_are_left_out(api: Api, seller: User):
    api.product(seller, name="Kopi susu")
    api.product(seller, name="Kopi hitam")

    assert names(api, "kopi -susu") == ["Kopi hitam"]
    assert names(api, "-susu") == []
    assert names(api, "--- kopi -") == ["Kopi susu", "Kopi hitam"]


def test_filters_hold_for_every_word(api: Api, seller: User):
    other = api.seller()
    category = api.post("/api/categories", api.admin(), json={"name": "Minuman uji"}).json["id"]
    mine = api.product(
        seller, name="Kopi satu", brand="Merek Satu", category_id=category, price="10.00", stock=0
    )
    api.product(other, name="Kopi dua", brand="Merek Dua", price="20.00")

    assert names(api, "kopi", store_id=seller.store_id) == ["Kopi satu"]
    assert names(api, "kopi", brand_id=mine["brand_id"]) == ["Kopi satu"]
    assert names(api, "kopi", category_id=category) == ["Kopi satu"]
    assert names(api, "kopi", max_price="15") == ["Kopi satu"]
    assert names(api, "kopi", in_stock="true") == ["Kopi dua"]
    assert names(api, "kopi", ids=mine["id"]) == ["Kopi satu"]
    assert names(api, "satu dua", store_id=other.store_id) == ["Kopi dua"]


def test_hidden_products_are_found_by_their_store_only(api: Api, seller: User):
    product = api.product(seller, name="Rahasia dagang")
    api.delete(f"/api/products/{product['id']}", seller)

    assert names(api, "rahasia") == []
    mine = api.get("/api/stores/mine/products", seller, params={"search": "rahasia"}).json[
        "products"
    ]
    assert [thing["id"] for thing in mine] == [product["id"]]
    assert suggested(api, "raha")["products"] == []


def test_the_cursor_goes_through_all_that_is_found_once(api: Api, seller: User):
    for number in range(25):
        api.product(
            seller, name=f"Gelas {'kaca ' * (number % 3)}{number}", price=f"{number % 4}.00"
        )

    for sort in ("relevance", "price", "name", "newest"):
        for order in ("asc", "desc"):
            params = {"search": "gelas", "sort_by": sort, "sort_order": order, "per_page": 7}
            whole = names(api, "gelas", sort_by=sort, sort_order=order, per_page=50)
            found, cursor = [], {}
            while cursor is not None:
                page = api.get("/api/products", params={**params, **cursor}).json
                found += [product["name"] for product in page["products"]]
                cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else None
            assert found == whole
            assert len(set(found)) == 25


def test_a_page_behind_the_end_is_empty_and_knows_the_total(api: Api, seller: User):
    api.product(seller, name="Gelas kaca")

    answer = api.get("/api/products", params={"search": "gelas", "page": 3}).json
    assert (answer["products"], answer["total_items"], answer["total_pages"]) == ([], 1, 1)


def test_a_change_is_found_at_once(api: Api, seller: User):
    product = api.product(seller, name="Gelas kaca", brand="Lama")
    api.patch(
        f"/api/products/{product['id']}", seller, json={"name": "Piring rotan", "brand": "Baru"}
    )

    assert names(api, "gelas") == names(api, "lama") == []
    assert names(api, "piring baru") == ["Piring rotan"]


def test_names_can_be_counted_by_the_worker_without_a_change_of_what_is_found(committed: Api):
    seller = committed.seller()
    for number in range(5):
        committed.product(seller, name=f"Gelas kaca {number}", description="Tahan panas.")
    before = names(committed, "gelas panas")

    with psycopg.connect(committed.owner_url) as conn:
        conn.execute("ANALYZE product_search")
        assert conn.execute("SELECT refresh_search_words(1000)").fetchone()[0] > 0
        rows = dict(conn.execute("SELECT word, array[named, found] FROM search_words").fetchall())
    assert rows["gelas"] == [5, 5]
    assert rows["panas"] == [0, 5]
    assert rows[f"#s{seller.store_id}"] == [0, 5]
    assert names(committed, "gelas panas") == before


def test_it_makes_no_difference_what_the_index_is_searched_for_first(
    api: Api, seller: User, monkeypatch
):
    other = api.seller()
    for number in range(12):
        api.product(
            (seller, other)[number % 2],
            name=("Panci besar", "Wajan anti lengket", "Panci anti gores", "Gelas besar")[
                number % 4
            ],
            description=("tahan panas", "untuk dapur besar", "")[number % 3],
            brand=("Sutomo", "Wirana")[number % 2],
            price=1000 * (number + 1),
            stock=number % 3,
        )
    asked: list[tuple[str, dict]] = [
        (words, filters)
        for words in (
            "panci besar",
            "panic besr",
            "wajan lengket dapur panas",
            "sutomo gores",
            "besar",
            "panci gores besar dapur sutomo",
        )
        for filters in (
            {"store_id": seller.store_id},
            {"store_id": seller.store_id, "in_stock": "false", "sort_by": "price"},
            {"min_price": 4000, "max_price": 9000, "per_page": 1},
            {},
        )
    ]
    monkeypatch.setattr(workflow, "ANY_WORD", 0)
    found = []
    for most, read in ((0, 0), (1000, 1000), (1000, 0)):
        monkeypatch.setattr(workflow, "DRIVEN", most)
        monkeypatch.setattr(workflow, "READ", read)
        found.append([names(api, words, **filters) for words, filters in asked])
    assert found[0] == found[1] == found[2]
    assert sum(map(bool, found[0])) > len(asked) // 2


def test_a_very_common_word_is_looked_for_in_the_newest_products(api: Api, seller: User):
    api.product(seller, name="Gelas lama")
    with api.as_owner(api.db.conn) as conn:
        conn.execute(
            "INSERT INTO search_words VALUES ('gelas', 90000, 90000) ON CONFLICT (word) DO "
            "UPDATE SET found = 90000"
        )

    answer = api.get("/api/products", params={"search": "gelas"}).json
    assert [product["name"] for product in answer["products"]] == ["Gelas lama"]
    assert answer["total_exact"] is False


@pytest.mark.parametrize(
    "words",
    [
        "'",
        "' & !",
        ":*",
        "a:*",
        "\\",
        "(kopi",
        "kopi)",
        "!!",
        "| &",
        "<->",
        '"kopi',
        "%",
        "_",
        "$$",
        "kopi:A",
        "#c1",
        "😀",
        "ﬁ",
        ".",
    ],
)
def test_signs_of_query_languages_are_no_words(api: Api, seller: User, words: str):
    api.product(seller, name="Kopi ﬁlter")

    assert api.get("/api/products", params={"search": words}).status_code == 200
    assert api.get("/api/products", params={"search": f"{words} kopi -{words}"}).status_code == 200
    assert api.get("/api/products/suggest", params={"q": words}).status_code == 200
    assert api.get("/api/products/suggest", params={"q": f"kopi {words}"}).status_code == 200


def test_words_past_the_twelfth_do_not_count(api: Api, seller: User):
    api.product(seller, name="satu dua tiga")

    assert names(api, "satu dua tiga " + "empat " * 20) == ["satu dua tiga"]


def test_products_brands_and_categories_are_suggested(api: Api, seller: User):
    category = api.post("/api/categories", api.admin(), json={"name": "Kemasan"}).json["id"]
    api.product(seller, name="Kemeja batik", brand="Kémah Jaya", category_id=category)
    api.product(seller, name="Sarung batik")

    assert suggested(api, "kem") == {
        "products": ["Kemeja batik"],
        "brands": ["Kémah Jaya"],
        "categories": ["Kemasan"],
    }
    assert suggested(api, "batik ke")["products"] == ["Kemeja batik"]
    assert suggested(api, "Jay")["brands"] == ["Kémah Jaya"]
    assert suggested(api, "xyz") == {"products": [], "brands": [], "categories": []}


def test_five_of_a_kind_are_suggested_what_begins_so_first(api: Api, seller: User):
    api.product(seller, name="Rak buku tulis")
    for number in range(6):
        api.product(seller, name=f"Buku tulis {number} garis")

    found = suggested(api, "buku t")["products"]
    assert len(found) == 5
    assert all(name.startswith("Buku") for name in found)


def test_suggestions_need_a_word(api: Api):
    problem(api.get("/api/products/suggest"), 422, "validation_failed")
