"""The audit trail: who changed what, before and after."""

from typing import Any

import psycopg
import pytest
from conftest import PASSWORD, Api
from support.images import picture
from support.responses import problem
from support.trail import newest, told, trail

from marketplace.queries import upkeep


def test_every_write_of_a_product_leaves_who_what_and_which_request(api: Api):
    admin, seller = api.admin(), api.seller()
    made = api.post(
        "/api/products",
        seller,
        json={"name": "Kopi", "price": "85000", "stock": 5},
        headers={"X-Request-ID": "request-of-a-test"},
    ).json
    path, query = f"/api/products/{made['id']}", f"type=product&id={made['id']}"

    entry = newest(api, admin, query)
    assert entry["request_id"] == "request-of-a-test"
    assert (entry["user_id"], entry["role"]) == (seller.id, "seller")
    assert (entry["store_id"], entry["thing_id"]) == (seller.store_id, made["id"])
    assert (entry["action"], entry["before"]) == ("create", None)
    assert entry["after"] == {
        "name": "Kopi",
        "price": "85000.00",
        "stock": 5,
        "hidden": False,
        "store_id": seller.store_id,
    }
    for method, change, before, after in [
        ("PATCH", {"price": "90000"}, {"price": "85000.00"}, {"price": "90000.00"}),
        ("PATCH", {"stock": 3}, {"stock": 5}, {"stock": 3}),
        ("PATCH", {"sku": "K-1"}, {"sku": None}, {"sku": "K-1"}),
        ("PUT", {"name": "Teh", "price": "90000", "sku": "K-1"}, {"name": "Kopi"}, {"name": "Teh"}),
        ("DELETE", None, {"hidden": False}, {"hidden": True}),
    ]:
        options = {} if change is None else {"json": change}
        assert api.request(method, path, admin, **options).status_code in (200, 204)
        entry = newest(api, admin, query)
        assert told(entry) == ("update", "product", before, after)
        assert entry["user_id"] == admin.id
    assert len(trail(api, admin, query)) == 6


def test_a_change_that_changes_nothing_leaves_nothing(api: Api):
    admin, seller = api.admin(), api.seller()
    product = api.product(seller)
    before = len(trail(api, admin))
    api.put(
        f"/api/products/{product['id']}",
        seller,
        json=api.get(f"/api/products/{product['id']}").json,
    )
    api.put("/api/stores/mine", seller, json=api.get("/api/stores/mine", seller).json)
    api.delete(f"/api/products/{product['id']}", admin)
    api.delete(f"/api/products/{product['id']}", admin)

    assert len(trail(api, admin)) == before + 1


def test_what_is_refused_leaves_nothing(api: Api):
    admin, seller = api.admin(), api.seller()
    api.product(seller, sku="K-1")
    before = len(trail(api, admin))
    problem(
        api.post("/api/products", seller, json={"name": "x", "price": 1, "sku": "K-1"}),
        409,
        "sku_taken",
    )

    assert len(trail(api, admin)) == before


def test_stores_categories_brands_and_pictures_are_in_the_trail(api: Api):
    admin, seller = api.admin(), api.seller("Toko Lama")
    assert told(newest(api, admin, "type=store"))[3]["name"] == "Toko Lama"
    api.patch("/api/stores/mine", seller, json={"name": "Toko Baru"})
    entry = newest(api, admin, "type=store")
    assert told(entry) == ("update", "store", {"name": "Toko Lama"}, {"name": "Toko Baru"})
    assert entry["store_id"] == entry["thing_id"] == seller.store_id

    for noun, singular in (("categories", "category"), ("brands", "brand")):
        thing = api.post(f"/api/{noun}", admin, json={"name": "Satu"}).json
        assert told(newest(api, admin, f"type={singular}")) == (
            "create",
            singular,
            None,
            {"name": "Satu"},
        )
        api.patch(f"/api/{noun}/{thing['id']}", admin, json={"name": "Dua"})
        assert told(newest(api, admin, f"type={singular}")) == (
            "update",
            singular,
            {"name": "Satu"},
            {"name": "Dua"},
        )
        api.delete(f"/api/{noun}/{thing['id']}", admin)
        entry = newest(api, admin, f"type={singular}")
        assert told(entry) == ("delete", singular, {"name": "Dua"}, None)
        assert entry["store_id"] is None

    product = api.product(seller)
    image = api.upload(
        f"/api/products/{product['id']}/images", seller, [("images", "a", picture())]
    ).json["images"][0]
    entry = newest(api, admin, "type=product_image")
    assert (entry["action"], entry["thing_id"], entry["store_id"]) == (
        "create",
        image["id"],
        seller.store_id,
    )
    assert entry["after"]["product_id"] == product["id"]
    api.patch(f"/api/products/{product['id']}/images/{image['id']}", seller, json={"alt": "Depan"})
    expected = ("update", "product_image", {"alt": None, "product_id": product["id"]})
    assert told(newest(api, admin, "type=product_image"))[:3] == expected
    api.delete(f"/api/products/{product['id']}/images/{image['id']}", seller)
    entry = newest(api, admin, "type=product_image")
    assert (entry["before"]["product_id"], entry["after"]) == (product["id"], None)
    assert entry["before"]["url"].startswith("http")


def test_opening_a_store_says_that_its_owner_is_a_seller_now(api: Api):
    admin, buyer = api.admin(), api.buyer()
    headers = {"X-Request-ID": "request-that-opens"}
    assert api.post("/api/stores", buyer, json={"name": "Toko"}, headers=headers).status_code == 201

    opened = {entry["type"]: entry for entry in trail(api, admin, "request_id=request-that-opens")}
    assert opened.keys() == {"store", "user"}
    assert told(opened["user"]) == ("update", "user", {"role": "buyer"}, {"role": "seller"})
    assert opened["user"]["user_id"] == opened["user"]["thing_id"] == buyer.id


def test_a_request_that_comes_again_leaves_no_second_entry(api: Api):
    seller = api.seller()
    body, headers = {"name": "Kopi", "price": "1"}, {"Idempotency-Key": "once"}
    first, again = (
        api.post("/api/products", seller, json=body, headers=headers).json["id"] for _ in range(2)
    )

    assert first == again
    assert len(trail(api, seller, "type=product")) == 1


def test_of_people_it_says_what_changed_and_not_to_what(api: Api):
    admin, user = api.admin(), api.register("buyer", "Nama Rahasia")
    entry = trail(api, admin, f"type=user&id={user.id}")[0]
    assert told(entry) == ("create", "user", None, {"role": "buyer"})
    assert entry["user_id"] == user.id
    assert entry["request_id"]

    api.put(
        "/api/users/profile",
        user,
        json={"name": "Lain Rahasia", "phone": "0812 999", "address": "Jalan Sunyi 1"},
    )
    expected = {"name": "changed", "phone": "changed", "address": "changed"}
    assert told(newest(api, admin, f"type=user&id={user.id}")) == ("update", "user", None, expected)
    fresh = "batik-parang-kencana-9"
    body = {"name": "Lain Rahasia", "password": fresh, "current_password": PASSWORD}
    assert api.put("/api/users/profile", user, json=body).status_code == 200
    assert {"password": "changed"} in [
        e["after"] for e in trail(api, admin, f"type=user&id={user.id}")
    ]
    api.patch(f"/api/users/{user.id}", admin, json={"suspended": True})
    entry = newest(api, admin, f"type=user&id={user.id}")
    assert entry["before"] == {"suspended_at": None}
    assert entry["after"]["suspended_at"]
    assert entry["user_id"] == admin.id

    with api.as_owner(api.db.conn) as conn:
        rows = conn.execute("SELECT a::text AS line FROM audit AS a").fetchall()
    everything = "\n".join(row["line"] for row in rows)
    for secret in (
        user.email,
        "Rahasia",
        "0812 999",
        "Sunyi",
        PASSWORD,
        fresh,
        "$2b$",
        user.token,
        user.refresh_token,
    ):
        assert secret not in everything


def test_a_seller_sees_what_concerns_their_store_and_nothing_else(api: Api):
    admin, seller, other = api.admin(), api.seller(), api.seller()
    mine, theirs = api.product(seller), api.product(other)
    api.patch(f"/api/products/{mine['id']}", admin, json={"price": "1"})

    seen = trail(api, seller)
    assert {entry["store_id"] for entry in seen} == {seller.store_id}
    assert seen[0]["user_id"] == admin.id
    assert trail(api, seller, f"type=product&id={theirs['id']}") == []
    assert trail(api, seller, f"store_id={seller.store_id}") == seen
    problem(api.get(f"/api/audit?store_id={other.store_id}", seller), 404, "not_found")
    problem(api.get("/api/audit", api.buyer()), 403, "forbidden")
    assert {entry["store_id"] for entry in trail(api, admin)} >= {
        None,
        seller.store_id,
        other.store_id,
    }


def test_the_trail_is_filtered_and_paged(api: Api):
    admin, seller = api.admin(), api.seller()
    product = api.product(seller)
    for price in range(1, 7):
        api.patch(f"/api/products/{product['id']}", seller, json={"price": str(price)})

    assert len(trail(api, admin, f"user_id={seller.id}&action=update&type=product")) == 6
    assert len(trail(api, admin, f"store_id={seller.store_id}&action=create")) == 2
    assert (
        len(trail(api, admin, f"id={product['id']}&type=product&from=2000-01-01&to=2999-01-01"))
        == 7
    )
    assert trail(api, seller, "action=delete") == []
    request_id = newest(api, admin)["request_id"]
    assert len(trail(api, admin, f"request_id={request_id}")) == 1
    assert trail(api, admin, "from=2999-01-01") == []
    assert trail(api, admin, "to=2000-01-01") == []
    problem(api.get("/api/audit?type=secret", admin), 422, "validation_failed")

    page = api.get(f"/api/audit?per_page=4&user_id={seller.id}", admin).json
    whole = trail(api, admin, f"user_id={seller.id}")
    assert page["total_items"] == len(whole)
    found, cursor = page["audit"], page["next_cursor"]
    while cursor:
        page = api.get(
            "/api/audit", admin, params={"per_page": 4, "user_id": seller.id, "cursor": cursor}
        ).json
        found, cursor = found + page["audit"], page["next_cursor"]
    assert found == whole
    assert [entry["id"] for entry in found] == sorted(
        (entry["id"] for entry in found), reverse=True
    )


def test_times_are_kept_as_the_api_answers_them(api: Api):
    admin, user = api.admin(), api.buyer()
    with api.as_owner(api.db.conn) as conn:
        conn.execute("SET LOCAL timezone = 'Asia/Jakarta'")
        conn.execute(
            "UPDATE users SET suspended_at = '2026-11-22 16:18:00.5+07' WHERE id = %s", [user.id]
        )
        conn.execute("SET LOCAL timezone = 'UTC'")

    assert newest(api, admin)["after"] == {"suspended_at": "2026-11-22T09:18:00Z"}


def present_month(conn: Any) -> str:
    return str(
        conn.execute("SELECT tableoid::regclass::text AS name FROM audit LIMIT 1").fetchone()[
            "name"
        ]
    )


@pytest.mark.parametrize("statement", ["UPDATE {} SET role = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_trail_is_never_changed_not_even_by_its_owner(api: Api, statement: str):
    api.seller()
    with api.as_owner(api.db.conn) as conn:
        month = present_month(conn)
    for role in ("marketplace_app", "none"):  # none: whom the connection logged in as, the owner
        for table in ("audit", month):
            api.db.conn.execute("SAVEPOINT tried")
            api.db.conn.execute("SELECT set_config('role', %s, true)", [role])
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                api.db.conn.execute(statement.format(table))
            api.db.conn.execute("ROLLBACK TO SAVEPOINT tried")


def test_an_old_month_is_dropped_as_a_whole(api: Api):
    admin = api.admin()
    with api.as_owner(api.db.conn) as conn:
        month = present_month(conn)
        conn.execute(f"ALTER TABLE audit DETACH PARTITION {month}")
        conn.execute(f"DROP TABLE {month}")
        assert upkeep.make_months(conn, "audit", months=0) == 1
        conn.execute("SAVEPOINT tried")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(f"TRUNCATE {month}")
        conn.execute("ROLLBACK TO SAVEPOINT tried")

    assert trail(api, admin) == []


def test_the_application_cannot_write_the_trail_itself(api: Api):
    api.db.conn.execute("SAVEPOINT tried")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        api.db.conn.execute("INSERT INTO audit (action, type) VALUES ('create', 'product')")
    api.db.conn.execute("ROLLBACK TO SAVEPOINT tried")
