"""Imports that only look, that take all or nothing, that change what is there, that are stopped;
and exports.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from conftest import Api
from support.import_shop import FILE, Shop, counts, generate, products
from support.responses import problem

from marketplace.workflows import import_batches, product_documents, upkeep


def post(shop: Shop, import_id: int, what: str, **options: Any) -> Any:
    return shop.api.post(
        f"/api/products/imports/{import_id}/{what}", options.pop("user", shop.seller), **options
    )


# Dry runs
# ---------------------------------------------------------------------------------------------------


def test_a_dry_run_says_what_would_happen_and_does_nothing(shop: Shop):
    shop.api.product(shop.seller, name="Panci", sku="P-1", stock=5)
    shop.api.product(shop.seller, name="Wajan", sku="W-1", price="2000", brand="Acme", stock=0)
    before = products(shop)
    bad = "X,,gratis,,,,,,\n"
    found = shop.run(shop.send(FILE + bad, "dry_run=true"))

    assert (found["state"], found["dry_run"]) == ("done", True)
    assert counts(found) == {"read": 4, "valid": 3, "created": 1, "updated": 2, "bad": 1}
    assert found["plan"] == {
        "new_categories": {"count": 2, "first": ["Dapur", "Dapur > Panci"]},
        "new_brands": {"count": 0, "first": []},
    }
    assert products(shop) == before
    assert shop.value("SELECT count(*) FROM categories") == 0
    assert shop.value("SELECT count(*) FROM audit WHERE type = 'import'") == 0
    assert len(shop.errors(found["id"])) == 1


def test_a_dry_run_is_applied_as_it_stands(shop: Shop):
    import_id = shop.run(shop.send(FILE, "dry_run=true"))["id"]
    answer = post(shop, import_id, "apply")
    assert (answer.status_code, answer.json["state"], answer.json["dry_run"]) == (
        202,
        "queued",
        False,
    )
    assert answer.headers["location"] == f"/api/products/imports/{import_id}"
    problem(post(shop, import_id, "apply"), 409, "import_not_applicable")
    found = shop.run(import_id)

    assert counts(found) == {"read": 3, "valid": 3, "created": 3}
    assert set(products(shop)) == {"Panci", "Wajan", "Gelas"}
    problem(post(shop, import_id, "apply"), 409, "import_not_applicable")
    assert shop.value("SELECT count(*) FROM import_rows") == 0
    assert list(shop.files.keys("imports/")) == []
    assert shop.value("SELECT count(*) FROM audit WHERE type = 'import'") == 1


def test_what_changed_since_the_dry_run_is_found_anew(shop: Shop):
    import_id = shop.run(shop.send(FILE, "dry_run=true"))["id"]
    shop.run(shop.send(FILE))
    post(shop, import_id, "apply")
    assert counts(shop.run(import_id)) == {"read": 3, "valid": 3, "unchanged": 3}


def test_a_dry_run_of_all_or_nothing_with_bad_rows_cannot_be_applied(shop: Shop):
    import_id = shop.run(shop.send(FILE + "X,,gratis,,,,,,\n", "dry_run=true&mode=atomic"))["id"]
    problem(post(shop, import_id, "apply"), 409, "import_not_applicable")


def test_an_old_dry_run_is_forgotten(shop: Shop):
    import_id = shop.run(shop.send(FILE, "dry_run=true"))["id"]
    with psycopg.connect(shop.api.owner_url) as conn:
        conn.execute("UPDATE imports SET finished_at = now() - interval '8 days'")
    problem(post(shop, import_id, "apply"), 409, "import_not_applicable")
    upkeep.run(shop.db, shop.files, shop.files, shop.config)
    assert shop.value("SELECT count(*) FROM import_rows") == 0


# Stopping
# ---------------------------------------------------------------------------------------------------


def test_a_dry_run_is_dropped(shop: Shop):
    import_id = shop.run(shop.send(FILE, "dry_run=true"))["id"]
    answer = post(shop, import_id, "cancel")
    assert (answer.status_code, answer.json["state"]) == (200, "cancelled")
    assert post(shop, import_id, "cancel").status_code == 200
    problem(post(shop, import_id, "apply"), 409, "import_not_applicable")
    shop.run(import_id)
    assert shop.value("SELECT count(*) FROM import_rows") == 0
    assert list(shop.files.keys("imports/")) == []


@pytest.mark.parametrize("mode", ["skip_bad", "atomic"])
def test_an_import_at_work_is_stopped(shop: Shop, mode: str):
    import_id = shop.send(generate(3500, bad_every=10**9, twin_every=10**9).text, f"mode={mode}")

    def cancel() -> bool:
        if shop.find(import_id)["rows_created"] > 0:
            post(shop, import_id, "cancel")
        return False

    found = shop.run(import_id, stopping=cancel)
    assert found["state"] == "cancelled"
    made = shop.value("SELECT count(*) FROM products")
    assert found["rows_created"] == made
    assert (0 < made < 3500) if mode == "skip_bad" else made == 0
    assert shop.value("SELECT count(*) FROM import_rows") == 0
    assert (
        shop.value("SELECT count(*) FROM auth.sessions WHERE kind = 'import' AND ended_at IS NULL")
        == 0
    )


def test_what_has_ended_is_neither_stopped_nor_applied(shop: Shop):
    import_id = shop.run(shop.send(FILE))["id"]
    problem(post(shop, import_id, "cancel"), 409, "import_ended")
    problem(post(shop, import_id, "apply"), 409, "import_not_applicable")


def test_somebody_elses_import_is_not_there(shop: Shop):
    import_id = shop.run(shop.send(FILE, "dry_run=true"))["id"]
    other = shop.api.seller()
    for what in ("apply", "cancel"):
        problem(post(shop, import_id, what, user=other), 404, "not_found")
        problem(post(shop, 10**15, what), 404, "not_found")
    assert post(shop, import_id, "cancel", user=shop.api.admin()).status_code == 200


def test_two_who_apply_at_once_apply_once(shop: Shop):
    import_id = shop.run(shop.send(FILE, "dry_run=true"))["id"]
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(lambda _: post(shop, import_id, "apply").status_code, range(4)))
    assert statuses == [202, 409, 409, 409]


# All or nothing
# ---------------------------------------------------------------------------------------------


def test_atomic_takes_nothing_where_a_row_is_bad(shop: Shop):
    found = shop.run(shop.send(FILE + "X,,gratis,,,,,,\nX,,-1,,,,,,\n", "mode=atomic"))
    assert (found["state"], found["error_code"]) == ("failed", "bad_rows")
    assert counts(found) == {"read": 5, "valid": 3, "bad": 2}
    assert products(shop) == {}
    assert [row["error_code"] for row in shop.errors(found["id"])] == [
        "invalid_price",
        "negative_price",
    ]


def test_atomic_takes_all_in_one_transaction_and_says_how_long(shop: Shop):
    file = generate(2500, bad_every=10**9, twin_every=10**9)
    found = shop.run(shop.send(file.text, "mode=atomic"))
    assert counts(found) == {"read": 2500, "valid": 2500, "created": 2500}
    assert found["timings"]["locked_ms"] > 0
    assert shop.value("SELECT count(DISTINCT created_at) FROM products") == 1
    again = shop.run(shop.send(file.text, "mode=atomic"))
    assert counts(again) == {"read": 2500, "valid": 2500, "unchanged": 2500}


def test_atomic_has_a_limit(shop: Shop, committed: Api):
    small = Shop(committed, import_atomic_max_rows=2)
    found = small.run(small.send(FILE, "mode=atomic"))
    assert (found["state"], found["error_code"]) == ("failed", "too_many_rows")
    small.db.close()


def test_atomic_with_rows_that_meet_two_products_takes_nothing(shop: Shop):
    shop.api.product(shop.seller, name="Satu", sku="P-1")
    shop.api.product(shop.seller, name="Dua", source_url="https://toko.example/1")
    before = products(shop)
    found = shop.run(shop.send(FILE, "mode=atomic"))
    assert (found["state"], found["error_code"]) == ("failed", "bad_rows")
    assert counts(found) == {"read": 3, "valid": 2, "bad": 1}
    (row,) = shop.errors(found["id"])
    assert (row["error_line"], row["error_code"], row["name"]) == ("2", "conflicting_keys", "Panci")
    assert products(shop) == before


# What is there already
# --------------------------------------------------------------------------------------


def test_products_are_met_by_sku_or_link_and_changed_where_the_file_says_something_else(shop: Shop):
    shop.run(shop.send(FILE))
    first = products(shop)
    changed = FILE.replace("Panci,Besar,1000,5", "Panci,Kecil,1500.50,9").replace(
        "Gelas,,3000,7", "Gelas,,3000,7"
    )
    found = shop.run(shop.send(changed))

    assert counts(found) == {"read": 3, "valid": 3, "updated": 1, "unchanged": 2}
    second = products(shop)
    assert (second["Panci"]["price"], second["Panci"]["stock"]) == ("1500.50", 9)
    assert (second["Panci"]["description"], second["Panci"]["id"]) == (
        "Kecil",
        first["Panci"]["id"],
    )
    assert second["Panci"]["version"] == first["Panci"]["version"] + 1
    assert {**second, "Panci": None} == {**first, "Panci": None}
    assert not any(
        untrue.products() for _, untrue, _ in product_documents.check(shop.db, "IDR", mend=False)
    )


def test_columns_the_file_lacks_and_empty_stock_and_pictures_leave_a_product_as_it_is(shop: Shop):
    shop.run(shop.send(FILE))
    before = products(shop)
    found = shop.run(shop.send("name,price,sku,stock,image_url\nPanci,1000,P-1,,\n"))
    assert counts(found) == {"read": 1, "valid": 1, "unchanged": 1}
    assert products(shop) == before


def test_a_cell_that_is_empty_takes_description_category_and_brand_away(shop: Shop):
    shop.run(shop.send(FILE))
    shop.run(shop.send("name,price,sku,description,category,brand\nPanci,1000,P-1,,,\n"))
    panci = products(shop)["Panci"]
    assert (panci["description"], panci["category"], panci["brand"]) == (None, None, None)
    assert (panci["source_url"], len(panci["images"])) == ("https://toko.example/1", 1)


def test_only_stock_that_differs_is_written(shop: Shop):
    shop.run(shop.send(FILE))
    before = products(shop)
    found = shop.run(shop.send("name,price,sku,stock\nPanci,1000,P-1,4\nWajan,2000,W-1,3\n"))
    assert counts(found) == {"read": 2, "valid": 2, "updated": 2}
    after = products(shop)
    assert [(after[name]["stock"], after[name]["in_stock"]) for name in ("Panci", "Wajan")] == [
        (4, True),
        (3, True),
    ]
    assert after["Panci"]["version"] == before["Panci"]["version"]


def test_pictures_are_replaced_in_the_order_of_the_file(shop: Shop):
    shop.run(shop.send(FILE))
    url = "https://gambar.example/"
    found = shop.run(
        shop.send(
            f"name,price,sku,source_url,image_url\nGelas,3000,,https://toko.example/3,{url}4.jpg|{url}2.jpg\n"
        )
    )
    assert counts(found) == {"read": 1, "valid": 1, "updated": 1}
    shown = [(image["image_url"], image["is_main"]) for image in products(shop)["Gelas"]["images"]]
    assert shown == [(f"{url}4.jpg", True), (f"{url}2.jpg", False)]


def test_on_match_skip_leaves_what_is_there(shop: Shop):
    shop.api.product(shop.seller, name="Milik saya", sku="P-1", price="7")
    found = shop.run(shop.send(FILE, "on_match=skip"))
    assert counts(found) == {"read": 3, "valid": 3, "created": 2, "skipped": 1}
    assert products(shop)["Milik saya"]["price"] == "7.00"


def test_an_id_of_another_store_means_nothing(shop: Shop):
    other = shop.api.seller()
    theirs = shop.api.product(other, name="Milik orang")
    found = shop.run(shop.send(f"marketplace_product_id,name,price\n{theirs['id']},Curian,1\n"))
    assert counts(found) == {"read": 1, "valid": 1, "created": 1}
    assert shop.api.get(f"/api/products/{theirs['id']}").json["name"] == "Milik orang"


def test_an_import_beside_a_change_of_the_same_product_loses_neither(shop: Shop):
    """The change comes between what the import has read and its lock."""
    shop.run(shop.send(FILE))
    panci = products(shop)["Panci"]
    real, done = import_batches.documents.lock, threading.Event()

    def late(conn: Any, product_ids: Any) -> None:
        if not done.is_set():
            done.set()
            shop.api.patch(
                f"/api/products/{panci['id']}", shop.seller, json={"description": "Dari aplikasi"}
            )
        real(conn, product_ids)

    import_batches.documents.lock = late  # type: ignore[assignment]
    try:
        found = shop.run(shop.send("name,price,sku\nPanci,1234,P-1\n"))
    finally:
        import_batches.documents.lock = real  # type: ignore[assignment]
    after = products(shop)["Panci"]
    assert counts(found) == {"read": 1, "valid": 1, "updated": 1}
    assert (after["price"], after["description"]) == ("1234.00", "Dari aplikasi")


def test_a_worker_that_dies_before_the_stock_counts_a_row_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
):
    shop.run(shop.send(FILE))
    import_id = shop.send(FILE.replace("1000,5", "1500,9"))

    def die(*_: Any) -> None:
        raise psycopg.OperationalError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(import_batches, "_write_stock", die)
        with pytest.raises(psycopg.OperationalError):
            shop.run(import_id)
    assert products(shop)["Panci"]["stock"] == 5
    found = shop.run(import_id)
    assert counts(found) == {"read": 3, "valid": 3, "updated": 1, "unchanged": 2}
    assert products(shop)["Panci"]["stock"] == 9


# The command line
# -------------------------------------------------------------------------------------------
