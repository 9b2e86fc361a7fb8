"""Products with variants, made and read over HTTP."""

from typing import Any

from conftest import Api, User

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


def made(api: Api, user: User, **fields: Any) -> dict[str, Any]:
    """A shirt in three variants, as its seller reads it."""
    answer = api.post("/api/products", user, json={**SHIRT, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json


def read(api: Api, product_id: int, user: User | None = None) -> dict[str, Any]:
    """A product as somebody reads it; a guest, where nobody is named."""
    answer = api.get(f"/api/products/{product_id}", user)
    assert answer.status_code == 200, answer.text
    return answer.json


def variants(api: Api, product_id: int, user: User | None = None) -> list[dict[str, Any]]:
    """Its variants."""
    return read(api, product_id, user)["variants"]
