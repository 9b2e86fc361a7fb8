"""Products with variants: made, changed, taken off sale, and who may."""

from typing import Any

import pytest
from conftest import Api, User
from support.stock import broken

SHIRT: dict[str, Any] = {
    "name": "Kaus Polos",
    "options": ["Warna", "Ukuran"],
    "variants": [
        {"options": ["Merah", "M"], "price": "90000", "stock": 3, "sku": "TS-M-M"},
        {
            "options": ["Merah", "L"],
            "price": "99000",
            "stock": 0,
            "sku": "TS-M-L",
            "weight_grams": 180,
        },
        {"options": ["Biru", "M"], "price": 95000, "stock": 4, "price_before": "120000"},
    ],
}


@pytest.fixture
def seller(api: Api) -> User:
    return api.seller()


def made(api: Api, user: User, **fields: Any) -> dict[str, Any]:
    answer = api.post("/api/products", user, json={**SHIRT, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json


def test_a_product_is_made_with_its_variants(api: Api, seller: User):
    shirt = made(api, seller)

    assert (shirt["price"], shirt["price_max"], shirt["stock"]) == ("90000.00", "99000.00", 7)
    assert (shirt["sku"], shirt["variant_count"], shirt["in_stock"]) == (None, 3, True)
    assert shirt["options"] == [
        {"name": "Warna", "values": ["Merah", "Biru"]},
        {"name": "Ukuran", "values": ["M", "L"]},
    ]
    large = shirt["variants"][1]
    assert large.pop("id") > 0
    assert large == {
        "options": ["Merah", "L"], "sku": "TS-M-L", "barcode": None, "price": "99000.00", "price_before": None,
        "image_id": None, "weight_grams": 180, "stock": 0, "in_stock": False, "hidden": False,
    }  # fmt: skip
    assert [row["stock"] for row in shirt["variants"]] == [3, 0, 4]
    assert api.get(f"/api/products/{shirt['id']}").json == {
        **shirt,
        "variants": api.get(f"/api/products/{shirt['id']}").json["variants"],
    }
    with api.as_owner(api.db.conn) as conn:
        assert broken(conn) == []
