"""Buying as somebody who means harm, or whose phone does: twins at the same instant, tokens that have
ended, bodies that are broken, and things of others.
"""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from conftest import Api, User
from support.buying import buyer, key, opened, place, put, quote, seller, try_to_place, upload
from support.responses import problem
from support.stock import broken

CALLS = ("/api/checkout/quote", "/api/checkouts")


@pytest.fixture
def shop(config, shared_database: str) -> Iterator[Api]:
    with opened(config, shared_database) as api:
        yield api


def at_once(calls: list[Any]) -> Counter[str]:
    """What became of calls at the same instant: status and code of each."""
    with ThreadPoolExecutor(len(calls)) as pool:
        answers = [each.result() for each in [pool.submit(call) for call in calls]]
    return Counter(f"{each.status_code} {each.json.get('code', '')}".strip() for each in answers)


def sound(api: Api) -> None:
    with psycopg.connect(api.owner_url) as conn:
        assert broken(conn) == []


def test_twins_with_keys_of_their_own_place_a_cart_once(committed: Api):
    buys, sells = buyer(committed), seller(committed)
    put(committed, buys, (committed.product(sells, stock=50)["id"], 1))
    tries = [lambda: try_to_place(committed, buys, "cod", expected_total="94000")] * 8
    assert at_once(tries) == {"201": 1, "409 cart_empty": 7}
    sound(committed)


def test_a_payment_that_is_changed_from_all_sides_is_open_once(committed: Api):
    buys, sells = buyer(committed), seller(committed)
    put(committed, buys, (committed.product(sells)["id"], 1))
    placed = place(committed, buys)
    path = f"/api/checkouts/{placed['id']}"

    def change() -> Any:
        body = {"method": "transfer"}
        return committed.post(f"{path}/payments", buys, json=body, headers=key())

    def cancel() -> Any:
        return committed.post(f"{path}/cancel", buys, json={})

    found = at_once([change, change, cancel, change, cancel, change])
    assert found["200"] + found["201"] >= 2
    assert set(found) <= {"200", "201", "409 not_payable"}
    with psycopg.connect(committed.owner_url) as conn:
        states = conn.execute("SELECT state FROM payments ORDER BY id").fetchall()
    assert {state for (state,) in states} == {"cancelled"}
    sound(committed)


def test_what_is_confirmed_and_cancelled_at_once_is_one_of_the_two(committed: Api):
    buys, sells, admin = buyer(committed), seller(committed), committed.admin()
    product = committed.product(sells, stock=20)["id"]
    for _ in range(6):
        placed = place(
            committed, buys, lines=[{"product_id": product, "quantity": 1}], buy_now=True
        )
        payment = f"/api/payments/{placed['payments'][0]['id']}"

        def confirm(path: str = payment) -> Any:
            body = {"received": "94000"}
            return committed.post(f"{path}/confirm", admin, json=body, headers=key())

        def cancel(checkout: int = placed["id"]) -> Any:
            return committed.post(f"/api/checkouts/{checkout}/cancel", buys, json={})

        at_once([confirm, cancel, confirm])
        seen = committed.get(f"/api/checkouts/{placed['id']}", buys).json
        with psycopg.connect(committed.owner_url) as conn:
            refunds = conn.execute(
                "SELECT count(*) FROM refunds WHERE payment_id = %s", [placed["payments"][0]["id"]]
            ).fetchone()
        assert (seen["state"], refunds) in (("settled", (0,)), ("cancelled", (1,)))
    sound(committed)


def test_nobody_and_whoever_has_gone_buys_nothing(shop: Api):
    buys, admin = buyer(shop), shop.admin()
    put(shop, buys, (shop.product(seller(shop))["id"], 1))
    body = {"expected_total": "94000", "payment": {"method": "cod"}}
    for path in CALLS:
        problem(shop.post(path, json=body, headers=key()), 401, "unauthorized")
    shop.patch(f"/api/users/{buys.id}", admin, json={"suspended": True})
    for path in CALLS:
        problem(shop.post(path, buys, json=body, headers=key()), 401, "invalid_token")


BROKEN = [
    (b'{"expected_total": "94000", "payment": {"meth', 400),
    (b"[]", 422),
    (b'{"lines": [' + b'{"product_id": 1, "quantity": 1},' * 100 + b"]}", 400),
    (json.dumps({"lines": [{"product_id": 1, "quantity": 1}] * 101}).encode(), 422),
    (json.dumps({"lines": [{"product_id": n, "quantity": 600} for n in (1, 1)], "buy_now": True}).encode(), 422),
    (json.dumps({"lines": [{"product_id": -1, "quantity": 1}]}).encode(), 422),
    (json.dumps({"lines": [{"product_id": 10**30, "quantity": 1}]}).encode(), 400),
    (json.dumps({"lines": [{"product_id": 2**63, "quantity": 1}]}).encode(), 422),
    (json.dumps({"lines": [{"product_id": 1, "variant_id": 0, "quantity": True}]}).encode(), 422),
    (json.dumps({"orders": [{"store_id": 1, "note": "x" * 501}]}).encode(), 422),
    (json.dumps({"orders": [{"store_id": 1, "note": "a\u0000b"}]}).encode(), 422),
    (json.dumps({"orders": [{"store_id": 1}] * 21}).encode(), 422),
    (json.dumps({"vouchers": [["A"]]}).encode(), 422),
    (json.dumps({"vouchers": ["A" * 21]}).encode(), 422),
    (b'{"vouchers": ' + b"[" * 5000 + b"]" * 5000 + b"}", 400),
    (b'{"note": "' + b"x" * 2_000_000 + b'"}', 413),
    (b'{"address_id": 1, "address_id": 2}', 400),
    (b'{"expected_total": NaN}', 400),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_a_broken_body_is_refused_and_nothing_is_written(shop: Api, number: int):
    body, status = BROKEN[number]
    buys = buyer(shop)
    for path in CALLS:
        headers = {**key(), "Content-Type": "application/json"}
        answer = shop.post(path, buys, body=body, headers=headers)
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    "total", ["-1", "1e400", "NaN", "94000.001", "", "١٢٣", [], {}, True, None]
)
def test_a_total_that_is_no_amount_is_refused(shop: Api, total: Any):
    buys = buyer(shop)
    put(shop, buys, (shop.product(seller(shop))["id"], 1))
    body = {"expected_total": total, "payment": {"method": "cod"}}
    found = problem(
        shop.post("/api/checkouts", buys, json=body, headers=key()), 422, "validation_failed"
    )
    assert found["errors"][0]["pointer"] == "/expected_total"


def test_things_of_others_are_not_there(shop: Api):
    buys, thief = buyer(shop), buyer(shop)
    put(shop, buys, (shop.product(seller(shop))["id"], 1))
    placed = place(shop, buys)
    checkout, payment = f"/api/checkouts/{placed['id']}", placed["payments"][0]["id"]
    tries: list[tuple[str, str, Any]] = [
        ("GET", checkout, None),
        ("POST", f"{checkout}/cancel", {}),
        ("POST", f"{checkout}/payments", {"method": "transfer"}),
        ("GET", f"/api/payments/{payment}", None),
        ("GET", f"/api/payments/{payment}/proof", None),
        ("GET", f"/api/payments/{payment}/qris", None),
        ("POST", f"/api/payments/{payment}/proof", {"upload": upload(shop, thief)}),
    ]
    for user in (thief, shop.seller()):
        for method, path, body in tries:
            options = {} if body is None else {"json": body, "headers": key()}
            problem(shop.request(method, path, user, **options), 404, "not_found")
    assert shop.get(checkout, buys).json == placed
    assert shop.get("/api/checkouts", thief).json["checkouts"] == []


def test_a_list_and_a_checkout_that_are_known_are_not_sent_again(shop: Api):
    buys = buyer(shop)
    put(shop, buys, (shop.product(seller(shop))["id"], 1))
    checkout = f"/api/checkouts/{place(shop, buys)['id']}"
    for path in ("/api/checkouts", "/api/checkouts?state=unpaid", checkout):
        seen = shop.get(path, buys)
        known = {"If-None-Match": seen.headers["etag"]}
        assert shop.get(path, buys, headers=known).status_code == 304
    before = {path: shop.get(path, buys).headers["etag"] for path in ("/api/checkouts", checkout)}
    shop.post(f"{checkout}/cancel", buys, json={})
    for path, tag in before.items():
        assert shop.get(path, buys, headers={"If-None-Match": tag}).status_code == 200


def test_the_mails_of_what_is_placed_and_paid_leave_soon(shop: Api):
    def waiting() -> int:
        with shop.as_owner(shop.db.conn) as conn:
            row = conn.execute(
                "WITH gone AS (DELETE FROM jobs.procrastinate_jobs WHERE task_name = 'tell' RETURNING 1)"
                " SELECT count(*) AS jobs FROM gone"
            ).fetchone()
        return int(row["jobs"])

    def steps(buys: User, admin: User) -> Iterator[Any]:
        placed = place(shop, buys)
        yield placed
        payment = f"/api/payments/{placed['payments'][0]['id']}"
        proof = {"upload": upload(shop, buys)}
        yield shop.post(f"{payment}/proof", buys, json=proof)
        yield shop.post(f"{payment}/refuse", admin, json={"reason": "not_received"})
        paid = {"received": "94000"}
        yield shop.post(f"{payment}/confirm", admin, json=paid, headers=key())

    buys = buyer(shop)
    put(shop, buys, (shop.product(seller(shop))["id"], 1))
    assert quote(shop, buys)["problems"] == []
    waiting()
    assert [waiting() for _ in steps(buys, shop.admin())] == [1, 1, 1, 1]
