"""The audit trail: who changed what, before and after."""

from typing import Any

import psycopg
import pytest
from conftest import PASSWORD, Api, User
from support.images import picture
from support.import_shop import Shop
from support.responses import problem

from marketplace.queries import upkeep, users


def trail(api: Api, admin: User, query: str = "") -> list[dict[str, Any]]:
    return api.get(f"/api/audit?per_page=100&{query}", admin).json["audit"]


def newest(api: Api, admin: User, query: str = "") -> dict[str, Any]:
    return trail(api, admin, query)[0]


def told(entry: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(entry[name] for name in ("action", "type", "before", "after"))


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


def fill(api: Api, seller: User, brand_id: int, count: int) -> None:
    with api.as_owner(api.db.conn) as conn:
        conn.execute(
            "INSERT INTO products (store_id, brand_id, name, price, in_stock) "
            "SELECT %s, %s, 'P ' || n, n, true FROM generate_series(1, %s) AS n",
            [seller.store_id, brand_id, count],
        )


def test_a_statement_over_many_rows_is_one_entry_a_store(api: Api):
    admin, seller, other = api.admin(), api.seller(), api.seller()
    brands = [
        api.post("/api/brands", admin, json={"name": name}).json["id"] for name in ("Satu", "Dua")
    ]
    fill(api, seller, brands[0], 150)
    fill(api, other, brands[0], 1)
    assert api.delete(f"/api/brands/{brands[0]}?move_to={brands[1]}", admin).status_code == 204

    entry = newest(api, seller, "type=product")
    assert (entry["action"], entry["thing_id"], entry["user_id"]) == ("update", None, admin.id)
    assert entry["before"] == {"brand_id": brands[0]}
    assert (entry["after"]["rows"], entry["after"]["brand_id"]) == (150, brands[1])
    assert len(entry["after"]["ids"]) == 100
    entry = newest(api, other, "type=product")
    assert (entry["after"]["rows"], entry["after"]["ids"]) == (1, [entry["thing_id"]])
    assert len(trail(api, admin, f"request_id={entry['request_id']}&type=product")) == 2


def test_of_many_rows_it_keeps_the_values_they_share(api: Api):
    admin, seller = api.admin(), api.seller()
    brand = api.post("/api/brands", admin, json={"name": "Satu"}).json["id"]
    fill(api, seller, brand, 101)
    assert newest(api, seller)["after"].keys() == {"rows", "ids"}
    with api.as_owner(api.db.conn) as conn:
        conn.execute("UPDATE products SET price = price + 1, hidden = true")
        assert told(newest(api, seller))[2:] == (
            {"hidden": False},
            {
                "rows": 101,
                "ids": newest(api, seller)["after"]["ids"],
                "hidden": True,
                "price": "changed",
            },
        )
    with api.as_owner(api.db.conn) as conn:
        conn.execute("DELETE FROM products")

    entry = newest(api, seller)
    assert (entry["action"], entry["before"]["rows"], entry["after"]) == ("delete", 101, None)


def test_of_many_rows_only_those_that_changed_count(api: Api):
    admin = api.admin()
    top, goal = (
        api.post("/api/categories", admin, json={"name": name}).json["id"]
        for name in ("Atas", "Tujuan")
    )
    with api.as_owner(api.db.conn) as conn:
        conn.execute(
            "WITH fresh AS (SELECT nextval('categories_id_seq') AS id FROM generate_series(1, "
            "101)) "
            "INSERT INTO categories (id, parent_id, path, name) OVERRIDING SYSTEM VALUE "
            "SELECT f.id, %(top)s, ARRAY[%(top)s, f.id], 'Bawah ' || f.id FROM fresh AS f",
            {"top": top},
        )
        conn.execute("UPDATE categories SET version = version + 1")
    before = len(trail(api, admin))
    assert api.patch(f"/api/categories/{top}", admin, json={"parent_id": goal}).status_code == 200

    assert len(trail(api, admin)) == before + 1
    entry = newest(api, admin)
    assert told(entry) == ("update", "category", {"parent_id": None}, {"parent_id": goal})
    assert entry["thing_id"] == top


def test_an_import_is_one_entry_under_the_request_that_sent_the_file(committed: Api):
    shop = Shop(committed)
    try:
        sent = committed.post(
            "/api/products/import-csv",
            shop.seller,
            body=b"name,price,brand,category,image_urls\nKopi,1,Gayo,Minuman,https://example.com/a.jpg\nTeh,2,,,\nx,y,,,\n",
            headers={"Content-Type": "text/csv", "X-Request-ID": "request-with-file"},
        ).json
        admin = committed.admin()
        before = len(trail(committed, admin))
        shop.run(sent["id"])
        after = trail(committed, admin)
    finally:
        shop.db.close()

    assert len(after) == before + 1
    entry = after[0]
    assert (entry["action"], entry["type"], entry["thing_id"]) == ("import", "import", sent["id"])
    assert (entry["user_id"], entry["store_id"]) == (shop.seller.id, shop.seller.store_id)
    assert entry["request_id"] == "request-with-file"
    assert {name: entry["after"][name] for name in ("state", "rows_created", "rows_bad")} == {
        "state": "done",
        "rows_created": 2,
        "rows_bad": 1,
    }


def test_an_import_that_fails_is_one_entry_too(committed: Api):
    shop = Shop(committed)
    try:
        import_id = shop.send("neither,of,these\n1,2,3\n")
        assert shop.run(import_id)["state"] == "failed"
    finally:
        shop.db.close()

    [entry] = trail(committed, shop.seller, f"type=import&id={import_id}")
    assert (entry["action"], entry["user_id"], entry["after"]["state"]) == (
        "import",
        shop.seller.id,
        "failed",
    )
    assert entry["after"]["error_code"]


def test_only_the_worker_can_keep_an_import_out_of_the_trail(api: Api):
    admin, seller = api.admin(), api.seller()
    api.db.conn.execute("SELECT set_config('app.audit', 'import', true)")
    product = api.product(seller)

    assert newest(api, admin)["thing_id"] == product["id"]


def test_a_hand_in_psql_is_recorded_too(api: Api):
    admin, seller = api.admin(), api.seller()
    product = api.product(seller)
    with api.as_owner(api.db.conn) as conn:
        conn.execute(
            "SELECT set_config('app.session', '', true), set_config('app.request_id', '', true)"
        )
        conn.execute("UPDATE products SET price = 7 WHERE id = %s", [product["id"]])

    entry = newest(api, admin, "type=product")
    assert (entry["user_id"], entry["role"], entry["request_id"]) == (None, None, None)
    assert entry["after"] == {"price": "7.00"}


def test_an_admin_made_by_command_was_not_made_by_themselves(api: Api):
    admin = api.admin()
    with api.as_owner(api.db.conn) as conn:
        user_id = users.add_admin(conn, name="Lain", email="lain@example.com", password_hash="-")

    [entry] = trail(api, admin, f"type=user&id={user_id}")
    assert told(entry) == ("create", "user", None, {"role": "admin"})
    assert (entry["user_id"], entry["role"]) == (None, None)


def test_times_are_kept_as_the_api_answers_them(api: Api):
    admin, user = api.admin(), api.buyer()
    with api.as_owner(api.db.conn) as conn:
        conn.execute("SET LOCAL timezone = 'Asia/Jakarta'")
        conn.execute(
            "UPDATE users SET suspended_at = '2026-11-22 16:18:00.5+07' WHERE id = %s", [user.id]
        )
        conn.execute("SET LOCAL timezone = 'UTC'")

    assert newest(api, admin)["after"] == {"suspended_at": "2026-11-22T09:18:00Z"}


def test_a_password_put_in_by_hand_is_recorded(committed: Api):
    admin, user = committed.admin(), committed.buyer()
    with psycopg.connect(committed.owner_url) as conn:
        conn.execute("DELETE FROM auth.credentials WHERE user_id = %s", [user.id])
        conn.execute(
            "INSERT INTO auth.credentials (user_id, password_hash) VALUES (%s, 'x')", [user.id]
        )

    entries = trail(committed, admin, f"type=user&id={user.id}")
    assert [entry["after"] for entry in entries] == [{"password": "changed"}] * 2 + [
        {"role": "buyer"}
    ]
    assert [entry["user_id"] for entry in entries] == [None, None, user.id]


def test_an_emptied_table_is_recorded(api: Api):
    admin, seller = api.admin(), api.seller()
    api.product(seller)
    with api.as_owner(api.db.conn) as conn:
        conn.execute("TRUNCATE products CASCADE")

    assert told(newest(api, admin, "type=product&action=delete")) == (
        "delete",
        "product",
        {"rows": 1},
        None,
    )


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
