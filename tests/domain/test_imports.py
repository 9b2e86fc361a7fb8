"""Imports: what is sent, what the worker makes of it, and what is left when the worker is
killed.
"""

import psycopg
import pytest
from conftest import Api
from support.import_shop import HEADER, Shop, generate, require_whole
from support.responses import problem

from marketplace import catalogue_csv
from marketplace.queries import imports as queries
from marketplace.workflows import imports, product_documents


def test_twenty_thousand_rows_are_all_accounted_for(shop: Shop):
    file = generate(20_000)
    import_id = shop.send(file.text, "default_stock=7")
    shop.run(import_id)

    require_whole(shop, import_id, file)
    found = shop.find(import_id)
    assert found["columns"]["header"] == HEADER
    assert found["columns"]["stock_column"] is False
    assert found["default_stock"] == 7
    assert {row["error_code"] for row in shop.errors(import_id)} == {
        "invalid_price",
        "duplicate_source_url",
    }
    listed = shop.api.get("/api/products", query_string=f"store_id={shop.seller.store_id}").json
    product = listed["products"][0]
    assert (product["stock"], product["in_stock"], len(product["images"])) == (7, True, 1)
    assert product["images"][0]["is_main"]
    assert shop.value("SELECT count(*) FROM brands") == 300
    assert sorted(
        row["name"].lower() for row in shop.rows("SELECT name FROM categories")
    ) == sorted(["elektronik", "hp", "laptop", "fashion", "wanita", "gamis", "makanan"])
    assert shop.value(
        "SELECT sum(cardinality(c.path)) FROM products p JOIN categories c ON c.id = p.category_id"
    ) == shop.value("SELECT count(*) FROM product_categories")


def test_the_same_file_again_adds_nothing(shop: Shop):
    file = generate(1500)
    shop.run(shop.send(file.text))
    again = shop.run(shop.send(file.text))

    valid = file.rows - len(file.bad_lines)
    assert (again["rows_created"], again["rows_unchanged"], again["rows_valid"]) == (
        0,
        valid,
        valid,
    )


def test_twins_in_a_file_are_left_out_or_named(shop: Shop):
    text = (
        "name,price,sku,source_url,image_url\n"
        "Baru,1000,B-1,https://toko.example/2,https://gambar.example/1.jpg|https://gambar.example/2.jpg\n"
        "Sama SKU,1000,B-1,,\n"
        "Sama tautan,1000,,https://toko.example/2,\n"
        "Tanpa kunci,1000,,,\n"
        "Tanpa kunci,1000,,,\n"
        "Baru,1000,B-1,https://toko.example/2,https://gambar.example/1.jpg|https://gambar.example/2.jpg\n"
    )
    found = shop.run(shop.send(text))

    assert (
        found["rows_read"],
        found["rows_created"],
        found["rows_skipped"],
        found["rows_bad"],
    ) == (6, 3, 1, 2)
    assert found["columns"]["notes"]["no_key"] == 2
    named = ("error_line", "error_code", "error_column", "name")
    assert [tuple(row[key] for key in named) for row in shop.errors(found["id"])] == [
        ("3", "duplicate_sku", "sku", "Sama SKU"),
        ("4", "duplicate_source_url", "source_url", "Sama tautan"),
    ]
    names = shop.rows("SELECT name FROM products ORDER BY id")
    assert [row["name"] for row in names] == ["Baru", "Tanpa kunci", "Tanpa kunci"]
    pictures = shop.rows(
        "SELECT i.url, i.is_main FROM product_images i JOIN products p ON p.id = i.product_id"
        " WHERE p.name = 'Baru' ORDER BY i.position"
    )
    assert [tuple(row.values()) for row in pictures] == [
        ("https://gambar.example/1.jpg", True),
        ("https://gambar.example/2.jpg", False),
    ]


def test_the_report_can_be_corrected_and_sent_again(shop: Shop):
    text = 'name,price,stock,description\n"=1+1",gratis,-1,"satu\ndua"\nBaik,1000,1,\n\'=x,x,1,\n'
    first = shop.send(text)
    assert shop.run(first)["rows_bad"] == 2
    answer = shop.api.get(f"/api/products/imports/{first}/errors.csv", shop.seller)
    assert (
        answer.headers["content-disposition"] == f'attachment; filename="import-{first}-errors.csv"'
    )
    report = shop.errors(first)
    assert report[0]["error_line"] == "2"
    assert report[0]["error_code"] == "invalid_price; negative_stock"
    assert report[0]["name"] == "'=1+1"

    corrected = answer.text.replace("gratis", "1000").replace(",x,", ",1000,").replace("'-1", "1")
    second = shop.run(shop.send(corrected))
    assert (second["rows_bad"], second["rows_created"]) == (0, 2)
    assert {row["name"] for row in shop.rows("SELECT name FROM products")} == {"Baik", "=1+1", "=x"}


def test_categories_are_not_made_where_the_installation_says_no(committed: Api):
    shop = Shop(committed, import_new_categories=False)
    admin = shop.api.admin()
    top = shop.api.post("/api/categories", admin, json={"name": "Dapur"}).json
    shop.api.post("/api/categories", admin, json={"name": "Panci", "parent_id": top["id"]})
    import_id = shop.send(
        "name,price,category,note\nA,1,dapur > PANCI,x\nB,2,Dapur > Wajan,y\nC,3,,z\nD,4,Dapur,\n"
    )
    found = shop.run(import_id)

    assert (found["rows_created"], found["rows_bad"]) == (3, 1)
    report = shop.errors(import_id)
    assert [(row["error_code"], row["error_column"], row["note"]) for row in report] == [
        ("unknown_category", "category", "y")
    ]
    assert shop.value("SELECT count(*) FROM categories") == 2
    shop.db.close()


def test_a_category_removed_meanwhile_refuses_its_rows_where_none_may_be_made(committed: Api):
    shop = Shop(committed, import_new_categories=False)
    admin = shop.api.admin()
    category = shop.api.post("/api/categories", admin, json={"name": "Dapur"}).json
    import_id = shop.send("name,price,Kategori\nA,1,Dapur\nB,2,\n")
    with pytest.raises(product_documents.Interrupted):
        shop.run(import_id, stopping=lambda: shop.find(import_id)["state"] == "applying")
    assert shop.api.delete(f"/api/categories/{category['id']}", admin).status_code == 204
    found = shop.run(import_id)

    assert (found["rows_valid"], found["rows_created"], found["rows_bad"]) == (1, 1, 1)
    assert [(row["error_line"], row["error_column"]) for row in shop.errors(import_id)] == [
        ("2", "Kategori")
    ]
    shop.db.close()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"PK\x03\x04" + bytes(100), "not_csv"),
        (b"name,price\n", "empty_file"),
        (b"a,b\n1,2\n", "no_known_columns"),
    ],
)
def test_a_file_that_is_none_fails_in_words(shop: Shop, body: bytes, code: str):
    found = shop.run(shop.send(body))

    assert (found["state"], found["error_code"]) == ("failed", code)
    assert found["error_message"]
    assert list(shop.files.keys("imports/")) == []


def test_a_file_that_turns_out_broken_late_leaves_no_product(shop: Shop):
    rows = "".join(f"Produk {number},1000\n" for number in range(6000))
    found = shop.run(shop.send("name,price\n" + rows + '"' + "x" * 1_100_000))

    assert (found["state"], found["rows_read"], found["rows_created"]) == ("failed", 0, 0)
    assert found["error_code"] in catalogue_csv.FILE_CODES
    assert (
        shop.value("SELECT count(*) FROM products")
        == shop.value("SELECT count(*) FROM import_rows")
        == 0
    )


def test_suspending_the_seller_stops_the_import(shop: Shop):
    import_id = shop.send(generate(2500).text)
    with pytest.raises(product_documents.Interrupted):
        shop.run(import_id, stopping=lambda: shop.find(import_id)["rows_created"] > 0)
    with psycopg.connect(shop.api.owner_url) as conn:
        conn.execute("UPDATE users SET suspended_at = now() WHERE id = %s", [shop.seller.id])
    imports.run(shop.db, shop.files, shop.config, import_id)
    with psycopg.connect(shop.api.owner_url) as conn:
        conn.execute("UPDATE users SET suspended_at = NULL WHERE id = %s", [shop.seller.id])

    found = shop.find(import_id)
    assert (found["state"], found["error_code"]) == ("failed", "session_ended")
    assert found["rows_created"] == shop.value("SELECT count(*) FROM products") > 0


def test_an_import_taken_up_by_another_worker_is_let_go(shop: Shop):
    file = generate(3000)
    import_id = shop.send(file.text)
    displaced = False

    def displace() -> bool:
        nonlocal displaced
        if not displaced and shop.find(import_id)["rows_created"]:
            displaced = True
            with shop.db.working() as conn:
                queries.start(conn, import_id)
        return False

    shop.run(import_id, stopping=displace)
    assert shop.find(import_id)["state"] == "applying"
    shop.run(import_id)
    require_whole(shop, import_id, file)


def test_running_a_finished_import_again_does_nothing(shop: Shop):
    import_id = shop.send("name,price\nA,1\n")
    first = shop.run(import_id)

    assert shop.run(import_id) == first


def test_an_admin_names_the_store_and_sees_all_imports(shop: Shop):
    admin = shop.api.admin()
    problem(
        shop.api.post(
            "/api/products/import-csv",
            admin,
            body=b"name,price\nA,1\n",
            headers={"Content-Type": "text/csv"},
        ),
        409,
        "store_required",
    )
    store = f"store_id={shop.seller.store_id}"
    import_id = shop.send("name,price,brand,category\nA,1,Baru,Baru\n", store, admin)
    assert shop.run(import_id)["rows_created"] == 1
    other = Shop(shop.api)
    other.send("name,price\nB,1\n")

    own = shop.api.get("/api/products/imports", shop.seller).json["imports"]
    only = shop.api.get("/api/products/imports", admin, query_string=store).json["imports"]
    assert [row["id"] for row in own] == [row["id"] for row in only] == [import_id]
    assert len(shop.api.get("/api/products/imports", admin).json["imports"]) == 2
    problem(shop.api.get(f"/api/products/imports/{import_id}", other.seller), 404, "not_found")
    problem(
        shop.api.get(f"/api/products/imports/{import_id}/errors.csv", other.seller),
        404,
        "not_found",
    )
    problem(
        shop.api.get("/api/products/imports", other.seller, query_string=store), 404, "not_found"
    )
    other.db.close()
