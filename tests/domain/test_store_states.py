"""Stores that wait, are stopped, and are let go; by an admin, and with their owners."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from conftest import PASSWORD, Api, User
from support.import_shop import Shop
from support.responses import problem
from support.stock import broken

from marketplace.integrations import mail
from marketplace.queries import stores as store_queries
from marketplace.workflows import stores

STOP = {"state": "suspended", "reason": "Barang tiruan."}


@pytest.fixture
def api(api: Api) -> Iterator[Api]:
    """The API; what must hold does at the end."""
    yield api
    with api.as_owner(api.db.conn) as conn:
        assert broken(conn) == []


def set_state(api: Api, admin: User, store_id: Any, **change: Any):
    return api.patch(f"/api/stores/{store_id}", admin, json=change)


def mails(api: Api) -> list[tuple[str, str, str]]:
    with api.as_owner(api.db.conn) as conn:
        rows = conn.execute(
            "SELECT args FROM jobs.procrastinate_jobs WHERE task_name = 'send_mail' AND args ->> 'kind' LIKE 'store%'"
            " ORDER BY id"
        ).fetchall()
    return [(row["args"]["kind"], row["args"]["email"], row["args"]["language"]) for row in rows]


def suspend(api: Api, admin: User, user: User, suspended: bool) -> None:
    answer = api.patch(f"/api/users/{user.id}", admin, json={"suspended": suspended})
    assert answer.status_code == 200, answer.text


def state(api: Api, admin: User, store_id: Any) -> tuple[str, str | None]:
    store = api.get(f"/api/stores/{store_id}", admin).json
    return store["state"], store["state_reason"]


def test_an_admin_stops_a_store_and_lets_it_go(api: Api):
    seller, admin = api.seller("Toko Sari"), api.admin()
    version = api.get("/api/stores/mine", seller).json["version"]
    stopped = set_state(api, admin, seller.store_id, **STOP).json
    assert (stopped["state"], stopped["state_reason"]) == ("suspended", "Barang tiruan.")
    assert stopped["version"] == version + 1
    for user in (None, seller, api.buyer()):
        problem(api.get(f"/api/stores/{seller.store_id}", user), 404, "not_found")
        assert api.get("/api/stores", user).json["stores"] == []
    mine = api.get("/api/stores/mine", seller).json
    assert (mine["state"], mine["state_reason"]) == ("suspended", "Barang tiruan.")
    assert mine["setup"]["can_sell"] is False
    assert set_state(api, admin, seller.store_id, **STOP).json == stopped
    go = set_state(api, admin, seller.store_id, state="active").json
    assert (go["state"], go["state_reason"], go["version"]) == ("active", None, version + 2)
    assert api.get(f"/api/stores/{seller.store_id}").json["name"] == "Toko Sari"
    assert mails(api) == [
        (f"store_{what}", seller.email, "all") for what in ("suspended", "active")
    ]
    trail = api.get("/api/audit", admin, params={"type": "store", "store_id": seller.store_id}).json
    assert [entry["after"] for entry in trail["audit"][:2]] == [
        {"state": "active", "state_reason": None},
        {"state": "suspended", "state_reason": "Barang tiruan."},
    ]
    log = api.get("/api/users/activities", admin, params={"type": "manage_store"}).json[
        "activities"
    ]
    assert [entry["details"] for entry in log] == [{"state": "active"}, STOP]


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"state": "suspended"}, "/reason", "required"),
        ({"state": "suspended", "reason": "  "}, "/reason", "required"),
        ({"state": "suspended", "reason": "owner"}, "/reason", "not_allowed"),
        ({"state": "suspended", "reason": "x" * 501}, "/reason", "too_long"),
        ({"state": "closed"}, "/state", "not_allowed"),
        ({"reason": "x"}, "/state", "required"),
    ],
)
def test_a_bad_change_of_state_is_refused(api: Api, change: dict, pointer: str, code: str):
    seller = api.seller()
    told = problem(
        set_state(api, api.admin(), seller.store_id, **change), 422, "validation_failed"
    )["errors"]
    assert [(each["pointer"], each["code"]) for each in told] == [(pointer, code)]


def test_only_admins_stop_stores(api: Api):
    seller, admin = api.seller(), api.admin()
    for user in (seller, api.seller(), api.buyer()):
        problem(set_state(api, user, seller.store_id, **STOP), 403, "forbidden")
    problem(set_state(api, admin, 4611686018427387904, **STOP), 404, "not_found")
    stale = api.patch(
        f"/api/stores/{seller.store_id}", admin, json=STOP, headers={"If-Match": '"99-x"'}
    )
    problem(stale, 412, "precondition_failed")


def test_a_store_goes_with_its_owner_and_comes_back_with_them(api: Api):
    seller, admin = api.seller(), api.admin()
    suspend(api, admin, seller, True)
    assert state(api, admin, seller.store_id) == ("suspended", "owner")
    problem(api.get(f"/api/stores/{seller.store_id}"), 404, "not_found")
    problem(api.get("/api/stores/mine", seller), 401, "invalid_token")
    suspend(api, admin, seller, False)
    assert state(api, admin, seller.store_id) == ("active", None)


def test_what_an_admin_said_of_a_store_stays_when_its_owner_is_let_go(api: Api):
    seller, admin = api.seller(), api.admin()
    set_state(api, admin, seller.store_id, **STOP)
    suspend(api, admin, seller, True)
    suspend(api, admin, seller, False)
    assert state(api, admin, seller.store_id) == ("suspended", "Barang tiruan.")
    suspend(api, admin, seller, True)
    # Let go while its owner is not: it waits for them.
    set_state(api, admin, seller.store_id, state="active")
    assert state(api, admin, seller.store_id) == ("suspended", "owner")
    assert [kind for kind, _, _ in mails(api)] == ["store_suspended"]
    suspend(api, admin, seller, False)
    assert state(api, admin, seller.store_id) == ("active", None)


def test_a_store_ends_with_the_account_of_its_owner(api: Api):
    seller, admin = api.seller(), api.admin()
    api.patch("/api/stores/mine", seller, json={"city": "Serang", "whatsapp": "+6281234567890"})
    left = api.delete("/api/users/profile", seller, json={"current_password": PASSWORD})
    assert left.status_code == 204
    closed = api.get(f"/api/stores/{seller.store_id}", admin).json
    assert (closed["state"], closed["state_reason"]) == ("suspended", "owner")
    assert (closed["city"], closed["contact"]) == (None, {"whatsapp": None})
    assert api.get("/api/stores").json["stores"] == []


def test_where_stores_need_approval_a_new_one_waits(api: Api):
    careful = Api(replace(api.config, stores_need_approval=True), api.db, api.owner_url)
    user, admin = careful.register("seller"), careful.admin()
    for path, key in (("/api/stores", None), ("/api/auth/open_store", "brand")):
        who = user if key is None else careful.register("seller")
        answer = careful.post(path, who, json={"name": f"Toko {path[-5:]}", "description": "x"})
        assert answer.status_code == 201, answer.text
        store_id = (answer.json if key is None else answer.json[key])["id"]
        assert careful.get("/api/stores/mine", who).json["state"] == "pending"
        problem(careful.get(f"/api/stores/{store_id}"), 404, "not_found")
        waiting = careful.get("/api/stores", admin, params={"state": "pending"}).json["stores"]
        assert [store["id"] for store in waiting] == [store_id]
        assert set_state(careful, admin, store_id, state="active").json["state"] == "active"
        assert careful.get(f"/api/stores/{store_id}").json["state"] == "active"
    assert [kind for kind, _, _ in mails(api)] == ["store_active", "store_active"]


@pytest.mark.parametrize("kind", ["store_suspended", "store_active"])
def test_the_mail_to_the_owner_is_in_both_languages(api: Api, kind: str):
    message = mail.written(api.config, kind, to="sari@example.com", token="", language="all")
    text = message.get_content()
    assert "Administrator" in text
    assert "An administrator" in text
    assert "/" in message["Subject"]


def read_everywhere(shop: Shop, word: str, brand: int, category: int) -> dict[str, bool]:
    """Where in public reading something of the store is."""
    api, store_id = shop.api, shop.seller.store_id

    def found(path: str, **params: Any) -> bool:
        answer = api.get(path, params=params)
        assert answer.status_code in (200, 404), answer.text
        return word in answer.text.casefold()

    return {
        "list": found("/api/products"),
        "category": found("/api/products", category_id=category),
        "brand": found("/api/products", brand_id=brand),
        "store": found("/api/products", store_id=store_id),
        "search": found("/api/products", search=word),
        "facets": found("/api/products", search="harum", facets="brand"),
        "suggest": found("/api/products/suggest", q=word),
        "stores": found("/api/stores"),
        "store's page": found(f"/api/stores/{store_id}"),
    }


def test_a_stopped_store_is_in_no_public_reading_and_what_was_hidden_stays_hidden(shop: Shop):
    api, admin = shop.api, shop.api.admin()
    word = "zyzzyva"
    api.patch("/api/stores/mine", shop.seller, json={"name": f"Toko {word}"})
    category = api.post("/api/categories", admin, json={"name": "Teh"}).json["id"]
    fields = {"category_id": category, "brand": f"Merek {word}", "description": "harum"}
    shown = api.product(shop.seller, name=f"Teh {word} satu", **fields)
    hidden = api.product(shop.seller, name=f"Teh {word} dua", hidden=True, **fields)["id"]
    with shop.db.working() as conn:
        store_queries.refresh_counts(conn)
    brand = shown["brand_id"]
    before = read_everywhere(shop, word, brand, category)
    assert all(before[where] for where in ("list", "search", "stores", "store's page")), before
    assert api.get(f"/api/stores/{shop.seller.store_id}").json["products"] == 1
    set_state(api, admin, shop.seller.store_id, **STOP)
    at_once = read_everywhere(shop, word, brand, category)
    assert {at_once["stores"], at_once["store's page"]} == {False}
    late = api.product(shop.seller, name=f"Teh {word} tiga", **fields)["id"]
    assert stores.settle(shop.db, shop.config.currency) == 3
    now = read_everywhere(shop, word, brand, category)
    assert not any(now.values()), now
    for product in (shown["id"], hidden, late):
        problem(api.get(f"/api/products/{product}"), 404, "not_found")
    assert word not in api.get("/api/changes").text.casefold()
    set_state(api, admin, shop.seller.store_id, state="active")
    assert stores.settle(shop.db, shop.config.currency) == 3
    assert read_everywhere(shop, word, brand, category) == before
    assert api.get(f"/api/products/{shown['id']}").status_code == 200
    problem(api.get(f"/api/products/{hidden}"), 404, "not_found")
    with shop.db.working() as conn:
        assert broken(conn) == []
