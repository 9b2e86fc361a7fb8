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


def test_a_store_is_closed_until_a_time_that_can_be_read_back(api: Api):
    seller, buyer = api.seller(), api.buyer()
    line = {"product_id": api.product(seller)["id"], "quantity": 1}
    assert api.put("/api/cart/lines", buyer, json={"lines": [line]}).status_code == 200
    for beyond in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        answer = api.patch("/api/stores/mine", seller, json={"closed_until": beyond})
        assert [(error["pointer"], error["code"]) for error in answer.json["errors"]] == [
            ("/closed_until", "bad_format")
        ]
        assert api.get("/api/cart", buyer).json["count"] == 1
    last = "9999-12-31T23:59:59Z"
    seller_sees = api.patch("/api/stores/mine", seller, json={"closed_until": last})
    assert seller_sees.json["closed_until"] == last
    assert api.get("/api/cart", buyer).json["stores"][0]["store"]["closed_until"] == last
