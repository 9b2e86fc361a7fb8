"""ETag, If-None-Match, If-Match, and how long an answer may be kept."""

import threading
from typing import Any

import pytest
from conftest import PASSWORD, Api, User
from support.images import picture
from support.responses import problem

from marketplace import app
from marketplace.contract import operations
from marketplace.queries import products
from marketplace.workflows import product_documents


def things(api: Api) -> list[tuple[str, User, dict[str, Any]]]:
    """Every single thing that is changed: its address, who may change it, and what PUT takes
    (`name` is changed).
    """
    seller, admin = api.seller(), api.admin()
    product = api.product(seller)
    brand = api.post("/api/brands", admin, json={"name": "Merek"}).json
    category = api.post("/api/categories", admin, json={"name": "Kategori"}).json
    return [
        (f"/api/products/{product['id']}", seller, {"name": "$", "price": "1"}),
        (f"/api/brands/{brand['id']}", admin, {"name": "$"}),
        (f"/api/categories/{category['id']}", admin, {"name": "$", "parent_id": None}),
        ("/api/stores/mine", seller, {"name": "$"}),
        ("/api/users/profile", seller, {"name": "$"}),
    ]


def named(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {**body, "name": name}


def test_a_stale_if_match_is_refused_on_every_single_thing(api: Api):
    for path, user, body in things(api):
        tag = api.get(path, user).headers["ETag"]
        changed = api.put(path, user, json=named(body, "pertama"), headers={"If-Match": tag})
        assert changed.status_code == 200, path
        assert changed.headers["ETag"] != tag
        for method in ("PUT", "PATCH"):
            stale = api.request(
                method, path, user, json=named(body, "kedua"), headers={"If-Match": tag}
            )
            problem(stale, 412, "precondition_failed")
        assert api.get(path, user).json["name"] == "pertama"
        if operations.of(_resource(api, path), "DELETE"):
            sent = {"json": {"current_password": PASSWORD}} if path.endswith("/profile") else {}
            stale = api.delete(path, user, headers={"If-Match": tag}, **sent)
            problem(stale, 412, "precondition_failed")
            fresh = api.get(path, user).headers["ETag"]
            assert api.delete(path, user, headers={"If-Match": fresh}, **sent).status_code == 204


def _resource(api: Api, path: str) -> Any:
    pattern = path.split("/")
    for template, resource in app.route_table(api.config, api.db):
        parts = template.split("/")
        if len(parts) == len(pattern) and all(
            a == b or (a.startswith("{") and b.isdigit())
            for a, b in zip(parts, pattern, strict=True)
        ):
            return resource
    raise LookupError(path)


def test_the_tag_of_a_change_is_the_tag_of_the_next_reading(api: Api):
    for path, user, body in things(api):
        changed = api.put(path, user, json=named(body, "baru"))
        read = api.get(path, user)
        assert read.headers["ETag"] == changed.headers["ETag"], path
        assert api.patch(
            path, user, json={"name": "baru lagi"}, headers={"If-Match": read.headers["ETag"]}
        ).json["name"] == ("baru lagi")


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("{tag}", 200),
        ("W/{tag}", 200),
        ('"x", {tag}', 200),
        ('W/"x",{tag} , "y"', 200),
        ("{gzip}", 200),
        ("*", 200),
        ('"x"', 412),
        ('""', 412),
        ('"x", W/"y"', 412),
        ("garbage", 400),
        ('"open', 400),
        ("", 400),
        ('"a" "b"', 400),
        ("{tag}, *", 400),
    ],
)
def test_if_match_is_read_as_the_standard_says(api: Api, header: str, status: int):
    seller = api.seller()
    path = f"/api/products/{api.product(seller)['id']}"
    tag = api.get(path).headers["ETag"]
    sent = header.replace("{tag}", tag).replace("{gzip}", f'{tag[:-1]}-gzip"')

    answer = api.put(
        path, seller, json={"name": "Kopi", "price": "2"}, extras={"HTTP_IF_MATCH": sent}
    )
    assert answer.status_code == status, answer.text


def test_a_sale_makes_the_tag_stale_and_a_renamed_brand_does_not(api: Api):
    seller, admin = api.seller(), api.admin()
    product = api.product(seller, brand="Gayo")
    path = f"/api/products/{product['id']}"
    tag = api.get(path).headers["ETag"]
    with api.as_owner(api.db.conn) as conn:
        conn.execute("UPDATE product_documents SET document = replace(document, 'Gayo', 'Aceh')")
    read = api.get(path, headers={"If-None-Match": tag})
    assert read.status_code == 200  # another answer
    assert read.headers["ETag"] != tag
    assert (
        api.patch(path, seller, json={"price": "5"}, headers={"If-Match": tag}).status_code == 200
    )

    tag = api.get(path).headers["ETag"]
    assert api.patch(path, admin, json={"stock": 4}).status_code == 200
    problem(
        api.patch(path, seller, json={"price": "6"}, headers={"If-Match": tag}),
        412,
        "precondition_failed",
    )


def test_pictures_are_changed_under_the_tag_of_their_product(api: Api):
    seller = api.seller()
    product = api.product(seller)
    path = f"/api/products/{product['id']}"
    tag = api.get(path).headers["ETag"]
    image = api.upload(f"{path}/images", seller, [("images", "a.jpg", picture())]).json["images"][0]

    for method in ("PATCH", "DELETE"):
        stale = api.request(
            method,
            f"{path}/images/{image['id']}",
            seller,
            **({"json": {"alt": "x"}} if method == "PATCH" else {}),
            headers={"If-Match": tag},
        )
        problem(stale, 412, "precondition_failed")
    fresh = api.get(path).headers["ETag"]
    assert (
        api.delete(f"{path}/images/{image['id']}", seller, headers={"If-Match": fresh}).status_code
        == 204
    )


def test_an_admin_changes_a_user_under_a_tag(api: Api):
    admin, user = api.admin(), api.buyer()
    path = f"/api/users/{user.id}"
    tag = api.get(path, admin).headers["ETag"]
    api.patch("/api/users/profile", user, json={"name": "Lain"})

    problem(
        api.patch(path, admin, json={"suspended": True}, headers={"If-Match": tag}),
        412,
        "precondition_failed",
    )
    fresh = api.get(path, admin).headers["ETag"]
    assert (
        api.patch(path, admin, json={"suspended": True}, headers={"If-Match": fresh}).json[
            "suspended"
        ]
        is True
    )


#: Rows say the version that they expect, each its own; and what no call reads back has no tag.
WITHOUT_A_TAG = {"PATCH /api/stores/mine/products", "PUT /api/stores/mine/pay-account"}


def test_every_call_that_declares_if_match_refuses_a_stale_one(api: Api):
    """The avatar is the one left: it is part of the profile."""
    user = api.buyer()
    tag = api.get("/api/users/profile", user).headers["ETag"]
    api.upload("/api/users/upload-avatar", user, [("avatar", "a.jpg", picture())])
    problem(
        api.delete("/api/users/avatar", user, headers={"If-Match": tag}), 412, "precondition_failed"
    )

    for path, resource in app.route_table(api.config, api.db):
        for method in ("PUT", "PATCH", "DELETE"):
            declared = operations.of(resource, method)
            if declared is not None and "sessions" not in path:
                whole = f"{method} {path}" not in WITHOUT_A_TAG
                assert declared.conditional is whole, f"{method} {path}"


def test_a_reading_that_is_known_answers_304_without_a_body(api: Api):
    seller = api.seller()
    product = api.product(seller)
    for path, user in [
        (f"/api/products/{product['id']}", None),
        (f"/api/products/{product['id']}", seller),
        ("/api/products", None),
        ("/api/categories", None),
        (f"/api/stores/{seller.store_id}", None),
        ("/api/users/profile", seller),
        ("/api/openapi.json", None),
    ]:
        first = api.get(path, user)
        tag = first.headers["ETag"]
        for known in (tag, f"W/{tag}", f'"x", {tag}', "*", f'{tag[:-1]}-gzip"'):
            again = api.get(path, user, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b""), (path, known)
            assert again.headers["ETag"] == tag
            assert again.headers.get("Cache-Control") == first.headers.get("Cache-Control")
        assert api.get(path, user, headers={"If-None-Match": '"x"'}).content == first.content
        head = api.request("HEAD", path, user)
        assert head.headers["ETag"] == tag


def test_the_tag_of_a_product_changes_when_its_answer_does(api: Api):
    seller, admin = api.seller(), api.admin()
    product = api.product(seller, brand="Gayo", stock=2)
    path = f"/api/products/{product['id']}"
    seen = {api.get(path).headers["ETag"]: api.get(path).content}
    changes: list[tuple[str, str, User, dict[str, Any]]] = [
        ("PATCH", path, seller, {"stock": 1}),
        ("PATCH", path, seller, {"stock": 0}),
        ("PATCH", path, seller, {"description": "Harum"}),
        ("PATCH", path, seller, {"description": None}),
        ("PATCH", path, seller, {"price": "3"}),
        ("PATCH", "/api/stores/mine", seller, {"name": "Toko Lain"}),
        ("PATCH", path, seller, {}),
    ]
    for method, changed, user, body in changes:
        assert api.request(method, changed, user, json=body).status_code == 200
        assert catalogue_rebuilt(api) >= 1
        answer = api.get(path)
        known = answer.headers["ETag"] in seen
        assert known == (answer.content in seen.values()), body
        seen[answer.headers["ETag"]] = answer.content
    assert len(seen) >= 6
    tag = api.get(path).headers["ETag"]
    other = api.get(path, headers={"Host": "images.example", "If-None-Match": tag})
    assert other.status_code == 200, "the addresses of its pictures would be others"
    assert api.get(path, admin, headers={"If-None-Match": tag}).status_code == 304


def catalogue_rebuilt(api: Api) -> int:
    """Do what the worker does after a rename, in the test's own transaction."""
    with api.as_owner(api.db.conn) as conn:
        found = [row["id"] for row in conn.execute("SELECT id FROM products")]
        product_documents.refresh(conn, found, api.config.currency)
    return len(found)


def test_a_product_that_is_known_is_not_read(api: Api):
    product = api.product(api.seller())
    conn = api.db.conn
    row = products.find(conn, product["id"])
    assert row is not None
    known = products.find(conn, product["id"], known=["x", row["tag"]])
    assert known is not None
    assert (row["document"] is None, row["description"]) == (False, "null")
    assert known == {**row, "document": None, "description": None, "details": None}


def test_looking_again_at_what_has_not_changed_is_not_logged(api: Api):
    seller, buyer = api.seller(), api.buyer()
    path = f"/api/products/{api.product(seller)['id']}"
    tag = api.get(path).headers["ETag"]
    api.get(path, buyer, headers={"If-None-Match": tag})
    assert api.get("/api/users/activities?type=view_product", buyer).json["total_items"] == 0

    api.get(path, buyer)
    assert api.get("/api/users/activities?type=view_product", buyer).json["total_items"] == 1


def test_a_write_has_no_304_and_a_failure_no_tag(api: Api):
    seller = api.seller()
    made = api.post(
        "/api/products", seller, json={"name": "Kopi", "price": "1"}, headers={"If-None-Match": "*"}
    )
    assert made.status_code == 201
    assert "ETag" not in api.get("/api/products/999999").headers


def test_public_readings_say_how_long_they_may_be_kept(api: Api):
    seller = api.seller()
    product = api.product(seller)

    def kept(path: str, user: User | None = None) -> str:
        return api.get(path, user).headers["Cache-Control"]

    by_all = ", s-maxage=1, stale-while-revalidate=1, stale-if-error=30"
    assert kept("/api/products") == f"public, max-age=0{by_all}"
    assert kept(f"/api/products/{product['id']}") == f"public, max-age=0{by_all}"
    assert kept("/api/categories") == kept("/api/brands") == f"public, max-age=60{by_all}"
    assert kept("/api/openapi.json") == "public, max-age=60"
    assert kept(f"/api/products/{product['id']}", seller) == "private, no-cache"
    assert kept("/api/users/profile", seller) == "private, no-store"
    assert kept("/api/products/0") == "no-store"


def test_patch_leaves_what_is_not_given_and_null_removes(api: Api):
    seller = api.seller()
    api.put("/api/stores/mine", seller, json={"name": "Toko Kopi", "description": "Kopi saja"})
    merge = {"Content-Type": "application/merge-patch+json"}
    renamed = api.patch(
        "/api/stores/mine", seller, body=b'{"name": "Toko Teh"}', headers=merge
    ).json
    assert (renamed["name"], renamed["description"]) == ("Toko Teh", "Kopi saja")
    assert (
        api.patch("/api/stores/mine", seller, json={"description": None}).json["description"]
        is None
    )

    api.put(
        "/api/users/profile", seller, json={"name": "Budi", "phone": "0812", "address": "Bandung"}
    )
    profile = api.patch("/api/users/profile", seller, json={"phone": None}).json
    assert (profile["name"], profile["phone"], profile["address"]) == ("Budi", None, "Bandung")
    problem(api.patch("/api/users/profile", seller, json={"name": None}), 422, "validation_failed")
    problem(
        api.put("/api/stores/mine", seller, body=b'{"name": "x"}', headers=merge),
        415,
        "unsupported_media_type",
    )


def test_of_editors_who_send_what_they_read_one_wins(committed: Api):
    seller = committed.seller()
    product = committed.product(seller)
    for path, body in (
        (f"/api/products/{product['id']}", {"price": "1", "stock": 3}),
        ("/api/stores/mine", {}),
    ):
        tag = committed.get(path, seller).headers["ETag"]
        statuses: list[int] = []
        start = threading.Barrier(8)

        def edit(
            number: int, path=path, body=body, tag=tag, statuses=statuses, start=start
        ) -> None:
            start.wait()
            answer = committed.put(
                path, seller, json={**body, "name": f"penulis {number}"}, headers={"If-Match": tag}
            )
            statuses.append(answer.status_code)

        threads = [threading.Thread(target=edit, args=[number]) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [200] + [412] * 7


def test_of_editors_of_the_stock_alone_one_wins(committed: Api):
    """The stock is in a table of its own: it is locked and read with the product."""
    seller = committed.seller()
    path = f"/api/products/{committed.product(seller)['id']}"
    for _ in range(5):
        tag = committed.get(path).headers["ETag"]
        statuses: list[int] = []
        start = threading.Barrier(6)

        def edit(number: int, tag=tag, statuses=statuses, start=start) -> None:
            start.wait()
            answer = committed.patch(
                path, seller, json={"stock": 100 + number}, headers={"If-Match": tag}
            )
            statuses.append(answer.status_code)

        threads = [threading.Thread(target=edit, args=[number]) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [200] + [412] * 5
        committed.patch(path, seller, json={"stock": 5})
