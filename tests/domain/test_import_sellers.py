"""Imports as sellers do them: files that only change, other languages, removed products, Excel."""

import argparse
import json
from urllib.parse import quote

import pytest
from support.import_shop import Shop
from support.responses import problem

from marketplace.commands import import_file
from marketplace.config.settings import ROOT

CATALOGUES = ROOT.parent / "shared" / "data" / "catalogs"
FILES = ROOT.parent / "shared" / "data" / "csv"
INDONESIAN = {"Accept-Language": "id"}


def add(shop: Shop, **fields):
    fields = {"name": "Kopi", "price": "1000", "stock": 3} | fields
    answer = shop.api.post("/api/products", shop.seller, json=fields)
    assert answer.status_code == 201, answer.text
    return answer.json


def product(shop: Shop, product_id: int):
    return shop.api.get(f"/api/products/{product_id}", shop.seller).json


def counts(found) -> list[int]:
    return [found[f"rows_{name}"] for name in ("created", "updated", "unchanged", "bad")]


@pytest.mark.parametrize(
    ("header", "row", "changed"),
    [
        ("sku,stock", "K-1,44", {"stock": 44}),
        ("marketplace_product_id,price,stock", "{id},1500,45", {"price": "1500.00", "stock": 45}),
        ("SKU,Stok,Harga", "K-1,46,1700", {"price": "1700.00", "stock": 46}),
        ("sku,hidden", "K-1,yes", {"hidden": True}),
        ("source_url,name", "https://toko.example/1,Teh", {"name": "Teh"}),
        ("name,price,sku,stock", ",,K-1,47", {"stock": 47}),
    ],
)
def test_a_file_may_only_change_what_is_there(shop: Shop, header, row, changed):
    before = add(shop, sku="K-1", source_url="https://toko.example/1")
    text = f"{header}\n{row.format(id=before['id'])}\n"
    assert counts(shop.run(shop.send(text))) == [0, 1, 0, 0]
    after = product(shop, before["id"])
    kept = ("name", "price", "stock", "sku", "source_url", "hidden")
    assert {name: after.get(name) for name in kept} == {
        name: changed.get(name, before.get(name)) for name in kept
    }
    assert counts(shop.run(shop.send(text))) == [0, 0, 1, 0]


@pytest.mark.parametrize("query", ["", "mode=atomic", "dry_run=true"])
def test_a_row_that_would_make_a_product_needs_a_name_and_a_price(shop: Shop, query):
    add(shop, sku="K-1")
    found = shop.run(shop.send("sku,harga,stok\nK-1,2000,4\nK-2,2000,4\nK-3,,4\n", query))
    assert found["rows_bad"] == 2
    assert (found["state"], found["error_code"]) == (
        ("failed", "bad_rows") if query == "mode=atomic" else ("done", None)
    )
    assert [
        (row["error_line"], row["error_column"], row["error_code"], row["sku"])
        for row in shop.errors(found["id"])
    ] == [("3", "name", "required", "K-2"), ("4", "name; harga", "required; required", "K-3")]


def test_what_is_in_stock_without_a_number_is_one_at_least_and_is_not_reset(shop: Shop):
    text = "ID,Type,SKU,Name,In stock?,Stock,Regular price\n1,simple,A,Kopi,1,,5\n2,simple,B,Teh,0,,5\n"
    found = shop.run(shop.send(text))
    assert (counts(found), found["columns"]["notes"]["in_stock"]) == ([2, 0, 0, 0], 1)
    listed = shop.rows(
        "SELECT p.sku, i.quantity, p.in_stock, p.id FROM products p JOIN inventory i ON i.product_id = p.id"
        " WHERE p.store_id = %s ORDER BY p.sku",
        shop.seller.store_id,
    )
    assert [(row["sku"], row["quantity"], row["in_stock"]) for row in listed] == [
        ("A", 1, True),
        ("B", 0, False),
    ]
    changed = shop.api.patch(f"/api/products/{listed[0]['id']}", shop.seller, json={"stock": 9})
    assert changed.status_code == 200
    assert counts(shop.run(shop.send(text))) == [0, 0, 2, 0]
    assert product(shop, listed[0]["id"])["stock"] == 9
    found = shop.run(shop.send(text.replace(",A,", ",C,"), "default_stock=7"))
    assert shop.value("SELECT quantity FROM inventory ORDER BY product_id DESC LIMIT 1") == 7


def test_the_columns_of_any_file_can_be_named(shop: Shop):
    text = "Judulnya,Ongkos,Potret\nKopi,1000,kopi.jpg\n"
    failed = shop.run(shop.send(text))
    assert failed["error_code"] == "no_known_columns"
    assert 'columns={"name"' in failed["error_message"]
    columns = quote(json.dumps({"name": "Judulnya", "price": "Ongkos", "image_url": ["Potret"]}))
    base = quote("https://toko.example/foto")
    found = shop.run(shop.send(text, f"columns={columns}&image_base={base}"))
    assert counts(found) == [1, 0, 0, 0]
    assert shop.value("SELECT url FROM product_images") == "https://toko.example/foto/kopi.jpg"


@pytest.mark.parametrize(
    "columns",
    ["name", "[]", "{}", '{"name": 1}', '{"name": []}', '{"": "x"}', '{"name": " "}', "{"],
)
def test_columns_is_an_object_of_names(shop: Shop, columns):
    answer = shop.api.post(
        "/api/products/import-csv",
        shop.seller,
        body=b"a,b\n1,2\n",
        query_string=f"columns={quote(columns)}",
        headers={"Content-Type": "text/csv"},
    )
    assert problem(answer, 422, "validation_failed")["errors"][0]["pointer"] == "/columns"


def test_reports_and_reasons_are_in_the_language_of_the_seller(shop: Shop):
    text = (
        "Nama Produk,Harga,SKU,Stok\nKopi,gratis,A,1\nTeh,1000,B,2\nTeh lain,1000,B,3\n"
        f"{'x' * 501},1000,C,-1\n"
    )
    found = shop.run(shop.send(text))
    path = f"/api/products/imports/{found['id']}/errors.csv"
    english = shop.api.get(path, shop.seller).text
    answer = shop.api.get(path, shop.seller, headers=INDONESIAN)
    assert answer.headers["content-language"] == "id"
    assert "Accept-Language" in answer.headers["vary"]
    report = answer.text
    assert "Harga bukan harga seperti 12500" in report
    assert "SKU sama dengan baris 3, yang isinya berbeda" in report
    assert "Nama Produk paling banyak 500 karakter, sedangkan ini 501" in report
    for words in ("is not an amount", "is that of the row in line 3", "must be at most 500"):
        assert words in english
        assert words not in report
    failed = shop.run(shop.send("apa,itu\n1,2\n"))
    told = shop.api.get(f"/api/products/imports/{failed['id']}", shop.seller, headers=INDONESIAN)
    assert told.json["error_message"].startswith("Tidak ada kolom di baris pertama yang dikenal.")
    assert failed["error_message"].startswith("No column of the first line is known.")
    listed = shop.api.get("/api/products/imports", shop.seller, headers=INDONESIAN).json["imports"]
    assert listed[0]["error_message"] == told.json["error_message"]


def test_words_that_an_older_release_kept_are_told_as_they_are(shop: Shop):
    found = shop.run(shop.send("name,price\nKopi,gratis\n"))
    with_words = "UPDATE import_errors SET message = %s, said = %s::json RETURNING 1"
    for said in (None, '{"template": "is {gone}", "values": {"x": 1}}', '{"other": 1}'):
        shop.value(with_words, "is what it was", said)
        report = shop.api.get(
            f"/api/products/imports/{found['id']}/errors.csv", shop.seller, headers=INDONESIAN
        ).text
        assert "price is what it was" in report


@pytest.mark.parametrize("query", ["", "mode=atomic", "dry_run=true", "on_match=skip"])
def test_a_row_that_matches_a_removed_product_says_so(shop: Shop, query):
    for sku in ("A", "B", "C"):
        removed = add(shop, sku=sku)
        assert shop.api.delete(f"/api/products/{removed['id']}", shop.seller).status_code == 204
    text = "name,price,sku,hidden\nKopi,2000,A,\nKopi,2000,B,no\nKopi,2000,C,yes\nTeh,1,D,\n"
    found = shop.run(shop.send(text, query))
    assert found["columns"]["notes"]["hidden_matched"] == 1
    if not query:
        shown = shop.rows("SELECT sku FROM products WHERE NOT hidden ORDER BY sku")
        assert [row["sku"] for row in shown] == ["B", "D"]
        again = shop.run(shop.send(text))
        assert again["columns"]["notes"]["hidden_matched"] == 1
    if query == "dry_run=true":
        answer = shop.api.post(f"/api/products/imports/{found['id']}/apply", shop.seller)
        assert answer.status_code == 202
        assert shop.run(found["id"])["columns"]["notes"]["hidden_matched"] == 1


@pytest.mark.parametrize("key", ["sku", "source_url"])
def test_what_a_removed_product_has_is_told_with_it(shop: Shop, key):
    value = {"sku": "K-1", "source_url": "https://toko.example/1"}[key]
    holder = add(shop, **{key: value})
    taken = shop.api.post(
        "/api/products", shop.seller, json={"name": "x", "price": "1", key: value}
    )
    error = problem(taken, 409, f"{key}_taken")
    assert error["errors"] == [
        {"pointer": f"/{key}", "code": f"{key}_taken", "message": f"product {holder['id']} has it"}
    ]
    shop.api.delete(f"/api/products/{holder['id']}", shop.seller)
    other = add(shop)
    for answer in (
        shop.api.post("/api/products", shop.seller, json={"name": "x", "price": "1", key: value}),
        shop.api.patch(f"/api/products/{other['id']}", shop.seller, json={key: value}),
        shop.api.patch(f"/api/products/{other['id']}", shop.api.admin(), json={key: value}),
    ):
        (error,) = problem(answer, 409, f"{key}_taken")["errors"]
        assert error["message"].startswith(f"product {holder['id']} has it, which is hidden")


@pytest.mark.parametrize(
    "fields", [{"sku": " "}, {"sku": "A\u200bB"}, {"name": "\u200b"}, {"name": "a\u202eb"}]
)
def test_keys_and_names_can_be_seen(shop: Shop, fields):
    answer = shop.api.post(
        "/api/products", shop.seller, json={"name": "Kopi", "price": "1"} | fields
    )
    assert (
        problem(answer, 422, "validation_failed")["errors"][0]["pointer"]
        == f"/{next(iter(fields))}"
    )


def test_an_export_that_comes_back_changes_nothing(shop: Shop):
    """Whatever was typed: the API and the import agree about what a text is."""
    for number, name in enumerate(
        [
            " Kopi",
            "Teh ",
            "\u00a0Gula\u200b",
            "=1+1",
            "-10% Kaos",
            "'quoted",
            '="00123"',
            "A|B",
            "Kopi\u3000",
        ]
    ):
        add(
            shop,
            name=name,
            sku=f" S-{number} ",
            description=f"  satu\r\ndua\rtiga <b>{number}</b> &amp; \n",
            hidden=number % 2 == 0,
        )
    text = shop.api.get("/api/products/export", shop.seller, query_string="bom=true").content
    assert text[:3] == b"\xef\xbb\xbf"
    found = shop.run(shop.send(text))
    assert counts(found) == [0, 0, 9, 0]
    assert shop.api.get("/api/products/export", shop.seller).content == text[3:]
    lines = shop.api.get("/api/products/export", shop.seller, query_string="bom=true&format=jsonl")
    assert lines.content[:1] == b"{"


def test_a_report_for_excel_begins_with_a_byte_order_mark(shop: Shop):
    found = shop.run(shop.send("name,price\nKopi,gratis\n"))
    path = f"/api/products/imports/{found['id']}/errors.csv"
    marked = shop.api.get(path, shop.seller, query_string="bom=true").content
    assert marked == b"\xef\xbb\xbf" + shop.api.get(path, shop.seller).content


@pytest.mark.skipif(not CATALOGUES.exists(), reason="the shared catalogues are not here")
def test_catalogues_of_other_systems_come_in_and_out_and_in_again(shop: Shop):
    for path in sorted(CATALOGUES.glob("*.csv")):
        found = shop.run(shop.send(path.read_bytes()))
        assert (found["state"], found["rows_bad"]) == ("done", 0), path.name
        assert found["rows_created"] > 0
    text = shop.api.get("/api/products/export", shop.seller).content
    found = shop.run(shop.send(text))
    assert counts(found)[:2] + counts(found)[3:] == [0, 0, 0]


@pytest.mark.skipif(not FILES.exists(), reason="the shared files are not here")
def test_files_that_are_no_catalogue_are_refused_with_a_reason_in_indonesian(shop: Shop):
    for path in sorted(FILES.glob("*.?sv")):
        if not path.read_bytes():
            continue
        found = shop.run(shop.send(path.read_bytes()))
        assert found["state"] == "failed", path.name
        told = shop.api.get(f"/api/products/imports/{found['id']}", shop.seller, headers=INDONESIAN)
        assert told.json["error_message"] != found["error_message"], path.name


def test_the_command_names_columns_and_a_base():
    parser = argparse.ArgumentParser()
    import_file.add_arguments(parser)
    given = [
        "x.csv",
        "--store",
        "1",
        "--columns",
        '{"name": "Judul"}',
        "--image-base",
        "https://x.example/",
    ]
    args = parser.parse_args(given)
    assert (args.columns, args.image_base) == ('{"name":"Judul"}', "https://x.example/")
    with pytest.raises(SystemExit):
        parser.parse_args(["x.csv", "--store", "1", "--columns", "name"])
