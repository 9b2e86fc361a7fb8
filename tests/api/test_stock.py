"""Stock over HTTP: batches, lists, and why it changed."""

import pytest
from conftest import Api, User
from support.responses import problem
from support.stock import add_variants, broken, hold, moves, stock

STOCK = "/api/stores/mine/stock"


@pytest.fixture(autouse=True)
def stock_that_is_proven(api: Api):
    yield
    with api.as_owner(api.db.conn) as conn:
        assert broken(conn) == []


def send(api: Api, user: User, *rows: dict, **options):
    headers = {"Idempotency-Key": options.pop("key")} if "key" in options else {}
    return api.post(STOCK, user, json={"rows": list(rows), **options}, headers=headers)


def outcomes(answer) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["outcome"] for row in answer.json["rows"]]


def held(api: Api, product: int, pieces: int, variant: int = 0) -> None:
    with api.as_owner(api.db.conn) as conn:
        assert hold(conn, [(1, product, variant, pieces)]) == []


def with_variants(api: Api, user: User, *quantities: int) -> tuple[int, list[int]]:
    product = api.product(user, stock=quantities[0])["id"]
    with api.as_owner(api.db.conn) as conn:
        ids = add_variants(conn, product, quantities)
        conn.execute("UPDATE variants SET sku = 'TS-' || id WHERE product_id = %s", [product])
    return product, ids


def test_a_batch_says_what_became_of_each_row(api: Api):
    seller = api.seller()
    first, second = (api.product(seller, stock=50)["id"] for _ in range(2))
    third, kinds = with_variants(api, seller, 50, 9)
    held(api, first, 2)
    answer = send(
        api,
        seller,
        {"product_id": first, "stock": 40, "expected_stock": 48},
        {"sku": f"TS-{kinds[1]}", "change": -3},
        {"product_id": second, "stock": 60, "expected_stock": 49},
        {"product_id": third, "variant_id": kinds[0], "on_hand": 50},
        {"product_id": second, "stock": 1},
        {"product_id": third, "stock": 1},
        {"sku": "nobody's", "stock": 1},
        {"product_id": third, "variant_id": kinds[1], "stock": 1},
        key="one",
    )
    assert answer.json == {
        "dry_run": False,
        "done": 2,
        "unchanged": 1,
        "failed": 5,
        "rows": [
            {"row": 0, "outcome": "done", "product_id": first, "variant_id": None, "stock": 40, "reserved": 2},
            {"row": 1, "outcome": "done", "product_id": third, "variant_id": kinds[1], "stock": 6, "reserved": 0},
            {"row": 2, "outcome": "precondition_failed", "product_id": second, "variant_id": None, "stock": 50,
             "reserved": 0},
            {"row": 3, "outcome": "unchanged", "product_id": third, "variant_id": kinds[0], "stock": 50,
             "reserved": 0},
            {"row": 4, "outcome": "duplicate_row", "product_id": second, "variant_id": None, "stock": 50,
             "reserved": 0},
            {"row": 5, "outcome": "not_found", "product_id": third, "variant_id": None, "stock": None,
             "reserved": None},
            {"row": 6, "outcome": "not_found", "product_id": None, "variant_id": None, "stock": None,
             "reserved": None},
            {"row": 7, "outcome": "duplicate_row", "product_id": third, "variant_id": kinds[1], "stock": 9,
             "reserved": 0},
        ],
    }  # fmt: skip
    log = api.get("/api/users/activities", seller).json["activities"]
    assert (log[0]["type"], log[0]["details"]) == ("set_stock", {"rows": 2})


def test_what_is_so_already_is_unchanged_whatever_was_expected(api: Api):
    seller = api.seller()
    product = api.product(seller, stock=50)["id"]
    row = {"product_id": product, "stock": 40, "expected_stock": 50}
    assert outcomes(send(api, seller, row)) == ["done"]
    assert outcomes(send(api, seller, row)) == ["unchanged"]
    assert outcomes(send(api, seller, {**row, "stock": 39})) == ["precondition_failed"]


def test_a_change_is_done_once_by_its_key(api: Api):
    seller = api.seller()
    product = api.product(seller, stock=50)["id"]
    row = {"product_id": product, "change": -3}
    problem(send(api, seller, row), 422, "idempotency_key_required")
    first = send(api, seller, row, key="one")
    again = send(api, seller, row, key="one")
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert api.get(f"/api/products/{product}").json["stock"] == 47
    problem(send(api, seller, {**row, "change": 1}, key="one"), 422, "idempotency_key_reused")
    assert outcomes(send(api, seller, {**row, "change": -48}, key="two")) == ["not_enough_stock"]


def test_all_or_none(api: Api):
    seller = api.seller()
    good, other = (api.product(seller, stock=5)["id"] for _ in range(2))
    rows = [{"product_id": good, "stock": 7}, {"product_id": other, "change": -6}]
    refused = problem(send(api, seller, *rows, mode="all", key="one"), 409, "batch_refused")
    assert [row["outcome"] for row in refused["rows"]] == ["done", "not_enough_stock"]
    assert api.get(f"/api/products/{good}").json["stock"] == 5
    rows[1]["change"] = -5
    assert outcomes(send(api, seller, *rows, mode="all", key="one")) == ["done", "done"]
    assert api.get(f"/api/products/{other}").json["in_stock"] is False


@pytest.mark.parametrize("mode", ["each", "all"])
def test_a_dry_run_answers_and_changes_nothing(api: Api, mode: str):
    seller = api.seller()
    product = api.product(seller, stock=5)["id"]
    answer = send(
        api, seller, {"product_id": product, "change": 2}, {"sku": "?", "stock": 1},
        dry_run=True, mode=mode,
    )  # fmt: skip
    assert outcomes(answer) == ["done", "not_found"]
    assert (answer.json["dry_run"], answer.json["rows"][0]["stock"]) == (True, 7)
    with api.as_owner(api.db.conn) as conn:
        assert (stock(conn, product).quantity, moves(conn, product)) == (5, [])


def test_somebody_elses_product_is_not_there(api: Api):
    owner, other = api.seller(), api.seller()
    product = api.product(owner, stock=5, sku="K-1")["id"]
    rows = ({"product_id": product, "stock": 0}, {"sku": "K-1", "stock": 0})
    assert outcomes(send(api, other, *rows)) == ["not_found", "not_found"]
    assert api.get(f"/api/products/{product}").json["stock"] == 5
    admin = api.admin()
    problem(send(api, admin, *rows), 409, "store_required")
    path = f"{STOCK}?store_id={owner.store_id}"
    answer = api.post(path, admin, json={"rows": [rows[0]]})
    assert outcomes(answer) == ["done"]
    problem(api.post(path, other, json={"rows": [rows[0]]}), 404, "not_found")


@pytest.mark.parametrize(
    ("row", "pointer", "code"),
    [
        ({"stock": -1}, "/rows/1/stock", "too_small"),
        ({"stock": 1_000_000_000}, "/rows/1/stock", "too_large"),
        ({"stock": "5"}, "/rows/1/stock", "wrong_type"),
        ({"stock": 1.5}, "/rows/1/stock", "wrong_type"),
        ({"stock": 1, "variant_id": 0}, "/rows/1/variant_id", "invalid"),
        ({"stock": 1, "on_hand": 1}, "/rows/1/on_hand", "excluded"),
        ({"on_hand": 1, "change": 1}, "/rows/1/change", "excluded"),
        ({}, "/rows/1/stock", "required"),
        ({"stock": 1, "sku": "A"}, "/rows/1/sku", "excluded"),
        ({"stock": 1, "colour": "red"}, "/rows/1/colour", "unknown_field"),
        ({"change": 1_000_000_000}, "/rows/1/change", "too_large"),
    ],
)
def test_a_bad_row_is_named_by_its_product_and_nothing_is_written(
    api: Api, row: dict, pointer: str, code: str
):
    seller = api.seller()
    product = api.product(seller, stock=5)["id"]
    rows = [{"product_id": product, "stock": 6}, {"product_id": product, **row}]
    told = problem(send(api, seller, *rows, key="k"), 422, "validation_failed")["errors"]
    (error,) = [each for each in told if each["pointer"] == pointer]
    assert (error["code"], error["product_id"]) == (code, product)
    assert api.get(f"/api/products/{product}").json["stock"] == 5


def test_a_batch_has_1_to_1000_rows(api: Api):
    seller = api.seller()
    for rows, code in (([], "too_short"), ([{"product_id": 1, "stock": 1}] * 1001, "too_long")):
        answer = problem(api.post(STOCK, seller, json={"rows": rows}), 422, "validation_failed")
        assert [(each["pointer"], each["code"]) for each in answer["errors"]] == [("/rows", code)]
    problem(api.post(STOCK, seller, json={"rows": [{"stock": 1}]}), 422, "validation_failed")
    assert (
        outcomes(send(api, seller, *[{"product_id": 1, "stock": 1}] * 1000)) == ["not_found"] * 1000
    )


def test_reasons_are_told_in_indonesian(api: Api):
    seller = api.seller()
    answer = api.post(
        STOCK,
        seller,
        json={"rows": [{"product_id": 1, "change": 1}]},
        headers={"Accept-Language": "id"},
    )
    assert "Idempotency-Key" in answer.json["detail"]
    assert answer.json["title"] == "Kirim Idempotency-Key"


def test_the_list_has_products_and_variants(api: Api):
    seller = api.seller()
    product, kinds = with_variants(api, seller, 3, 4, 5)
    simple = api.product(seller, name="Teh", price="5000", stock=7, sku="T-1", hidden=True)["id"]
    api.product(api.seller(), stock=1)
    held(api, simple, 2)
    rows = api.get(STOCK, seller).json["stock"]
    assert [(row["product_id"], row["variant_id"], row["stock"]) for row in rows] == [
        (simple, None, 5),
        *((product, kind, 3 + place) for place, kind in enumerate(kinds)),
    ]
    assert rows[0] == {
        "product_id": simple, "variant_id": None, "name": "Teh", "options": [], "sku": "T-1", "thumb_url": None,
        "placeholder": None, "price": "5000.00", "price_before": None, "weight_grams": None, "min_quantity": 1,
        "hidden": True, "stock": 5, "reserved": 2, "on_hand": 7,
    }  # fmt: skip
    assert [option["value"] for option in rows[1]["options"]]
    only = api.get(STOCK, seller, params={"product_id": product, "per_page": 2})
    assert (len(only.json["stock"]), only.json["total_items"]) == (2, 3)
    seen, cursor = [], only.json["next_cursor"]
    seen += [row["variant_id"] for row in only.json["stock"]]
    while cursor:
        page = api.get(
            STOCK, seller, params={"product_id": product, "per_page": 2, "cursor": cursor}
        )
        seen += [row["variant_id"] for row in page.json["stock"]]
        cursor = page.json["next_cursor"]
    assert seen == kinds


def test_what_runs_low_says_since_when(api: Api):
    seller = api.seller()
    few, none = (api.product(seller, stock=number)["id"] for number in (4, 0))
    api.product(seller, stock=6)
    empty = api.get(STOCK, seller, params={"low": 5}).json
    assert (empty["stock"], empty["as_of"]) == ([], None)
    with api.as_owner(api.db.conn) as conn:
        conn.execute("SELECT refresh_low_stock(20)")
    page = api.get(STOCK, seller, params={"low": 5, "per_page": 1}).json
    assert [row["product_id"] for row in page["stock"]] == [none]
    assert (page["as_of"] is not None, page["total_items"]) == (True, 2)
    rest = api.get(
        STOCK, seller, params={"low": 5, "per_page": 1, "cursor": page["next_cursor"]}
    ).json
    assert ([row["product_id"] for row in rest["stock"]], rest["has_next"]) == ([few], False)
    assert api.get(STOCK, api.seller(), params={"low": 5}).json["stock"] == []
    problem(api.get(STOCK, seller, params={"low": 21}), 422, "validation_failed")


def test_movements_tell_why_newest_first(api: Api):
    seller, other, admin = api.seller(), api.seller(), api.admin()
    product = api.product(seller, stock=9)["id"]
    path = f"/api/products/{product}/stock-movements"
    assert api.get(path, seller).json["movements"] == []
    send(api, seller, {"product_id": product, "stock": 7})
    held(api, product, 2)
    api.post(
        f"{STOCK}?store_id={seller.store_id}", admin, json={"rows": [{"product_id": product, "stock": 1}]}
    )  # fmt: skip
    told = api.get(path, seller).json["movements"]
    assert [
        (row["kind"], row["change"], row["change_reserved"], row["order_id"], row["by"]) for row in told
    ] == [
        ("set", -4, 0, None, "admin"),
        ("hold", -2, 2, 1, "order"),
        ("set", -2, 0, None, "store"),
        ("opening", 9, 0, None, "system"),
    ]  # fmt: skip
    assert told == api.get(path, admin).json["movements"]
    first = api.get(path, seller, params={"per_page": 3}).json
    rest = api.get(path, seller, params={"per_page": 3, "cursor": first["next_cursor"]}).json
    assert [*first["movements"], *rest["movements"]] == told
    assert rest["next_cursor"] is None
    problem(api.get(path, other), 404, "not_found")
    problem(api.get("/api/products/4611686018427387904/stock-movements", seller), 404, "not_found")


def test_movements_of_one_variant(api: Api):
    seller = api.seller()
    product, kinds = with_variants(api, seller, 3, 4)
    for kind in kinds:
        send(api, seller, {"product_id": product, "variant_id": kind, "stock": 1})
    path = f"/api/products/{product}/stock-movements"
    assert {row["variant_id"] for row in api.get(path, seller).json["movements"]} >= set(kinds)
    one = api.get(path, seller, params={"variant_id": kinds[1]}).json["movements"]
    assert [(row["kind"], row["variant_id"]) for row in one] == [
        ("set", kinds[1]),
        ("opening", kinds[1]),
    ]
