"""Exports: what comes out, and goes in again."""

import csv
import io
import json
import random

from PIL import Image
from support.import_shop import FILE, Shop, counts, generate, products
from support.responses import problem


def export(shop: Shop, query: str = "") -> str:
    answer = shop.api.get("/api/products/export", shop.seller, query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_an_export_imports_again_and_changes_nothing(shop: Shop):
    shop.run(shop.send(FILE))
    odd = ["=1+1", "'=x", "@a, b", '13" "x"', "A\u00e9 <b>tebal</b> &amp;", "- minus", "\u200b=1"]
    for place, name in enumerate(odd):
        about = f"satu\n<p>{name}</p>\r\n&lt;dua"
        shop.api.product(
            shop.seller, name=name, description=about, sku=f"{name[:20]}{place}", hidden=place == 3
        )
    uploaded = products(shop)["=1+1"]["id"]
    picture = ("images", "a.png", tiny_png())
    assert (
        shop.api.upload(f"/api/products/{uploaded}/images", shop.seller, [picture]).status_code
        == 201
    )
    admin = shop.api.admin()
    above = None
    for name in ("A > B", "C\\D", *"EFGHIJ"):
        above = shop.api.post(
            "/api/categories", admin, json={"name": name, "parent_id": above}
        ).json["id"]
    shop.api.patch(f"/api/products/{uploaded}", shop.seller, json={"category_id": above})
    before = products(shop)
    text = export(shop)
    found = shop.run(shop.send(text))

    assert counts(found) == {"read": len(before), "valid": len(before), "unchanged": len(before)}
    assert found["columns"]["own_header"] is True
    assert products(shop) == before
    assert all(
        not cell.startswith(("=", "@", "-", "+"))
        for row in csv.reader(io.StringIO(text))
        for cell in row
    )


def tiny_png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 30, 30)).save(out, "PNG")
    return out.getvalue()


def test_an_export_goes_into_another_store(shop: Shop):
    shop.run(shop.send(FILE))
    text = export(shop)
    other = Shop(shop.api)
    assert counts(other.run(other.send(text))) == {"read": 3, "valid": 3, "created": 3}
    own, theirs = products(shop), products(other)
    same = ("price", "stock", "sku", "source_url", "description", "category", "brand", "hidden")
    assert {name: [row[key] for key in same] for name, row in own.items()} == {
        name: [row[key] for key in same] for name, row in theirs.items()
    }
    other.db.close()


def test_an_export_as_json_lines_has_products_as_the_api_answers_them(shop: Shop):
    shop.run(shop.send(generate(2500, bad_every=10**9, twin_every=10**9).text))
    lines = [json.loads(line) for line in export(shop, "format=jsonl").splitlines()]
    assert len(lines) == 2500
    for line in random.sample(lines, 5):
        assert line == shop.api.get(f"/api/products/{line['id']}", shop.seller).json


def test_an_export_is_ones_own(shop: Shop):
    shop.run(shop.send(FILE))
    other, admin = shop.api.seller(), shop.api.admin()
    query = f"store_id={shop.seller.store_id}"
    assert (
        export(shop, query) == shop.api.get("/api/products/export", admin, query_string=query).text
    )
    problem(shop.api.get("/api/products/export", other, query_string=query), 404, "not_found")
    problem(shop.api.get("/api/products/export", admin), 409, "store_required")
    problem(
        shop.api.get("/api/products/export", admin, query_string="store_id=99999999"),
        404,
        "not_found",
    )
    problem(shop.api.get("/api/products/export", shop.api.register("buyer")), 403, "forbidden")
    assert len(shop.api.get("/api/products/export", other).text.splitlines()) == 1
    answer = shop.api.get("/api/products/export", shop.seller)
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    log = shop.api.get(
        "/api/users/activities", shop.seller, query_string="type=export_products"
    ).json
    assert log["total_items"] == 2
