"""One's data, and being forgotten."""

import json
from typing import Any

import psycopg
import pytest
from conftest import PASSWORD, Api
from psycopg.rows import dict_row
from support.images import picture
from support.import_shop import Shop
from support.responses import problem

from marketplace.files.stores import of_uploads
from marketplace.workflows import images, product_documents, upkeep, users

MARK = "Zyzzyva"


def everywhere(url: str, word: str) -> dict[str, int]:
    """Tables in which a word stands, with the number of rows."""
    found = {}
    with psycopg.connect(url, row_factory=dict_row) as conn:
        tables = conn.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'auth', "
            "'jobs')"
        ).fetchall()
        for table in tables:
            name = f'{table["schemaname"]}."{table["tablename"]}"'
            query = f"SELECT count(*) AS rows FROM {name} AS t WHERE t::text ILIKE %s"  # noqa: S608 - names of tables
            rows = conn.execute(query, [f"%{word}%"]).fetchall()[0]["rows"]
            if rows:
                found[name] = rows
    return found


def test_one_gets_all_that_is_kept_of_one(api: Api):
    seller, other = api.seller(f"{MARK} Toko"), api.seller()
    made = [api.product(seller, name=f"{MARK} {number}") for number in range(3)]
    api.product(other, name="Not theirs")
    api.patch("/api/users/profile", seller, json={"address": f"Jalan {MARK} 7"})
    answer = api.get("/api/users/export", seller)
    assert answer.headers["content-disposition"] == 'attachment; filename="my-data.json"'
    kept = answer.json
    assert kept["profile"]["address"] == f"Jalan {MARK} 7"
    assert kept["store"]["name"] == f"{MARK} Toko"
    assert [product["id"] for product in kept["products"]] == [each["id"] for each in made]
    assert kept["products"][0]["description"] is None
    assert {entry["type"] for entry in kept["audit"]} >= {"store", "product"}
    assert kept["activities"][0]["type"] == "export_profile"
    assert len(kept["sessions"]) == 1
    assert "Not theirs" not in answer.text
    assert "$2b$" not in answer.text


def test_what_a_buyer_gets_has_no_store(api: Api):
    kept = api.get("/api/users/export", api.buyer()).json
    assert kept["store"] is None
    assert set(kept) == {
        "profile", "sessions", "store", "addresses", "activities", "orders", "payments",
    }  # fmt: skip


def test_an_export_goes_on_past_its_first_batch(api: Api, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("marketplace.resources.user_export.BATCH", 2)
    seller = api.seller()
    for number in range(5):
        api.product(seller, name=f"Kopi {number}")
    kept = json.loads(api.get("/api/users/export", seller).text)
    assert len(kept["products"]) == 5
    assert len({entry["id"] for entry in kept["activities"]}) == len(kept["activities"]) >= 7


def test_who_is_forgotten_is_gone_from_every_table(shop: Shop):
    api, seller = shop.api, shop.seller
    change = {
        "name": f"{MARK} Sari",
        "phone": f"{MARK} 1",
        "address": f"Jalan {MARK}",
        "email": f"{MARK}@example.com",
    }
    assert (
        api.put(
            "/api/users/profile", seller, json={**change, "current_password": PASSWORD}
        ).status_code
        == 200
    )
    api.put("/api/stores/mine", seller, json={"name": f"{MARK} Toko", "description": f"By {MARK}"})
    api.product(seller, name="Teh", description=f"Made by {MARK}")
    assert (
        api.upload("/api/users/upload-avatar", seller, [("avatar", "a", picture())]).status_code
        == 200
    )
    import_id = shop.send(f"name,price,description\nKopi,1,{MARK}\n{MARK},free,\n")
    assert shop.run(import_id)["rows_bad"] == 1
    assert (
        api.delete("/api/users/profile", seller, json={"current_password": PASSWORD}).status_code
        == 204
    )

    problem(api.get("/api/users/profile", seller), 401, "invalid_token")
    refreshed = api.post("/api/auth/refresh", json={"refresh_token": seller.refresh_token})
    problem(refreshed, 401, "invalid_refresh_token")
    login = api.post("/api/auth/login", json={"email": f"{MARK}@example.com", "password": PASSWORD})
    problem(login, 401, "invalid_credentials")
    problem(api.get(f"/api/stores/{seller.store_id}"), 404, "not_found")
    store = api.get(f"/api/stores/{seller.store_id}", api.admin()).json
    assert (store["state"], store["state_reason"]) == ("suspended", "owner")
    assert (store["name"], store["description"]) == (f"Closed store {seller.store_id}", None)

    users.forget(shop.db, seller.id, seller.store_id, shop.config.currency)
    users.forget(shop.db, seller.id, seller.store_id, shop.config.currency)
    assert api.get("/api/products").json["products"] == []
    left = everywhere(api.owner_url, MARK)
    assert left == {}
    with psycopg.connect(api.owner_url, row_factory=dict_row) as conn:
        kept = conn.execute("SELECT before, after FROM audit WHERE type = 'user'").fetchall()
    assert MARK not in str(kept)
    old = everywhere(api.owner_url, seller.email.split("@")[0])
    assert set(old) <= {'jobs."procrastinate_jobs"'}, (
        "the notice to the old address, until it has been sent for a day"
    )
    address = {"name": "New", "email": f"{MARK}@example.com", "password": PASSWORD}
    assert api.post("/api/auth/register", json=address).status_code == 201, (
        "the address is free again"
    )


def test_pictures_of_who_is_forgotten_go_within_a_day(shop: Shop):
    api, seller = shop.api, shop.seller
    assert (
        api.upload("/api/users/upload-avatar", seller, [("avatar", "a", picture())]).status_code
        == 200
    )
    files = of_uploads(shop.config)
    assert list(files.keys(""))
    api.delete("/api/users/profile", seller, json={"current_password": PASSWORD})
    assert images.sweep(shop.db, files, -60)[0] > 0
    assert list(files.keys("")) == []
    assert upkeep.YOUNG + 6 * 3600 <= 86_400


def test_a_closed_stores_products_are_hidden_and_their_documents_true(shop: Shop):
    api, seller = shop.api, shop.seller
    made = [api.product(seller, name=f"Kopi {number}", description="Enak") for number in range(3)]
    other = api.product(api.seller(), name="Teh")
    api.delete("/api/users/profile", seller, json={"current_password": PASSWORD})
    users.forget(shop.db, seller.id, seller.store_id, shop.config.currency)
    assert [each["id"] for each in api.get("/api/products").json["products"]] == [other["id"]]
    problem(api.get(f"/api/products/{made[0]['id']}"), 404, "not_found")
    untrue = [
        found for _, found, _ in product_documents.check(shop.db, shop.config.currency, mend=False)
    ]
    assert not any(each.products() for each in untrue)


def test_nobody_is_forgotten_who_has_not_asked(shop: Shop):
    """The worker's functions look for themselves, whatever the job says."""
    product = shop.api.product(shop.seller, name="Kopi")
    users.forget(shop.db, shop.seller.id, shop.seller.store_id, shop.config.currency)
    assert shop.api.get(f"/api/products/{product['id']}").status_code == 200
    assert shop.value("SELECT count(*) FROM activities WHERE user_id = %s", shop.seller.id) > 0


def test_months_past_their_time_are_dropped(shop: Shop):
    def partitions(parent: str) -> set[str]:
        query = (
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = "
            "%s::regclass"
        )
        return {row["name"] for row in shop.rows(query, parent)}

    with psycopg.connect(shop.api.owner_url) as conn:
        for parent in ("activities", "audit"):
            conn.execute(
                f"CREATE TABLE {parent}_2019_01 PARTITION OF {parent} FOR VALUES FROM "
                "('2019-01-01') TO ('2019-02-01')"
            )
    before: dict[str, Any] = {parent: partitions(parent) for parent in ("activities", "audit")}
    upkeep.run(shop.db, shop.files, of_uploads(shop.config), shop.config)
    for parent, names in before.items():
        assert partitions(parent) == names - {f"{parent}_2019_01"}
