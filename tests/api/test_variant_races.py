"""Variants that are written at the same time: one of two, or both, and never half of one."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from conftest import Api, User
from psycopg.rows import dict_row
from support.responses import problem
from support.shirts import made, read, variants
from support.stock import broken

NEW = {"options": ["Hijau", "M"], "price": "70000", "stock": 2}


@pytest.fixture
def seller(committed: Api) -> User:
    return committed.seller()


def at_once(api: Api, user: User, *calls: tuple[str, str, Any, dict[str, str]]) -> list[Any]:
    """The answers to calls that start together; afterwards all that must always be so is so."""
    with ThreadPoolExecutor(len(calls)) as pool:
        running = [
            pool.submit(api.request, method, path, user, json=body, headers=headers)
            for method, path, body, headers in calls
        ]
        answers = [each.result() for each in running]
    with psycopg.connect(api.owner_url, row_factory=dict_row) as conn:
        assert broken(conn) == []
    return answers


def test_of_twins_that_create_the_same_variant_one_is_made(committed: Api, seller: User):
    shirt = made(committed, seller)
    path = f"/api/products/{shirt['id']}/variants"
    for number in range(8):
        body = {**NEW, "options": [f"Warna {number}", "M"]}
        answers = at_once(committed, seller, *[("POST", path, body, {})] * 4)
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
        for answer in answers:
            if answer.status_code == 409:
                problem(answer, 409, "duplicate_options")
    assert read(committed, shirt["id"])["variant_count"] == 11


def test_twins_with_one_key_make_one_variant(committed: Api, seller: User):
    shirt = made(committed, seller)
    path = f"/api/products/{shirt['id']}/variants"
    key = {"Idempotency-Key": "hijau"}
    answers = at_once(committed, seller, *[("POST", path, NEW, key)] * 4)

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json["id"] for answer in answers if answer.status_code == 201}) == 1
    for answer in answers:
        if answer.status_code == 409:
            problem(answer, 409, "request_in_progress")
    assert read(committed, shirt["id"])["variant_count"] == 4


def test_of_two_editors_with_one_tag_one_is_told(committed: Api, seller: User):
    shirt = made(committed, seller)
    path = f"/api/products/{shirt['id']}"
    red, large, _ = (row["id"] for row in shirt["variants"])
    for number in range(6):
        tag = {"If-Match": committed.get(path, seller).headers["ETag"]}
        answers = at_once(
            committed,
            seller,
            ("PATCH", f"{path}/variants/{red}", {"price": str(50000 + number)}, tag),
            ("PATCH", f"{path}/variants/{large}", {"stock": 20 + number}, tag),
            ("PATCH", path, {"variants": [{"id": red}, {"id": large, "price": str(9000 + number)}]}, tag),
        )  # fmt: skip
        assert sorted(answer.status_code for answer in answers) == [200, 412, 412]


def test_stock_that_moves_while_a_variant_comes_is_not_lost(committed: Api, seller: User):
    shirt = made(committed, seller)
    path = f"/api/products/{shirt['id']}"
    red = shirt["variants"][0]["id"]
    for number in range(8):
        rows = [{"product_id": shirt["id"], "variant_id": red, "change": 1}]
        key = {"Idempotency-Key": f"change-{number}"}
        answers = at_once(
            committed,
            seller,
            ("POST", f"{path}/variants", {**NEW, "options": [str(number), "M"]}, {}),
            ("POST", "/api/stores/mine/stock", {"rows": rows}, key),
            ("PATCH", path, {"name": f"Kaus {number}"}, {}),
        )
        assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert variants(committed, shirt["id"])[0]["stock"] == shirt["variants"][0]["stock"] + 8
    assert read(committed, shirt["id"])["variant_count"] == 11
