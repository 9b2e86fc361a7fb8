"""Finding stores: everybody those that are active, an admin all."""

import pytest
from conftest import Api


def names(answer) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [store["name"] for store in answer.json["stores"]]


def stop(api: Api, store_id: int, state: str) -> None:
    with api.as_owner(api.db.conn) as conn:
        conn.execute("UPDATE stores SET state = %s WHERE id = %s", [state, store_id])


@pytest.mark.parametrize("typed", ["melati", "MÉLATI", "elat", "toko 100%", "_"])
def test_a_store_is_found_by_a_part_of_its_name(api: Api, typed: str):
    api.seller("Toko Mélati")
    api.seller("Toko 100% Asli")
    api.seller("Toko_Lain")
    api.seller("Warung Padang")
    wanted = {"toko 100%": ["Toko 100% Asli"], "_": ["Toko_Lain"]}.get(typed, ["Toko Mélati"])
    assert names(api.get("/api/stores", params={"search": typed})) == wanted


def test_stores_are_listed_newest_first_in_both_modes(api: Api):
    for number in range(5):
        api.seller(f"Toko {number}")
    first = api.get("/api/stores", params={"per_page": 2})
    assert names(first) == ["Toko 4", "Toko 3"]
    assert (first.json["total_items"], first.json["has_next"]) == (5, True)
    second = api.get("/api/stores", params={"per_page": 2, "cursor": first.json["next_cursor"]})
    assert names(second) == ["Toko 2", "Toko 1"]
    assert names(api.get("/api/stores", params={"per_page": 2, "page": 3})) == ["Toko 0"]


def test_what_is_not_active_is_for_admins(api: Api):
    sleeping, open_one = api.seller("Toko Tidur"), api.seller("Toko Buka")
    stop(api, sleeping.store_id, "suspended")
    for user in (None, sleeping, open_one):
        for params in ({}, {"state": "suspended"}, {"search": "tidur"}):
            assert "Toko Tidur" not in names(api.get("/api/stores", user, params=params))
    admin = api.admin()
    assert names(api.get("/api/stores", admin)) == ["Toko Buka", "Toko Tidur"]
    assert names(api.get("/api/stores", admin, params={"state": "suspended"})) == ["Toko Tidur"]
    assert names(api.get("/api/stores", admin, params={"search": "tidur"})) == ["Toko Tidur"]
