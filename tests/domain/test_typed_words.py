"""What is typed otherwise than it is written: as typed comes first, then what it may stand for."""

import psycopg
import pytest
from conftest import Api, User
from support.search_words import FORMS

from marketplace.postgres import migrations


@pytest.fixture
def seller(api: Api) -> User:
    return api.seller()


def found(api: Api, words: str, **params) -> list[str]:
    answer = api.get("/api/products", params={"search": words, "per_page": 100, **params})
    assert answer.status_code == 200, answer.text
    return [product["name"] for product in answer.json["products"]]


def suggested(api: Api, words: str) -> list[str]:
    answer = api.get("/api/products/suggest", params={"q": words})
    return [product["name"] for product in answer.json["products"]]


def count_words(api: Api) -> None:
    """As the worker does; in the transaction of the test."""
    with api.as_owner(api.db.conn) as conn:
        conn.execute("SELECT refresh_search_words(1000000)")


def test_a_rare_word_typed_rightly_comes_before_a_common_one_like_it(api: Api, seller: User):
    for number in range(12):
        api.product(seller, name=f"Gembox kotak {number}")
    api.product(seller, name="Pengendali permainan nirkabel Xgembox seri hitam")
    count_words(api)

    names = found(api, "xgembox")
    assert names[0].startswith("Pengendali")
    assert len(names) == 13
    assert found(api, "xgembox", sort_by="price") == names[:1]


@pytest.mark.parametrize("typed", ["sru", "sarua", "sraung", "sarunh", "saung", "zarung"])
def test_one_letter_wrong_is_corrected_from_three_letters_on(api: Api, seller: User, typed: str):
    api.product(seller, name="Seru")
    api.product(seller, name="Sarung Tenun")
    api.product(seller, name="Ember")
    count_words(api)

    names = found(api, typed)
    assert names == (["Seru"] if typed == "sru" else ["Sarung Tenun"]) or typed == "sarua"
    assert suggested(api, typed) == names


def test_words_without_the_space_between_them_find_what_has_both(api: Api, seller: User):
    api.product(seller, name="Minyak Goreng 2L")
    api.product(seller, name="Minyak Angin")
    api.product(seller, name="Tepung Goreng")

    for typed in ("minyakgoreng", "2l minyakgoreng"):
        assert found(api, typed)[0] == "Minyak Goreng 2L"
    assert found(api, "minyakgoreng") == suggested(api, "minyakgoreng") == ["Minyak Goreng 2L"]


def test_typed_neighbours_that_are_neighbours_in_the_name_come_first(api: Api, seller: User):
    api.product(seller, name="Kopi bubuk susu")
    api.product(seller, name="Kopi susu bubuk")
    api.product(seller, name="Susu kopi bubuk")

    assert found(api, "kopi susu")[0] == "Kopi susu bubuk"


def test_all_words_but_the_rarest_come_before_nothing(api: Api, seller: User):
    for name in ("Meja lipat kayu", "Meja lipat besi", "Kursi lipat"):
        api.product(seller, name=name)
    count_words(api)

    assert set(found(api, "meja lipat zamrud")[:2]) == {"Meja lipat kayu", "Meja lipat besi"}


def test_endings_and_doubled_words_find_the_word(api: Api, seller: User):
    for name in dict.fromkeys(name for _, name in FORMS):
        api.product(seller, name=name)

    missed = [(typed, name) for typed, name in FORMS if name not in found(api, typed)]
    assert missed == []


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("北海道牛乳", "牛乳"),
        ("手机壳", "手机"),
        ("กาแฟดอยช้าง", "กาแฟ"),
        ("กาแฟดอยช้าง", "ช้าง"),
        ("コーヒーメーカー", "メーカー"),
        ("iPhone手机壳", "iphone"),
        ("iPhone手机壳", "手机"),
    ],
)
def test_a_part_of_a_run_without_blanks_finds_it(api: Api, seller: User, name: str, typed: str):
    api.product(seller, name=name, description="透明")
    api.product(seller, name="东京")

    assert found(api, typed) == [name]
    assert found(api, "透明") == [name]
    assert suggested(api, typed) == [name]


def test_synonyms_stand_behind_what_is_as_typed(api: Api, seller: User):
    for name in ("HP Bekas", "Handphone Baru", "Celana Anak", "Ponsel"):
        api.product(seller, name=name)

    assert found(api, "handphone")[0] == "Handphone Baru"
    assert set(found(api, "handphone")) == {"HP Bekas", "Handphone Baru", "Ponsel"}
    assert found(api, "hp bekas")[0] == found(api, "ponsel bekas")[0] == "HP Bekas"
    assert "HP Bekas" in suggested(api, "ponsel")
    assert suggested(api, "ponsel bek") == ["HP Bekas"]


def test_suggestions_are_as_typed_first(api: Api, seller: User):
    for name in ("HP", "Handphone", "Ponsel Bekas Mulus Sekali", "Ponsel Baru Garansi Toko"):
        api.product(seller, name=name)

    names = suggested(api, "ponsel")
    assert {name.split()[0] for name in names[:2]} == {"Ponsel"}
    assert set(names[2:]) == {"HP", "Handphone"}
    for number in range(5):
        api.product(seller, name=f"Ponsel Lipat Nomor {number}")
    assert all(name.startswith("Ponsel") for name in suggested(api, "ponsel"))


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("Headset Bluetooth", "head se"),
        ("Headset Bluetooth", "head set blue"),
        ("Buku Tulis", "buku2"),
        ("Buku Tulis", "buku2 tul"),
        ("Laptop Stand", "laptops"),
        ("Laptop Stand", "laptops sta"),
        ("Gula dan Kopi", "gula untuk ko"),
        ("Kabel Jack 3.5mm", "jack 3.5mm"),
        ("Kabel Jack 3.5mm", "kbael jac"),
    ],
)
def test_suggestions_understand_what_searches_do(api: Api, seller: User, name: str, typed: str):
    api.product(seller, name=name)
    api.product(seller, name="Ember Plastik")
    count_words(api)

    assert suggested(api, typed) == [name]


def test_words_that_join_others_need_not_be_there(api: Api, seller: User):
    api.product(seller, name="Kopi Susu")
    api.product(seller, name="Gelas untuk Kopi")

    assert set(found(api, "kopi dan susu", sort_by="name")) == {"Kopi Susu"}
    assert set(found(api, "gelas yang kopi", sort_by="name")) == {"Gelas untuk Kopi"}


def test_some_words_are_found_by_the_rare_ones(api: Api, seller: User):
    """All but one: without the most common first, until enough are found."""
    for name in ("Meja lipat kayu", "Meja lipat besi", "Kursi lipat", "Meja kayu"):
        api.product(seller, name=name)
    count_words(api)

    assert set(found(api, "meja lipat kayu jati")[:3]) >= {"Meja lipat kayu"}


def test_runs_of_a_shop_that_was_there_before_are_written_by_a_job(committed: Api):
    """A migration that wrote them itself would hold a large shop up."""
    path = next(migrations.MIGRATIONS.glob("V0170*"))
    seller = committed.seller()
    with psycopg.connect(committed.owner_url, autocommit=True) as conn:
        block = path.read_text(encoding="utf-8").partition("\nDO $$")[2]
        jobs = 'SELECT count(*) FROM jobs.procrastinate_jobs WHERE args = \'{"by": "all", "id": null}\''
        conn.execute(f"DO $${block}")
        assert conn.execute(jobs).fetchone() == (0,)
        committed.product(seller, name="手机壳")
        conn.execute(f"DO $${block}")
        assert conn.execute(jobs).fetchone() == (1,)
