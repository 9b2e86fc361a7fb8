"""Stores."""

from conftest import Api
from support.responses import problem


def test_a_buyer_who_opens_a_store_sells_at_once(api: Api):
    user = api.buyer()
    answer = api.post(
        "/api/stores", user, json={"name": "Toko Melati", "description": "Bunga\nsegar"}
    )

    assert answer.status_code == 201, answer.text
    assert api.get(answer.headers["location"]).json == answer.json
    assert api.get("/api/users/profile", user).json["role"] == "seller"
    assert api.get("/api/users/profile", user).json["store_id"] == answer.json["id"]
    api.product(user)


def test_a_user_has_one_store_and_names_are_unique(api: Api):
    seller = api.seller("Toko Unik")

    problem(api.post("/api/stores", seller, json={"name": "Kedua"}), 409, "store_exists")
    problem(
        api.post("/api/stores", api.buyer(), json={"name": "TOKO UNIK"}), 409, "store_name_taken"
    )


def test_a_store_is_changed_by_its_owner(api: Api):
    seller = api.seller()
    store = api.get("/api/stores/mine", seller).json
    answer = api.put("/api/stores/mine", seller, json={**store, "name": "Nama Baru Sekali"})

    assert answer.json["name"] == "Nama Baru Sekali"
    assert answer.json["version"] == store["version"] + 1
    problem(api.get("/api/stores/mine", api.register("seller")), 404, "not_found")
    problem(api.get("/api/stores/mine", api.buyer()), 403, "forbidden")
    problem(api.get("/api/stores/999999999"), 404, "not_found")
