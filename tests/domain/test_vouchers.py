"""Vouchers as stores and admins set them up."""

import pytest
from conftest import Api, User
from support.responses import problem

from marketplace.workflows import vouchers as workflow

MINE = "/api/stores/mine/vouchers"
PLATFORM = "/api/vouchers"
TEN = {"code": "HEMAT10", "name": "Hemat 10 %", "gives": "percent", "value": "10"}


def add(api: Api, user: User, path: str = MINE, **fields) -> dict:
    answer = api.post(path, user, json={**TEN, **fields})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"{path}/{answer.json['id']}"
    return answer.json


def test_a_store_adds_a_voucher_and_lists_its_own(api: Api):
    seller, other, admin = api.seller(), api.seller(), api.admin()
    first = add(api, seller, quota=13, max_discount="20000", product_ids=[63])
    assert (first["used"], first["per_buyer"], first["listed"], first["active"]) == (
        0,
        1,
        True,
        True,
    )
    assert (first["value"], first["max_discount"], first["product_ids"]) == (
        "10.00",
        "20000.00",
        [63],
    )
    second = add(api, seller, code="HEMAT11")
    listed = api.get(MINE, seller, params={"per_page": 1}).json
    assert [voucher["id"] for voucher in listed["vouchers"]] == [second["id"]]
    rest = api.get(MINE, seller, params={"per_page": 1, "cursor": listed["next_cursor"]}).json
    assert rest["vouchers"] == [first]
    assert api.get(MINE, other).json["vouchers"] == []
    assert api.get(PLATFORM, admin).json["vouchers"] == []
    of_store = {"store_id": seller.store_id}
    assert len(api.get(MINE, admin, params=of_store).json["vouchers"]) == 2


def test_the_platform_has_vouchers_of_its_own(api: Api):
    admin, seller = api.admin(), api.seller()
    voucher = add(api, admin, PLATFORM, gives="free_delivery", value="0", code="ONGKIR")
    assert voucher["store_id"] is None
    closed = api.patch(f"{PLATFORM}/{voucher['id']}", admin, json={"active": False})
    assert (closed.json["active"], closed.json["version"]) == (False, 2)
    assert api.get(PLATFORM, admin, params={"active": "true"}).json["vouchers"] == []
    assert api.get(PLATFORM, admin, params={"active": "false"}).json["vouchers"] == [closed.json]
    problem(api.patch(f"{MINE}/{voucher['id']}", seller, json={"active": True}), 404, "not_found")
    mine = add(api, seller)
    problem(api.patch(f"{PLATFORM}/{mine['id']}", admin, json={"active": False}), 404, "not_found")


def test_a_code_means_one_thing(api: Api):
    add(api, api.seller())
    problem(api.post(MINE, api.seller(), json=TEN), 409, "code_taken")
    problem(api.post(PLATFORM, api.admin(), json=TEN), 409, "code_taken")


def test_what_a_voucher_gives_never_changes(api: Api):
    seller = api.seller()
    voucher = add(api, seller)
    path = f"{MINE}/{voucher['id']}"
    changed = api.patch(
        path, seller, json={**voucher, "name": "Lain", "value": "99", "code": "XYZ"}
    )
    assert (changed.json["name"], changed.json["value"], changed.json["code"]) == (
        "Lain",
        "10.00",
        "HEMAT10",
    )
    stale = api.patch(path, seller, json={"quota": 5}, headers={"If-Match": '"1-x"'})
    problem(stale, 412, "precondition_failed")
    problem(api.patch(path, api.seller(), json={"quota": 5}), 404, "not_found")


def test_a_quota_is_not_below_what_is_used(api: Api):
    seller = api.seller()
    voucher = add(api, seller)
    with api.as_owner(api.db.conn) as conn:
        conn.execute("UPDATE vouchers SET used = 3 WHERE id = %s", [voucher["id"]])
    path = f"{MINE}/{voucher['id']}"
    problem(api.patch(path, seller, json={"quota": 2}), 409, "voucher_used_up")
    assert api.patch(path, seller, json={"quota": 3}).json["used"] == 3


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"code": "ab"}, "/code"),
        ({"code": "hemat10"}, "/code"),
        ({"code": "HEMAT10\n"}, "/code"),
        ({"gives": "money"}, "/gives"),
        ({"value": "100.01"}, "/value"),
        ({"value": "-1"}, "/value"),
        ({"max_discount": "0"}, "/max_discount"),
        ({"quota": 0}, "/quota"),
        ({"per_buyer": 0}, "/per_buyer"),
        ({"product_ids": []}, "/product_ids"),
        ({"product_ids": ["x"]}, "/product_ids/0"),
        ({"starts_at": "2026-12-02", "ends_at": "2026-12-01"}, "/ends_at"),
        ({"ends_at": "2020-01-01"}, "/ends_at"),
        ({"name": " "}, "/name"),
    ],
)
def test_a_wrong_voucher_is_refused_by_its_field(api: Api, change: dict, pointer: str):
    answer = api.post(MINE, api.seller(), json={**TEN, **change})
    assert problem(answer, 422, "validation_failed")["errors"][0]["pointer"] == pointer


def test_so_many_are_open_at_a_time(api: Api, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workflow, "MOST", 1)
    seller = api.seller()
    first = add(api, seller)
    problem(api.post(MINE, seller, json={**TEN, "code": "LAIN"}), 422, "validation_failed")
    api.patch(f"{MINE}/{first['id']}", seller, json={"active": False})
    add(api, seller, code="LAIN")
    again = api.patch(f"{MINE}/{first['id']}", seller, json={"active": True})
    problem(again, 422, "validation_failed")


def test_a_voucher_is_in_the_audit_trail_and_its_uses_are_not(api: Api):
    seller = api.seller()
    voucher = add(api, seller, max_discount="20000", starts_at="2026-12-01T00:00:00Z")
    path = f"{MINE}/{voucher['id']}"
    api.patch(path, seller, json={"active": False, "listed": False, "min_total": "50000"})
    trail = api.get("/api/audit", seller, params={"type": "voucher"}).json["audit"]
    assert [entry["action"] for entry in trail] == ["update", "create"]
    assert trail[0]["before"] == {"active": True, "listed": True, "min_total": "0.00"}
    assert trail[0]["after"] == {"active": False, "listed": False, "min_total": "50000.00"}
    said = trail[1]["after"]
    assert (said["value"], said["max_discount"], said["min_total"], said["starts_at"]) == (
        "10.00",
        "20000.00",
        "0.00",
        "2026-12-01T00:00:00Z",
    )
