"""Many products changed at once."""

from typing import Any

import pytest
from conftest import Api, User
from support.responses import problem
from support.stock import add_variants, broken

from marketplace.workflows import product_documents

PRODUCTS = "/api/stores/mine/products"


@pytest.fixture(autouse=True)
def all_that_must_hold(api: Api):
    yield
    with api.as_owner(api.db.conn) as conn:
        assert broken(conn) == []
        ids = [row["id"] for row in conn.execute("SELECT id FROM products").fetchall()]
        wrong = product_documents.refresh(conn, ids, api.config.currency)
        assert wrong.products() == []


def send(api: Api, user: User, *rows: dict, **options: Any):
    headers = {"Idempotency-Key": options.pop("key")} if "key" in options else {}
    headers["Accept-Language"] = options.pop("language", "en")
    return api.patch(PRODUCTS, user, json={"rows": list(rows), **options}, headers=headers)


def outcomes(answer) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["outcome"] for row in answer.json["rows"]]


def find(api: Api, user: User, product: int) -> dict:
    return api.get(f"/api/products/{product}", user).json


def with_variants(api: Api, user: User, *quantities: int) -> tuple[int, list[int]]:
    product = api.product(user, stock=quantities[0])["id"]
    with api.as_owner(api.db.conn) as conn:
        ids = add_variants(conn, product, quantities)
        conn.execute("UPDATE variants SET sku = 'TS-' || id WHERE product_id = %s", [product])
        product_documents.refresh(conn, [product], api.config.currency)
    return product, ids


def test_each_row_says_what_changed(api: Api):
    seller = api.seller()
    category = api.post("/api/categories", api.admin(), json={"name": "Teh"}).json["id"]
    first = api.product(seller, price="90000", stock=5, sku="K-1")
    second = api.product(seller, price="1000")
    rows = [
        {"product_id": first["id"], "price": "85000", "stock": 7, "expected_version": first["version"]},
        {"product_id": second["id"], "price": "900", "expected_version": second["version"] + 3},
        {"sku": "K-1", "price": 1},
        {"product_id": 4611686018427387904, "hidden": True},
    ]  # fmt: skip
    answer = send(api, seller, *rows).json
    assert (answer["done"], answer["unchanged"], answer["failed"]) == (1, 0, 3)
    assert answer["rows"] == [
        {
            "row": 0, "outcome": "done", "product_id": first["id"], "variant_id": None,
            "version": first["version"] + 1, "before": {"price": "90000.00", "stock": 5},
            "after": {"price": "85000.00", "stock": 7},
        },
        {"row": 1, "outcome": "version_conflict", "product_id": second["id"], "variant_id": None,
         "version": second["version"]},
        {"row": 2, "outcome": "duplicate_row", "product_id": first["id"], "variant_id": None,
         "version": first["version"] + 1},
        {"row": 3, "outcome": "not_found", "product_id": 4611686018427387904, "variant_id": None,
         "version": None},
    ]  # fmt: skip
    now = find(api, seller, first["id"])
    assert (now["price"], now["stock"], now["version"]) == ("85000.00", 7, first["version"] + 1)
    assert outcomes(send(api, seller, {"product_id": second["id"], "category_id": category})) == [
        "done"
    ]
    assert find(api, seller, second["id"])["category"]["name"] == "Teh"
    shown = api.get("/api/products", params={"category_id": category}).json["products"]
    assert [row["id"] for row in shown] == [second["id"]]
    log = api.get("/api/users/activities", seller, params={"type": "update_products"}).json
    assert [entry["details"] for entry in log["activities"]] == [{"rows": 1}] * 2
    trail = api.get("/api/audit", seller, params={"type": "product", "id": first["id"]}).json[
        "audit"
    ]
    assert {"price": "85000.00"} in [entry["after"] for entry in trail]


def test_what_is_so_already_is_unchanged_before_versions_are_judged(api: Api):
    seller = api.seller()
    product = api.product(seller, price="90000", stock=5)
    row = {
        "product_id": product["id"], "price": "85000", "stock": 6, "hidden": False, "category_id": None,
        "expected_version": product["version"], "expected_stock": 5,
    }  # fmt: skip
    assert outcomes(send(api, seller, row)) == ["done"]
    version = find(api, seller, product["id"])["version"]
    assert outcomes(send(api, seller, row)) == ["unchanged"]
    assert outcomes(send(api, seller, {**row, "price": "1"})) == ["version_conflict"]
    only = {"product_id": product["id"], "stock": 9, "expected_stock": 5}
    assert outcomes(send(api, seller, only)) == ["precondition_failed"]
    assert find(api, seller, product["id"])["version"] == version


def test_stock_alone_leaves_the_version(api: Api):
    seller = api.seller()
    product = api.product(seller, stock=5)
    assert outcomes(send(api, seller, {"product_id": product["id"], "stock": 0})) == ["done"]
    now = find(api, seller, product["id"])
    assert (now["version"], now["stock"], now["in_stock"]) == (product["version"], 0, False)


def test_a_dry_run_says_the_same_and_changes_nothing(api: Api):
    seller = api.seller()
    product = api.product(seller, price="90000", stock=5)
    rows = [
        {"product_id": product["id"], "price": "85000", "hidden": True},
        {"product_id": 9, "price": "1"},
    ]
    dry = send(api, seller, *rows, dry_run=True, mode="all").json
    assert find(api, seller, product["id"]) == {**product, "description": None}
    done = send(api, seller, *rows).json
    assert (dry["dry_run"], done["dry_run"]) == (True, False)
    for row in (dry["rows"][0], done["rows"][0]):
        version = row.pop("version")
        assert version == product["version"] + (row is done["rows"][0])
    assert dry["rows"] == done["rows"]


def test_all_or_none_and_the_key(api: Api):
    seller = api.seller()
    product = api.product(seller, price="90000")
    rows = [{"product_id": product["id"], "price": "1"}, {"sku": "?", "price": "1"}]
    refused = problem(send(api, seller, *rows, mode="all", key="k"), 409, "batch_refused")
    assert [row["outcome"] for row in refused["rows"]] == ["done", "not_found"]
    assert find(api, seller, product["id"])["price"] == "90000.00"
    first = send(api, seller, rows[0], mode="all", key="k")
    again = send(api, seller, rows[0], mode="all", key="k")
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    problem(send(api, seller, rows[0], mode="each", key="k"), 422, "idempotency_key_reused")


def test_variants_have_their_own(api: Api):
    seller = api.seller()
    product, kinds = with_variants(api, seller, 3, 4, 5)
    answer = send(
        api,
        seller,
        {"product_id": product, "variant_id": kinds[0], "price": "95000", "price_before": "99000"},
        {"sku": f"TS-{kinds[1]}", "stock": 9, "price": "70000"},
        {"product_id": product, "variant_id": kinds[2], "hidden": True},
    )
    assert outcomes(answer) == ["done"] * 3
    assert [row["after"] for row in answer.json["rows"]] == [
        {"price": "95000.00", "price_before": "99000.00"},
        {"price": "70000.00", "stock": 9},
        {"hidden": True},
    ]
    assert len({row["version"] for row in answer.json["rows"]}) == 1
    now = find(api, seller, product)
    assert (now["price"], now["stock"]) == ("70000.00", 12)
    assert outcomes(
        send(api, seller, {"product_id": product, "variant_id": 4611686018427387904, "price": "1"})
    ) == ["not_found"]


def test_a_product_with_variants_has_no_price_or_stock_to_set(api: Api):
    seller = api.seller()
    product, kinds = with_variants(api, seller, 3, 4)
    same = {"product_id": product, "price": "85000.00", "stock": 7}
    assert outcomes(send(api, seller, same)) == ["unchanged"]
    answer = send(
        api, seller,
        {**same, "price": "1", "stock": 1},
        {"product_id": product, "variant_id": kinds[0], "category_id": None, "min_quantity": 2},
    )  # fmt: skip
    assert outcomes(answer) == ["invalid", "invalid"]
    told = [
        (error["pointer"], error["code"], error["product_id"], error["variant_id"])
        for row in answer.json["rows"]
        for error in row["errors"]
    ]
    assert sorted(told) == [
        ("/rows/0/price", "has_variants", product, None),
        ("/rows/0/stock", "has_variants", product, None),
        ("/rows/1/category_id", "not_allowed", product, kinds[0]),
        ("/rows/1/min_quantity", "not_allowed", product, kinds[0]),
    ]


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"price_before": "90000"}, "price_before", "price_before_too_low"),
        ({"price": "91000", "price_before": "90500"}, "price_before", "price_before_too_low"),
        ({"category_id": 4611686018427387904}, "category_id", "not_found"),
        ({"brand_id": 4611686018427387904}, "brand_id", "not_found"),
        ({"min_quantity": 3, "max_per_buyer": 2}, "max_per_buyer", "too_small"),
    ],
)
def test_a_row_that_cannot_be_is_invalid_and_the_rest_is_done(
    api: Api, fields: dict, field: str, code: str
):
    seller = api.seller()
    bad, good = (api.product(seller, price="90000") for _ in range(2))
    rows = ({"product_id": bad["id"], **fields}, {"product_id": good["id"], "price": "1"})
    answer = send(api, seller, *rows, language="id")
    assert outcomes(answer) == ["invalid", "done"]
    (error,) = answer.json["rows"][0]["errors"]
    assert (error["pointer"], error["code"]) == (f"/rows/0/{field}", code)
    assert error["message"] != send(api, seller, *rows).json["rows"][0]["errors"][0]["message"]
    assert find(api, seller, bad["id"])["version"] == bad["version"]


def test_what_an_admin_blocked_stays_hidden(api: Api):
    seller = api.seller()
    product = api.product(seller)["id"]
    with api.as_owner(api.db.conn) as conn:
        conn.execute(
            "UPDATE products SET blocked = 'fake', hidden = true, hidden_before = false WHERE id = %s", [product]
        )  # fmt: skip
        product_documents.refresh(conn, [product], api.config.currency)
    answer = send(api, seller, {"product_id": product, "hidden": False})
    assert outcomes(answer) == ["invalid"]
    assert answer.json["rows"][0]["errors"][0]["code"] == "product_blocked"


@pytest.mark.parametrize(
    ("row", "pointer", "code"),
    [
        ({"price": "-1"}, "/rows/1/price", "too_small"),
        ({"price": "1.005"}, "/rows/1/price", "too_precise"),
        ({"price": None}, "/rows/1/price", "not_nullable"),
        ({"stock": -1}, "/rows/1/stock", "too_small"),
        ({"stock": 1.5}, "/rows/1/stock", "wrong_type"),
        ({"hidden": "yes"}, "/rows/1/hidden", "wrong_type"),
        ({"name": "Teh"}, "/rows/1/name", "unknown_field"),
        ({"variant_id": 0, "price": "1"}, "/rows/1/variant_id", "invalid"),
        ({"expected_version": 1}, "/rows/1", "required"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_written(api: Api, row: dict, pointer: str, code: str):
    seller = api.seller()
    product = api.product(seller, price="90000")["id"]
    rows = ({"product_id": product, "price": "1"}, {"product_id": product, **row})
    told = problem(send(api, seller, *rows), 422, "validation_failed")["errors"]
    (error,) = [each for each in told if each["pointer"] == pointer]
    assert (error["code"], error["product_id"]) == (code, product)
    assert find(api, seller, product)["price"] == "90000.00"


def test_a_batch_has_1_to_1000_rows(api: Api):
    seller = api.seller()
    for rows in ([], [{"product_id": 1, "price": "1"}] * 1001):
        problem(api.patch(PRODUCTS, seller, json={"rows": rows}), 422, "validation_failed")


def test_somebody_elses_products_are_not_there(api: Api):
    owner, other, admin = api.seller(), api.seller(), api.admin()
    product = api.product(owner, price="90000", sku="K-1")["id"]
    rows = ({"product_id": product, "price": "1"}, {"sku": "K-1", "price": "1"})
    assert outcomes(send(api, other, *rows)) == ["not_found", "not_found"]
    path = f"{PRODUCTS}?store_id={owner.store_id}"
    problem(api.patch(path, other, json={"rows": [rows[0]]}), 404, "not_found")
    problem(send(api, admin, rows[0]), 409, "store_required")
    assert find(api, owner, product)["price"] == "90000.00"
    assert outcomes(api.patch(path, admin, json={"rows": [rows[0]]})) == ["done"]
    assert find(api, owner, product)["price"] == "1.00"
