"""The activity log."""

import csv
import io

from conftest import Api
from support.responses import problem


def test_what_a_user_did_is_listed_newest_first(api: Api):
    seller = api.seller()
    product = api.product(seller)
    api.get(f"/api/products/{product['id']}", seller)
    api.get(f"/api/products/{product['id']}", seller)

    rows = api.get("/api/users/activities", seller).json["activities"]

    assert [row["type"] for row in rows] == [
        "view_product",
        "create_product",
        "open_store",
        "register",
    ]
    assert rows[1]["related_name"] == product["name"]
    assert rows[1]["related_id"] == product["id"]


def test_the_log_is_filtered_by_type_and_time(api: Api):
    user = api.buyer()
    today = api.get("/api/users/activities", user).json["activities"][0]["created_at"][:10]

    assert api.get("/api/users/activities", user, params={"type": "login"}).json["activities"] == []
    assert (
        len(
            api.get("/api/users/activities", user, params={"from": today, "to": today}).json[
                "activities"
            ]
        )
        == 1
    )
    assert (
        api.get("/api/users/activities", user, params={"to": "2020-01-01"}).json["total_items"] == 0
    )
    for moment in ("2020-01-01T09:18", "2020-01-01 09:18:00.1Z", "2020-01-01T09:18:00.123456+0700"):
        assert (
            api.get("/api/users/activities", user, params={"from": moment}).json["total_items"] == 1
        )
    problem(
        api.get("/api/users/activities", user, params={"from": "yesterday"}),
        422,
        "validation_failed",
    )


def test_the_log_is_paged_by_cursor(api: Api):
    user = api.seller()
    for number in range(5):
        api.product(user, name=f"Product {number}")
    seen, cursor = [], None
    while True:
        params = {"per_page": 2} | ({"cursor": cursor} if cursor else {})
        page = api.get("/api/users/activities", user, params=params).json
        seen += [row["id"] for row in page["activities"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == 7


def test_nobody_sees_another_users_log(api: Api):
    api.seller()
    rows = api.get("/api/users/activities", api.buyer()).json["activities"]

    assert [row["type"] for row in rows] == ["register"]


def test_the_log_is_exported_as_csv_with_formulas_defused(api: Api):
    seller = api.seller()
    api.product(seller, name="=HYPERLINK(1)")
    answer = api.get("/api/users/export-activities", seller)

    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["type"] for row in rows] == [
        "export_activities",
        "create_product",
        "open_store",
        "register",
    ]
    assert rows[1]["related_name"] == "'=HYPERLINK(1)"


def test_the_log_is_exported_as_json(api: Api):
    user = api.buyer()
    answer = api.get("/api/users/export-activities", user, params={"format": "json"})

    assert [row["type"] for row in answer.json["activities"]] == ["export_activities", "register"]
