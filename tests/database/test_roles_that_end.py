"""A role or a session that ends while a request is under way: 401 or 403, and no file that looks whole."""

from typing import Any

import psycopg
import pytest
from conftest import Api, User
from support.images import picture
from support.responses import problem

from marketplace.resources import exports, import_errors, user_export
from marketplace.web.authentication import Authentication

ROLE = "UPDATE users SET role = 'buyer' WHERE id = %s"


def as_owner(api: Api, statement: str, *values: Any) -> None:
    with api.as_owner(api.db.conn) as conn:
        conn.execute(statement, values)


@pytest.fixture
def lose(api: Api, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Statements of the owner's that are run right behind the look at the session and role."""
    waiting: list[tuple[str, int]] = []
    original = Authentication._living

    def living(self: Authentication, *args: Any) -> Any:
        caller = original(self, *args)
        for statement, user_id in waiting:
            as_owner(api, statement, user_id)
        return caller

    monkeypatch.setattr(Authentication, "_living", living)
    return waiting


def calls(product: int, image: int, user: int, store: int) -> list[tuple[str, str, Any]]:
    """Calls of a seller or an admin that write or read what is private."""
    return [
        ("POST", "/api/products", {"name": "Teh", "price": "1", "store_id": store}),
        ("PATCH", f"/api/products/{product}", {"price": "2"}),
        ("PUT", f"/api/products/{product}", {"name": "Teh", "price": "1"}),
        ("PATCH", f"/api/products/{product}/images/{image}", {"alt": "x"}),
        ("DELETE", f"/api/products/{product}/images/{image}", None),
        ("DELETE", f"/api/products/{product}", None),
        ("GET", "/api/products/imports", None),
        ("GET", "/api/audit", None),
        ("GET", f"/api/products/export?store_id={store}", None),
        ("PATCH", f"/api/users/{user}", {"suspended": True}),
        ("POST", "/api/categories", {"name": "Baru"}),
        ("POST", "/api/brands", {"name": "Baru"}),
    ]


def test_an_admin_who_is_demoted_in_the_middle_gets_403_or_an_empty_list(
    api: Api, lose: list[tuple[str, int]]
):
    seller, admin, user = api.seller(), api.admin(), api.buyer()
    product = api.product(seller)["id"]
    sent = api.upload(f"/api/products/{product}/images", seller, [("images", "a", picture())])
    image = sent.json["images"][0]["id"]
    header = {"Content-Type": "text/csv"}
    api.post("/api/products/import-csv", seller, body=b"name,price\nTeh,1\n", headers=header)
    lose.append((ROLE, admin.id))
    for method, path, body in calls(product, image, user.id, seller.store_id or 0):
        as_owner(api, "UPDATE users SET role = 'admin' WHERE id = %s", admin.id)
        answer = api.request(method, path, admin, **({} if body is None else {"json": body}))
        if answer.status_code == 200:  # it was found and asked in one transaction
            nothing = {"total_items": 0, path.rpartition("/")[2]: []}
            assert method == "GET"
            assert nothing.items() <= answer.json.items(), answer.text
            continue
        problem(answer, 403, "forbidden")
    as_owner(api, "UPDATE users SET role = 'admin' WHERE id = %s", admin.id)
    file = api.post(
        f"/api/products/import-csv?store_id={seller.store_id}",
        admin,
        body=b"name,price\nKopi,1\n",
        headers={"Content-Type": "text/csv"},
    )
    problem(file, 403, "forbidden")


@pytest.mark.parametrize(
    ("end", "status", "code"),
    [
        (ROLE, 403, "forbidden"),
        ("UPDATE users SET suspended_at = now() WHERE id = %s", 401, "invalid_token"),
        ("UPDATE auth.sessions SET ended_at = now() WHERE user_id = %s", 401, "invalid_token"),
        ("DELETE FROM auth.sessions WHERE user_id = %s", 401, "invalid_token"),
    ],
)
def test_a_seller_who_ends_in_the_middle_gets_401_or_403(
    api: Api, lose: list[tuple[str, int]], end: str, status: int, code: str
):
    seller = api.seller()
    product = api.product(seller)["id"]
    lose.append((end, seller.id))
    for method, path, body in (
        ("POST", "/api/products", {"name": "Teh", "price": "1"}),
        ("PATCH", f"/api/products/{product}", {"price": "2"}),
        ("GET", "/api/stores/mine/products", None),
    ):
        answer = api.request(method, path, seller, **({} if body is None else {"json": body}))
        problem(answer, status, code)


def test_a_role_that_is_won_in_the_middle_refuses_nothing(api: Api, lose: list[tuple[str, int]]):
    user = api.buyer()
    lose.append(("UPDATE users SET role = 'seller' WHERE id = %s", user.id))
    assert api.get("/api/users/profile", user).status_code == 200


@pytest.mark.parametrize(
    "ending", [ROLE, "UPDATE auth.sessions SET ended_at = now() WHERE user_id = %s"]
)
@pytest.mark.parametrize("after", [1, 3, 5])
def test_an_export_whose_reader_loses_the_right_breaks_off(
    api: Api, monkeypatch: pytest.MonkeyPatch, ending: str, after: int
):
    """In the middle, before the last batch, and behind it: the end of the file is never sent."""
    monkeypatch.setattr(exports, "BATCH", 2)
    seller, admin = api.seller(), api.admin()
    for number in range(5):
        api.product(seller, name=f"Kopi {number}")
    read = exports.exports.rows
    batches: list[int] = []

    def rows(*args: Any, **options: Any) -> Any:
        found = read(*args, **options)
        batches.append(len(found))
        if sum(batches) >= after:
            as_owner(api, ending, admin.id)
            after_all.append(True)
        return found

    after_all: list[bool] = []
    monkeypatch.setattr(exports.exports, "rows", rows)
    with pytest.raises(psycopg.Error):
        api.client.simulate_get(
            f"/api/products/export?store_id={seller.store_id}",
            headers={"Authorization": f"Bearer {admin.token}"},
        )
    assert after_all


def test_a_reader_who_loses_the_right_within_a_batch_gets_no_whole_file(
    api: Api, monkeypatch: pytest.MonkeyPatch
):
    """The policy leaves rows out, silently: the batch is short, and would be taken for the last."""
    monkeypatch.setattr(import_errors, "BATCH", 2)
    seller, admin = api.seller(), api.admin()
    sent = api.post(
        "/api/products/import-csv", seller, body=b"name,price\nKopi,1\n", headers={"Content-Type": "text/csv"}
    ).json  # fmt: skip
    as_owner(
        api,
        "INSERT INTO import_errors (import_id, line, number, code, message)"
        " SELECT %s, n, 1, 'x', 'x' FROM generate_series(2, 6) AS n",
        sent["id"],
    )
    read = import_errors.imports.bad_rows

    def bad_rows(*args: Any, **options: Any) -> Any:
        if options["after_line"]:
            as_owner(api, ROLE, admin.id)
        return read(*args, **options)

    monkeypatch.setattr(import_errors.imports, "bad_rows", bad_rows)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        api.client.simulate_get(
            f"/api/products/imports/{sent['id']}/errors.csv",
            headers={"Authorization": f"Bearer {admin.token}"},
        )


def test_ones_own_data_breaks_off_too(api: Api, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(user_export, "BATCH", 2)
    seller: User = api.seller()
    read = user_export.activities.search

    def search(*args: Any, **options: Any) -> Any:
        found = read(*args, **options)
        as_owner(api, "UPDATE auth.sessions SET ended_at = now() WHERE user_id = %s", seller.id)
        return found

    monkeypatch.setattr(user_export.activities, "search", search)
    with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification):
        api.client.simulate_get(
            "/api/users/export", headers={"Authorization": f"Bearer {seller.token}"}
        )
