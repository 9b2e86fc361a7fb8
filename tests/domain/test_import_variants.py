"""Imports of products with variants: what becomes of groups of rows, old files, and what is bad."""

import csv
import io
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import SHARED, Api
from support.import_shop import Shop, counts
from support.responses import problem
from support.stock import broken, hold, take

from marketplace.catalogue_csv import GoodRow, read
from marketplace.workflows import import_variants

CATALOGUES = SHARED / "data" / "catalogs"
SHOPIFY = (
    "Handle,Title,Body (HTML),Vendor,Type,Published,Option1 Name,Option1 Value,Option2 Name,Option2 Value,"
    "Variant SKU,Variant Grams,Variant Inventory Qty,Variant Price,Variant Compare At Price,Image Src,Variant Image,Status\n"
    "kaos,Kaos,Katun,Acme,Baju,true,Warna,Merah,Ukuran,S,K-MS,180,5,75000,90000,https://x.example/1.jpg,https://x.example/m.jpg,active\n"
    "kaos,,,,,,,Merah,,L,K-ML,190,3,80000,,https://x.example/2.jpg,https://x.example/m.jpg,\n"
    "kaos,,,,,,,Biru,,L,K-BL,190,0,85000,,,https://x.example/b.jpg,\n"
    "kaos,,,,,,,,,,,,,,,https://x.example/3.jpg,,\n"
    "gelas,Gelas,Kaca,Acme,Dapur,true,Title,Default Title,,,G-1,,7,15000,,,,active\n"
)


def sound(shop: Shop) -> None:
    """Whatever must always be so is so."""
    with psycopg.connect(shop.api.owner_url) as conn:
        assert broken(conn) == []


def imported(shop: Shop, text: str | bytes, query: str = "") -> dict[str, Any]:
    found = shop.run(shop.send(text, query))
    sound(shop)
    return found


def export(shop: Shop) -> str:
    answer = shop.api.get("/api/products/export", shop.seller)
    assert answer.status_code == 200, answer.text
    return answer.text


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def written(rows: list[dict[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def variants(shop: Shop, name: str = "Kaos") -> list[tuple[Any, ...]]:
    rows = shop.rows(
        "SELECT v.options, v.sku, v.price::text AS price, v.price_before::text AS price_before, v.weight_grams, v.hidden,"
        " i.quantity, m.url FROM variants AS v JOIN products AS p ON p.id = v.product_id"
        " JOIN inventory AS i ON i.product_id = v.product_id AND i.variant_id = v.id"
        " LEFT JOIN product_images AS m ON m.product_id = v.product_id AND m.id = v.image_id"
        " WHERE p.name = %s ORDER BY p.id, v.position",
        name,
    )
    return [tuple(row.values()) for row in rows]


def test_a_group_becomes_one_product_with_variants(shop: Shop):
    found = imported(shop, SHOPIFY)
    assert counts(found) == {"read": 5, "valid": 4, "created": 4}
    assert variants(shop) == [
        (["Merah", "S"], "K-MS", "75000.00", "90000.00", 180, False, 5, "https://x.example/m.jpg"),
        (["Merah", "L"], "K-ML", "80000.00", None, 190, False, 3, "https://x.example/m.jpg"),
        (["Biru", "L"], "K-BL", "85000.00", None, 190, False, 0, "https://x.example/b.jpg"),
    ]
    (shirt,) = shop.rows("SELECT * FROM products WHERE name = 'Kaos'")
    assert (shirt["option_names"], shirt["variant_count"], str(shirt["price"]), str(shirt["price_max"])) == (
        ["Warna", "Ukuran"], 3, "75000.00", "85000.00",
    )  # fmt: skip
    assert (shirt["sku"], shirt["in_stock"], shirt["description"]) == (None, True, "Katun")
    images = shop.rows(
        "SELECT url, is_main FROM product_images WHERE product_id = %s ORDER BY position",
        shirt["id"],
    )
    assert [row["url"][18:] for row in images] == ["1.jpg", "2.jpg", "3.jpg", "m.jpg", "b.jpg"]
    assert [row["is_main"] for row in images] == [True, False, False, False, False]
    again = imported(shop, SHOPIFY)
    assert counts(again) == {"read": 5, "valid": 4, "unchanged": 4}


def test_an_old_file_again_changes_nothing(shop: Shop):
    """Before, each row of a group was a product of its own."""
    before = imported(shop, SHOPIFY, "variants=separate")
    assert counts(before) == {"read": 5, "valid": 4, "created": 4}
    assert shop.value("SELECT count(*) FROM variants") == 0
    versions = shop.rows("SELECT id, version FROM products ORDER BY id")
    again = imported(shop, SHOPIFY)
    assert counts(again) == {"read": 5, "valid": 4, "unchanged": 4}
    assert again["columns"]["notes"]["variants_separate"] == 3
    assert shop.rows("SELECT id, version FROM products ORDER BY id") == versions


def test_an_export_comes_back_and_changes_nothing(shop: Shop):
    imported(shop, SHOPIFY)
    text = export(shop)
    rows = table(text)
    assert [row["option2_value"] for row in rows] == ["S", "L", "L", ""]
    assert [(row["stock"], row["stock_seen"]) for row in rows] == [
        ("5", "5"),
        ("3", "3"),
        ("0", "0"),
        ("7", "7"),
    ]
    again = imported(shop, text)
    assert counts(again) == {"read": 4, "valid": 4, "unchanged": 4}
    assert export(shop) == text


def test_an_export_goes_into_another_store(shop: Shop):
    imported(shop, SHOPIFY)
    text = export(shop)
    there = variants(shop)
    other = Shop(shop.api)
    assert counts(imported(other, text)) == {"read": 4, "valid": 4, "created": 4}
    assert len(there) == 3
    assert variants(shop) == [*there, *there]
    assert counts(imported(other, text)) == {"read": 4, "valid": 4, "unchanged": 4}
    other.db.close()


# Stock that the file has seen
# --------------------------------------------------------------------------------------------------


def sell(shop: Shop, name: str, sku: str | None, pieces: int) -> None:
    """Have an order hold and ship so many pieces."""
    (row,) = shop.rows(
        "SELECT p.id, coalesce(v.id, 0) AS variant FROM products AS p"
        " LEFT JOIN variants AS v ON v.product_id = p.id AND v.sku = %s WHERE p.name = %s",
        sku,
        name,
    )
    with psycopg.connect(shop.api.owner_url) as conn:
        order = 10**9 + row["id"] * 1000 + row["variant"]
        assert hold(conn, [(order, row["id"], row["variant"], pieces)]) == []
        take(conn, "ship_stock", order, [(row["id"], row["variant"], pieces)])


def stocks(shop: Shop) -> dict[str, int]:
    rows = shop.rows(
        "SELECT coalesce(v.sku, p.sku) AS sku, i.quantity FROM inventory AS i"
        " JOIN products AS p ON p.id = i.product_id LEFT JOIN variants AS v ON v.id = i.variant_id"
    )
    return {row["sku"]: row["quantity"] for row in rows}


def test_a_file_from_before_the_sales_does_not_give_them_back(shop: Shop):
    imported(shop, SHOPIFY)
    rows = table(export(shop))
    sell(shop, "Kaos", "K-MS", 4)
    sell(shop, "Gelas", None, 2)
    for row in rows:
        row["price"] = f"{float(row['price']) + 1000:.2f}"
        row["price_before"] = ""
    found = imported(shop, written(rows))
    assert counts(found) == {"read": 4, "valid": 4, "updated": 4}
    assert stocks(shop) == {"K-MS": 1, "K-ML": 3, "K-BL": 0, "G-1": 5}
    assert [row[2] for row in variants(shop)] == ["76000.00", "81000.00", "86000.00"]


@pytest.mark.parametrize("query", ["", "dry_run=true", "mode=atomic"])
def test_another_stock_is_set_only_where_the_file_has_seen_what_there_is(shop: Shop, query: str):
    imported(shop, SHOPIFY)
    rows = table(export(shop))
    sell(shop, "Kaos", "K-MS", 4)
    sell(shop, "Gelas", None, 2)
    for row in rows:
        row["stock"] = "50"
    found = imported(shop, written(rows), query)
    told = {row["sku"]: row["error_message"] for row in shop.errors(found["id"])}
    words = "stock the stock is {} by now, and not what stock_seen says"
    expected = {"K-MS": words.format(1), "G-1": words.format(5)}
    if query == "mode=atomic":  # which ends at the first batch with a bad row
        del expected["G-1"]
    assert told == expected
    if query == "":
        assert stocks(shop) == {"K-MS": 1, "K-ML": 50, "K-BL": 50, "G-1": 5}
        kinds = shop.rows(
            "SELECT DISTINCT kind FROM stock_movements WHERE kind IN ('set', 'import')"
        )
        assert [row["kind"] for row in kinds] == ["import"]
    else:
        assert stocks(shop) == {"K-MS": 1, "K-ML": 3, "K-BL": 0, "G-1": 5}
    assert found["state"] == ("failed" if "atomic" in query else "done")


def test_a_file_without_that_column_tells_in_a_dry_run_whose_stock_goes_up(shop: Shop):
    imported(shop, SHOPIFY)
    text = "sku,stock\nK-MS,9\nG-1,1\nK-ML,3\n"
    looked = imported(shop, text, "dry_run=true")
    assert looked["columns"]["notes"]["stock_raised"] == 1
    assert counts(looked) == {"read": 3, "valid": 3, "updated": 2, "unchanged": 1}
    told = changes(shop, looked["id"], "outcome=changed")
    assert [(row["line"], row["before"], row["after"]) for row in told] == [
        (2, {"stock": 5}, {"stock": 9}),
        (3, {"stock": 7}, {"stock": 1}),
    ]
    assert stocks(shop)["K-MS"] == 5
    assert counts(imported(shop, text)) == {"read": 3, "valid": 3, "updated": 2, "unchanged": 1}
    assert stocks(shop) == {"K-MS": 9, "K-ML": 3, "K-BL": 0, "G-1": 1}


# Files that change variants
# --------------------------------------------------------------------------------------------------


def test_a_file_names_variants_by_id_or_sku(shop: Shop):
    imported(shop, SHOPIFY)
    ids = {row["sku"]: row["id"] for row in shop.rows("SELECT sku, id FROM variants")}
    text = f"variant_id,price,variant_hidden\n{ids['K-MS']},70000,\n{ids['K-BL']},,yes\n"
    assert counts(imported(shop, text)) == {"read": 2, "valid": 2, "updated": 2}
    assert counts(imported(shop, text)) == {"read": 2, "valid": 2, "unchanged": 2}
    assert [(row[1], row[2], row[5]) for row in variants(shop)] == [
        ("K-MS", "70000.00", False),
        ("K-ML", "80000.00", False),
        ("K-BL", "85000.00", True),
    ]
    (shirt,) = shop.rows("SELECT price, price_max, in_stock FROM products WHERE name = 'Kaos'")
    assert [str(value) for value in shirt.values()] == ["70000.00", "80000.00", "True"]
    answer = export(shop)
    assert [row["variant_hidden"] for row in table(answer)] == ["no", "no", "yes", ""]
    assert counts(imported(shop, answer)) == {"read": 4, "valid": 4, "unchanged": 4}
    shown = f"variant_id,variant_hidden\n{ids['K-BL']},no\n"
    assert counts(imported(shop, shown)) == {"read": 1, "valid": 1, "updated": 1}


def test_a_row_that_was_taken_away_stays_and_a_new_one_is_added(shop: Shop):
    imported(shop, SHOPIFY)
    rows = table(export(shop))
    new = {
        **rows[0],
        "variant_id": "",
        "option1_value": "Hijau",
        "sku": "K-HS",
        "stock": "4",
        "stock_seen": "",
    }
    found = imported(shop, written([rows[0], new]))
    assert counts(found) == {"read": 2, "valid": 2, "created": 1, "unchanged": 1}
    assert [row[0] for row in variants(shop)][-1] == ["Hijau", "S"]
    assert len(variants(shop)) == 4
    assert shop.value("SELECT variant_count FROM products WHERE name = 'Kaos'") == 4


@pytest.mark.parametrize("query", ["", "mode=atomic", "dry_run=true"])
def test_what_a_product_shares_is_read_from_its_first_row(shop: Shop, query: str):
    imported(shop, SHOPIFY)
    rows = table(export(shop))
    rows[0] |= {
        "name": "Kaos polos",
        "description": "Katun lembut",
        "brand": "Bagus",
        "category": "Baju > Kaos",
    }
    found = imported(shop, written(rows), query)
    assert counts(found) == {"read": 4, "valid": 4, "updated": 1, "unchanged": 3}
    (change,) = changes(shop, found["id"], "outcome=changed")
    assert (change["line"], change["after"]) == (
        2,
        {
            "name": "Kaos polos",
            "description": "Katun lembut",
            "brand": "Bagus",
            "category": "Baju > Kaos",
        },
    )
    assert change["before"]["name"] == "Kaos"
    name = "Kaos" if "dry" in query else "Kaos polos"
    assert shop.value("SELECT name FROM products WHERE variant_count > 0") == name


def test_on_match_skip_leaves_products_with_variants(shop: Shop):
    imported(shop, SHOPIFY)
    before = variants(shop)
    found = imported(
        shop, SHOPIFY.replace("75000", "1").replace("gelas,Gelas", "piring,Piring"), "on_match=skip"
    )
    assert counts(found) == {"read": 5, "valid": 4, "skipped": 4}
    assert variants(shop) == before


@pytest.mark.parametrize("query", ["variants=together", "variants=auto"])
def test_together_refuses_rows_of_simple_products_where_auto_leaves_them_apart(
    shop: Shop, query: str
):
    imported(shop, SHOPIFY, "variants=separate")
    found = imported(shop, SHOPIFY, query)
    if query == "variants=auto":
        assert found["rows_unchanged"] == 4
    else:
        assert (found["rows_bad"], found["rows_unchanged"]) == (3, 1)
        assert {row["error_code"] for row in shop.errors(found["id"])} == {"simple_product"}


def test_a_worker_that_dies_before_the_stock_of_variants_counts_a_row_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
):
    imported(shop, SHOPIFY)
    import_id = shop.send(SHOPIFY.replace(",5,75000", ",8,76000"))

    def die(*_: Any) -> None:
        raise psycopg.OperationalError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(import_variants, "_write_stock", die)
        with pytest.raises(psycopg.OperationalError):
            shop.run(import_id)
    assert (variants(shop)[0][2], stocks(shop)["K-MS"]) == ("76000.00", 5)
    found = shop.run(import_id)
    assert counts(found) == {"read": 5, "valid": 4, "updated": 1, "unchanged": 3}
    assert stocks(shop)["K-MS"] == 8
    sound(shop)


# What is bad
# --------------------------------------------------------------------------------------------------

OURS = "name,price,stock,sku,option1_name,option1_value\n"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (OURS + "Kaos,1,1,A,Warna,Merah\nKaos,2,1,B,Warna,Merah\n", ["duplicate_options"]),
        (
            OURS + "".join(f"Kaos,1,1,,Warna,W{n}\n" for n in range(101)),
            ["too_many_variants"] * 101,
        ),
        (OURS + "Kaos,1,1,A,Warna,Merah\nKaos,2,1,A,Warna,Biru\n", ["duplicate_sku"]),
        (OURS + "Kaos,1,1,A,,Merah\n", ["required"]),
        (OURS + f"Kaos,1,1,A,Warna,{'x' * 101}\n", ["too_long"]),
        ("name,price,price_before\nKaos,5,5\n", ["price_before_too_low"]),
        ("name,price,weight_grams\nKaos,5,1.5\n", ["invalid_weight"]),
        ("name,price,weight_grams\nKaos,5,1000001\n", ["invalid_weight"]),
        ("name,price,variant_id\nKaos,5,x\n", ["invalid_id"]),
        ("variant_id,price\n999999999,5\n", ["required"]),
    ],
)
def test_bad_rows_are_named(shop: Shop, text: str, codes: list[str]):
    found = imported(shop, text)
    assert [row["error_code"] for row in shop.errors(found["id"])] == codes
    assert found["rows_bad"] == len(codes)


def test_what_does_not_fit_a_product_with_variants_is_named(shop: Shop):
    imported(shop, SHOPIFY)
    (shirt,) = shop.rows("SELECT id FROM products WHERE name = 'Kaos'")
    ids = {row["sku"]: row["id"] for row in shop.rows("SELECT sku, id FROM variants")}
    head = "marketplace_product_id,variant_id,sku,price,price_before,option1_name,option1_value,option2_name,option2_value\n"
    rows = (
        (f"{shirt['id']},,,1,,,,,\n", "has_variants"),
        (f"{shirt['id']},,N,1,,Warna,Biru,,\n", "options_differ"),
        (f"{shirt['id']},{ids['K-BL']},,1,,Warna,Merah,Ukuran,S\n", "duplicate_options"),
        (f"{shirt['id']},,G-1,1,,Warna,Hijau,Ukuran,S\n", "conflicting_keys"),
        (f"{shirt['id']},{ids['K-BL']},,,5,,,,\n", "price_before_too_low"),
        (f"{shirt['id']},,N,,,Warna,Hijau,Ukuran,S\n", "required"),
    )
    before = export(shop)
    for row, code in rows:
        found = imported(shop, head + row)
        assert [each["error_code"] for each in shop.errors(found["id"])] == [code], row
    assert export(shop) == before


def test_a_product_that_an_admin_has_blocked_stays_hidden(shop: Shop):
    imported(shop, SHOPIFY)
    with psycopg.connect(shop.api.owner_url) as conn:
        conn.execute(
            "UPDATE products SET hidden_before = hidden, blocked = 'counterfeit', hidden = true"
        )
    found = imported(shop, SHOPIFY)
    assert (found["state"], found["rows_unchanged"]) == ("done", 4)
    assert shop.value("SELECT bool_and(hidden) FROM products")


# What became of the rows
# --------------------------------------------------------------------------------------------------


def changes(shop: Shop, import_id: int, query: str = "") -> list[dict[str, Any]]:
    """All changes of an import, page by page."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = shop.api.get(
            f"/api/products/imports/{import_id}/changes",
            shop.seller,
            query_string=f"per_page=2&{query}{cursor}",
        )
        assert answer.status_code == 200, answer.text
        found += answer.json["changes"]
        if not answer.json["has_next"]:
            return found
        cursor = f"&cursor={answer.json['next_cursor']}"


def test_changes_tell_before_and_after_of_each_row(shop: Shop):
    first = imported(shop, SHOPIFY)
    added = changes(shop, first["id"])
    assert [row["outcome"] for row in added] == ["added"] * 4
    assert added[0]["after"] == {
        "name": "Kaos",
        "options": ["Merah", "S"],
        "price": "75000.00",
        "stock": 5,
    }
    assert all(row["product_id"] for row in added)
    assert [bool(row["variant_id"]) for row in added] == [True, True, True, False]
    edited = SHOPIFY.replace(",7,15000,", ",7,16000,").replace(
        "K-MS,180,5,75000", "K-MS,200,5,74000"
    )
    for query in ("dry_run=true", ""):
        found = imported(shop, edited, query)
        told = {row["line"]: row for row in changes(shop, found["id"])}
        assert [told[line]["outcome"] for line in sorted(told)] == [
            "changed",
            "unchanged",
            "unchanged",
            "changed",
        ]
        assert told[2]["before"] == {"price": "75000.00", "weight_grams": 180}
        assert told[2]["after"] == {"price": "74000.00", "weight_grams": 200}
        assert (told[6]["before"], told[6]["after"]) == (
            {"price": "15000.00"},
            {"price": "16000.00"},
        )
    file = shop.api.get(
        f"/api/products/imports/{found['id']}/changes.csv",
        shop.seller,
        query_string="outcome=changed",
    )
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert [
        (row["line"], row["field"], row["before"], row["after"]) for row in table(file.text)
    ] == [
        ("2", "price", "75000.00", "74000.00"),
        ("2", "weight_grams", "180", "200"),
        ("6", "price", "15000.00", "16000.00"),
    ]


def test_changes_are_ones_own_and_go_with_the_report(shop: Shop):
    found = imported(shop, SHOPIFY)
    other = shop.api.seller()
    for path in ("changes", "changes.csv"):
        path = f"/api/products/imports/{found['id']}/{path}"
        problem(shop.api.get(path, other), 404, "not_found")
        assert shop.api.get(path, shop.api.admin()).status_code == 200
    assert shop.value("SELECT changes_bytes FROM imports") > 0
    with psycopg.connect(shop.api.owner_url) as conn:
        conn.execute("UPDATE imports SET finished_at = now() - interval '91 days'")
        conn.execute("SELECT expire_imports(90, 400, 10)")
    problem(shop.api.get(path, shop.seller), 404, "not_found")
    assert shop.value("SELECT count(*) FROM import_changes") == 0


# Real catalogues
# --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not CATALOGUES.is_dir(), reason="../shared is not here")
@pytest.mark.parametrize("path", sorted(CATALOGUES.glob("*.csv")), ids=lambda path: path.stem)
def test_a_real_catalogue_comes_in_out_and_in_again(committed: Api, path: Path):
    data = path.read_bytes()
    keyed = "medusa" not in path.name  # which has neither SKUs nor links
    old = Shop(committed, import_new_categories=100)
    before = imported(old, data, "variants=separate")
    again = imported(old, data)
    if keyed:
        assert (again["rows_unchanged"], again["rows_created"]) == (before["rows_created"], 0)
    new = Shop(committed, import_new_categories=100)
    found = imported(new, data)
    assert (found["rows_created"], found["rows_bad"]) == (before["rows_created"], 0)
    catalog = read(path.open("rb"))
    optioned = sum(isinstance(row, GoodRow) and bool(row.options) for row in catalog)
    made = "SELECT count(*) FROM variants WHERE store_id = %s"
    assert new.value(made, new.seller.store_id) == optioned
    if keyed:
        assert imported(new, data)["rows_unchanged"] == found["rows_created"]
    back = imported(new, export(new))
    assert (back["rows_unchanged"], back["rows_valid"]) == (
        found["rows_created"],
        found["rows_created"],
    )
    for shop in (old, new):
        shop.db.close()
