"""Imports of products with variants: what becomes of groups of rows, old files, and what is bad."""

import csv
import io
from typing import Any

import psycopg
from support.import_shop import Shop, counts
from support.stock import broken

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
