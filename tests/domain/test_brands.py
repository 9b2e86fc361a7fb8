"""Brands: the list, and what admins change of it."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
from conftest import Api, User
from psycopg.rows import dict_row
from support.responses import problem

from marketplace.queries import brands


def add(api: Api, admin: User, name: str) -> dict:
    answer = api.post("/api/brands", admin, json={"name": name})
    assert answer.status_code == 201, answer.text
    return answer.json


def names(answer) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [brand["name"] for brand in answer.json["brands"]]


def test_brands_are_listed_by_name_in_both_modes(api: Api):
    admin = api.admin()
    for name in ("Zafira", "anggun", "Bumi Raya", "Éclair", "Cakra"):
        add(api, admin, name)
    wanted = ["anggun", "Bumi Raya", "Cakra", "Éclair", "Zafira"]

    first = api.get("/api/brands", params={"per_page": 2})
    assert names(first) == wanted[:2]
    assert (first.json["total_items"], first.json["total_pages"], first.json["total_exact"]) == (
        5,
        3,
        True,
    )
    assert set(first.json["brands"][0]) == {
        "id",
        "name",
        "slug",
        "version",
        "created_at",
        "updated_at",
    }
    assert names(api.get("/api/products/brands", params={"per_page": 2, "page": 3})) == wanted[4:]
    second = api.get("/api/brands", params={"per_page": 2, "cursor": first.json["next_cursor"]})
    third = api.get("/api/brands", params={"per_page": 2, "cursor": second.json["next_cursor"]})
    assert names(second) + names(third) == wanted[2:]
    assert third.json["next_cursor"] is None


def test_brands_are_found_by_a_part_of_their_name(api: Api):
    admin = api.admin()
    for name in ("Kopi Pagi", "Pagi Cerah", "100% Murni", "Senja"):
        add(api, admin, name)
    assert names(api.get("/api/brands", params={"search": "PAGI"})) == ["Kopi Pagi", "Pagi Cerah"]
    assert names(api.get("/api/brands", params={"search": "%"})) == ["100% Murni"]
    assert names(api.get("/api/brands", params={"search": "'; --"})) == []
    found = api.get("/api/brands", params={"search": "pagi", "per_page": 1}).json["next_cursor"]
    problem(
        api.get("/api/brands", params={"search": "senja", "cursor": found}), 400, "invalid_cursor"
    )


def test_a_brand_is_added_read_renamed_and_removed(api: Api):
    admin = api.admin()
    answer = api.post("/api/products/brands", admin, json={"name": "Bumi Raya"})
    assert answer.headers["Location"] == f"/api/brands/{answer.json['id']}"
    url = answer.headers["Location"]
    assert api.get(url).json == answer.json

    renamed = api.put(url, admin, json={**answer.json, "name": "Bumi Jaya"})
    assert (renamed.json["name"], renamed.json["slug"]) == ("Bumi Jaya", "bumi-jaya")
    assert renamed.json["version"] == 2
    assert api.delete(url, admin).status_code == 204
    problem(api.get(url), 404, "not_found")
    log = [row["type"] for row in api.get("/api/users/activities", admin).json["activities"]]
    assert log[:3] == ["delete_brand", "update_brand", "create_brand"]


def test_only_admins_change_brands(api: Api):
    url = f"/api/brands/{add(api, api.admin(), 'Cakra')['id']}"
    for user, status in ((None, 401), (api.buyer(), 403), (api.seller(), 403)):
        assert api.post("/api/brands", user, json={"name": "Senja"}).status_code == status
        assert api.put(url, user, json={"name": "Senja"}).status_code == status
        assert api.delete(url, user).status_code == status


def test_what_is_wrong_is_named(api: Api):
    admin = api.admin()
    add(api, admin, "Cakra")
    problem(api.post("/api/brands", admin, json={"name": "CAKRA"}), 409, "brand_exists")
    problem(api.post("/api/brands", admin, json={"name": " "}), 422, "validation_failed")
    problem(api.post("/api/brands", admin, json={"name": "x" * 201}), 422, "validation_failed")
    problem(api.post("/api/brands", admin, json={"nama": "Senja"}), 422, "validation_failed")
    other = add(api, admin, "Senja")
    problem(
        api.put(f"/api/brands/{other['id']}", admin, json={"name": "cakra"}), 409, "brand_exists"
    )
    for answer in (
        api.get("/api/brands/999999"),
        api.put("/api/brands/999999", admin, json={"name": "A"}),
        api.delete("/api/brands/999999", admin),
        api.delete("/api/brands/999999", admin, params={"move_to": other["id"]}),
    ):
        problem(answer, 404, "not_found")


def test_a_used_brand_stays_unless_its_products_move(api: Api):
    admin = api.admin()
    cakra, senja = add(api, admin, "Cakra")["id"], add(api, admin, "Senja")["id"]
    product = api.product(api.seller(), brand_id=cakra)
    problem(api.delete(f"/api/brands/{cakra}", admin), 409, "brand_in_use")
    problem(
        api.delete(f"/api/brands/{cakra}", admin, params={"move_to": cakra}),
        422,
        "validation_failed",
    )
    problem(
        api.delete(f"/api/brands/{cakra}", admin, params={"move_to": 999999}),
        422,
        "validation_failed",
    )

    assert api.delete(f"/api/brands/{cakra}", admin, params={"move_to": senja}).status_code == 204

    rows = api.db.conn.execute(
        "SELECT brand_id, version FROM products WHERE id = %s", [product["id"]]
    )
    assert rows.fetchone() == {"brand_id": senja, "version": product["version"] + 1}


def test_a_seller_names_a_brand_and_it_is_made_once_in_any_case(api: Api):
    seller = api.seller()
    first = api.product(seller, brand="Kopi Senja")
    second = api.product(seller, name="Teh", brand="KOPI SENJA")
    assert first["brand"] == second["brand"] == {"id": first["brand_id"], "name": "Kopi Senja"}


def test_a_brand_that_many_name_at_once_is_made_once(committed: Api):
    sellers = [committed.seller() for _ in range(4)]

    def make(n: int) -> int:
        return committed.product(sellers[n % 4], name=f"Kopi {n}", brand="Senja")["brand_id"]

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(make, range(16)))) == 1


def test_find_or_add_waits_for_a_twin_and_takes_its_brand(committed: Api):
    def connect() -> psycopg.Connection:
        return psycopg.connect(committed.owner_url, row_factory=dict_row)

    with connect() as one, connect() as two:
        first = brands.find_or_add(one, "Senja")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(brands.find_or_add, two, "SENJA")
            one.commit()
            assert waiting.result(timeout=5) == first
