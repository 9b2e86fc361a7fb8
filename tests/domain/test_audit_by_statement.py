"""The audit trail of statements over many rows, of imports, and of hands in psql."""

import psycopg
from conftest import Api, User
from support.import_shop import Shop
from support.trail import newest, told, trail

from marketplace.queries import users


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
