"""How stores send: what they set, what everybody sees, and what it costs."""

from decimal import Decimal

import pytest
from conftest import Api, User
from support.responses import problem

MINE = "/api/stores/mine/delivery-options"
FLAT = {"name": "Kurir toko", "pricing": "flat", "price": "9000"}
WEIGHT = {"name": "JNE Reguler", "pricing": "weight", "price": "2000", "per_kg": "7000.00"}
RATES = [
    {"area": "ID", "up_to_grams": 1000, "price": "20000.00"},
    {"area": "36", "up_to_grams": 1000, "price": "12000.00"},
    {"area": "36", "up_to_grams": 5000, "price": "30000.00"},
    {"area": "36.73", "up_to_grams": 1000, "price": "8000.00"},
]
TABLE = {"name": "Kargo", "pricing": "table", "rates": RATES}


def add(api: Api, user: User, body: dict, **query) -> dict:
    answer = api.post(MINE, user, json=body, params=query)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"{MINE}/{answer.json['id']}"
    return answer.json


def price(
    api: Api, user: User, option: dict, grams: int, items: str, *, to: str = "36.73.06", land="ID"
) -> Decimal | None:
    with api.as_owner(api.db.conn) as conn:
        values = [user.store_id, option["id"], land, to, grams, Decimal(items)]
        row = conn.execute(
            "SELECT delivery_price(%s, %s, %s, %s, %s, %s) AS price", values
        ).fetchone()
    return row["price"]


def test_a_store_sets_how_it_sends_and_everybody_sees_it(api: Api):
    seller = api.seller()
    slow = add(api, seller, {**TABLE, "position": 2})
    quick = add(api, seller, {**FLAT, "cod": True, "days_min": 1, "days_max": 3, "position": 1})
    assert slow["rates"] == sorted(RATES, key=lambda rate: (rate["area"], rate["up_to_grams"]))
    path = f"/api/stores/{seller.store_id}/delivery-options"
    offered = api.get(path).json["delivery_options"]
    assert [option["id"] for option in offered] == [quick["id"], slow["id"]]
    assert (offered[0]["cod"], offered[0]["days_max"], "rates" in offered[0]) == (True, 3, False)
    assert api.delete(f"{MINE}/{quick['id']}", seller).status_code == 204
    assert [option["id"] for option in api.get(path).json["delivery_options"]] == [slow["id"]]
    mine = api.get(MINE, seller).json["delivery_options"]
    assert [(option["id"], option["active"]) for option in mine] == [
        (slow["id"], True),
        (quick["id"], False),
    ]
    problem(api.get("/api/stores/4611686018427387904/delivery-options"), 404, "not_found")
    assert api.get(f"/api/stores/{api.seller().store_id}/delivery-options").json == {
        "delivery_options": []
    }


def test_an_option_is_replaced_with_its_rates(api: Api):
    seller = api.seller()
    option = add(api, seller, TABLE)
    path = f"{MINE}/{option['id']}"
    fewer = {**option, "rates": RATES[:1], "active": False}
    changed = api.put(path, seller, json=fewer, headers={"If-Match": '"1-x"'})
    assert (changed.status_code, changed.json["rates"]) == (200, RATES[:1])
    problem(
        api.put(path, seller, json=fewer, headers={"If-Match": '"1-x"'}), 412, "precondition_failed"
    )
    assert api.put(path, seller, json=FLAT).json["rates"] == []
    other = api.seller()
    problem(api.put(path, other, json=FLAT), 404, "not_found")
    problem(api.delete(path, other), 404, "not_found")


def test_what_it_costs(api: Api):
    seller = api.seller()
    flat = add(
        api, seller, {**FLAT, "free_from": "100000", "max_grams": 2000, "areas": ["36", "SG"]}
    )
    assert price(api, seller, flat, 2000, "99999.99") == 9000
    assert price(api, seller, flat, 2000, "100000") == 0
    assert price(api, seller, flat, 2001, "100000") is None
    assert price(api, seller, flat, 1, "1", to="31.71") is None
    assert price(api, seller, flat, 1, "1", to=None, land="SG") == 9000
    weight = add(api, seller, WEIGHT)
    assert [price(api, seller, weight, grams, "1") for grams in (0, 1, 1000, 1001, 3000)] == [
        9000, 9000, 9000, 16000, 23000,
    ]  # fmt: skip
    pickup = add(api, seller, {"name": "Ambil sendiri", "pricing": "pickup"})
    assert price(api, seller, pickup, 10**6, "1") == 0
    api.delete(f"{MINE}/{pickup['id']}", seller)
    assert price(api, seller, pickup, 1, "1") is None


def test_a_table_takes_the_longest_area_and_the_next_weight(api: Api):
    seller = api.seller()
    table = add(api, seller, {**TABLE, "free_from": "500000"})
    asked = [
        ("36.73.06", 1000, 8000),
        ("36.73.06", 1001, 30000),
        ("36.73.06", 5001, None),
        ("36.04", 900, 12000),
        ("31.71", 900, 20000),
        (None, 900, 20000),
    ]
    for area, grams, wanted in asked:
        assert price(api, seller, table, grams, "1", to=area) == wanted, (area, grams)
    assert price(api, seller, table, 1000, "500000") == 0
    assert price(api, seller, table, 5001, "500000") is None  # free where it goes, not elsewhere
    assert price(api, seller, table, 1, "500000", to=None, land="SG") is None


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"pricing": "magic"}, "/pricing"),
        ({"price": "-1"}, "/price"),
        ({"price": "NaN"}, "/price"),
        ({"per_kg": "1.001"}, "/per_kg"),
        ({"max_grams": 0}, "/max_grams"),
        ({"areas": ["banten"]}, "/areas/0"),
        ({"days_min": 1}, "/days_max"),
        ({"days_min": 3, "days_max": 2}, "/days_max"),
        ({"days_min": 1, "days_max": 91}, "/days_max"),
        ({"rates": RATES}, "/rates"),
        ({"pricing": "table"}, "/rates"),
        ({"pricing": "table", "rates": [RATES[0], RATES[0]]}, "/rates"),
        ({"pricing": "table", "rates": [{**RATES[0], "up_to_grams": 0}]}, "/rates/0/up_to_grams"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_a_wrong_option_is_refused_by_its_field(api: Api, change: dict, pointer: str):
    answer = api.post(MINE, api.seller(), json={**FLAT, **change})
    assert problem(answer, 422, "validation_failed")["errors"][0]["pointer"] == pointer


def test_an_admin_names_the_store(api: Api):
    seller, admin = api.seller(), api.admin()
    problem(api.post(MINE, admin, json=FLAT), 409, "store_required")
    option = add(api, admin, FLAT, store_id=seller.store_id)
    assert api.get(MINE, seller).json["delivery_options"] == [option]
    nowhere = {"store_id": 2**62}
    answer = api.post(MINE, admin, json=FLAT, params=nowhere)
    assert problem(answer, 422, "validation_failed")["errors"][0]["pointer"] == "/store_id"
    problem(api.post(MINE, api.seller(), json=FLAT, params=nowhere), 404, "not_found")


def test_what_was_offered_is_in_the_audit_trail(api: Api):
    seller = api.seller()
    option = add(api, seller, FLAT)
    dearer = {**FLAT, "price": "10000", "free_from": "50000"}
    api.put(f"{MINE}/{option['id']}", seller, json=dearer)
    trail = api.get("/api/audit", seller, params={"type": "delivery_option"}).json["audit"]
    assert [(entry["action"], entry["thing_id"]) for entry in trail] == [
        ("update", option["id"]),
        ("create", option["id"]),
    ]
    assert trail[0]["before"] == {"price": "9000.00", "free_from": None}
    assert trail[0]["after"] == {"price": "10000.00", "free_from": "50000.00"}
    assert (trail[1]["after"]["price"], trail[1]["after"]["per_kg"]) == ("9000.00", "0.00")


def test_a_store_offers_a_hundred_ways_at_most(api: Api, monkeypatch: pytest.MonkeyPatch):
    from marketplace.workflows import delivery_options as workflow

    monkeypatch.setattr(workflow, "MOST", 1)
    seller = api.seller()
    first = add(api, seller, FLAT)
    problem(api.post(MINE, seller, json=FLAT), 422, "validation_failed")
    closed = add(api, seller, {**FLAT, "active": False})
    problem(api.put(f"{MINE}/{closed['id']}", seller, json=FLAT), 422, "validation_failed")
    api.delete(f"{MINE}/{first['id']}", seller)
    assert api.put(f"{MINE}/{closed['id']}", seller, json=FLAT).status_code == 200
