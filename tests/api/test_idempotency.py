"""A POST that comes again: answered as the first time, done once."""

import threading
from typing import Any

import pytest
from conftest import Api, User, multipart
from support.images import picture
from support.responses import problem

from marketplace import app
from marketplace.contract import operations

PRODUCT = {"name": "Kopi Gayo 250 g", "price": "85000.00", "stock": 5}


def send(api: Api, path: str, user: User, key: str, **options: Any) -> Any:
    return api.post(
        path, user, headers={"Idempotency-Key": key, **options.pop("headers", {})}, **options
    )


def products_of(api: Api, seller: User) -> int:
    return api.get("/api/stores/mine/products", seller).json["total_items"]


def expire(api: Api) -> None:
    with api.as_owner(api.db.conn) as conn:
        conn.execute(
            "UPDATE idempotency_keys SET created_at = now() - interval '24 hours 1 second'"
        )


def test_the_same_request_is_done_once_and_answered_as_the_first_time(api: Api):
    seller = api.seller()
    first = send(api, "/api/products", seller, "a-key-0001", json=PRODUCT)
    again = send(api, "/api/products", seller, "a-key-0001", json=PRODUCT)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    for name in ("Location", "ETag", "Content-Type"):
        assert again.headers[name] == first.headers[name]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert products_of(api, seller) == 1


def test_the_order_in_which_an_app_writes_the_members_does_not_matter(api: Api):
    seller = api.seller()
    send(api, "/api/products", seller, "a-key-0002", json=PRODUCT)
    again = send(api, "/api/products", seller, "a-key-0002", json=dict(reversed(PRODUCT.items())))

    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("other", [{**PRODUCT, "stock": 6}, {**PRODUCT, "sku": None}])
def test_a_key_with_another_body_is_refused(api: Api, other: dict[str, Any]):
    seller = api.seller()
    send(api, "/api/products", seller, "a-key-0003", json=PRODUCT)

    problem(
        send(api, "/api/products", seller, "a-key-0003", json=other), 422, "idempotency_key_reused"
    )
    assert products_of(api, seller) == 1


def test_a_key_at_another_path_is_refused(api: Api):
    seller = api.seller()
    product = api.product(seller)
    send(api, "/api/products", seller, "a-key-0004", json=PRODUCT)
    body, kind = multipart([("images", "a.jpg", picture())], {})

    answer = send(
        api,
        f"/api/products/{product['id']}/images",
        seller,
        "a-key-0004",
        body=body,
        headers={"Content-Type": kind},
    )
    problem(answer, 422, "idempotency_key_reused")


def test_a_key_is_its_users_own(api: Api):
    one, other = api.seller(), api.seller()
    first = send(api, "/api/products", one, "a-key-0005", json=PRODUCT)
    second = send(api, "/api/products", other, "a-key-0005", json=PRODUCT)

    assert second.status_code == 201
    assert second.json["id"] != first.json["id"]
    assert second.json["store"]["id"] == other.store_id


def test_after_a_day_a_key_may_be_used_anew(api: Api):
    seller = api.seller()
    send(api, "/api/products", seller, "a-key-0006", json=PRODUCT)
    expire(api)
    other = send(api, "/api/products", seller, "a-key-0006", json={**PRODUCT, "name": "Teh"})
    again = send(api, "/api/products", seller, "a-key-0006", json={**PRODUCT, "name": "Teh"})

    assert other.status_code == 201
    assert again.json == other.json
    assert products_of(api, seller) == 2


def test_a_refused_request_keeps_nothing(api: Api):
    seller = api.seller()
    problem(
        send(api, "/api/products", seller, "a-key-0007", json={**PRODUCT, "category_id": 99}),
        422,
        "validation_failed",
    )
    mended = send(api, "/api/products", seller, "a-key-0007", json=PRODUCT)

    assert mended.status_code == 201


@pytest.mark.parametrize("key", ["", " ", "two words", "k" * 256, "kopi\u00ff", "tab\tkey"])
def test_a_key_that_cannot_be_taken_is_named(api: Api, key: str):
    environ = {"HTTP_IDEMPOTENCY_KEY": key}
    answer = api.post("/api/products", api.seller(), json=PRODUCT, extras=environ)

    problem(answer, 400, "invalid_idempotency_key")


def test_uploads_take_part_whatever_their_boundary(api: Api):
    seller = api.seller()

    def upload(image: bytes, name: str) -> Any:
        body, kind = multipart([("main_image", "depan", image)], {"name": name, "price": "1000"})
        return send(
            api, "/api/products", seller, "a-key-0008", body=body, headers={"Content-Type": kind}
        )

    first, again = upload(picture(), "Kopi"), upload(picture(), "Kopi")
    assert first.status_code == 201
    assert again.json == first.json
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json["images"][0]["image_url"].startswith("http://")
    problem(upload(picture(size=(9, 7)), "Kopi"), 422, "idempotency_key_reused")
    problem(upload(picture(), "Teh"), 422, "idempotency_key_reused")


def test_an_import_sent_twice_is_one_import_and_one_file(api: Api):
    seller = api.seller()
    for kind in ("text/csv", "multipart/form-data"):
        sent = []
        for _ in range(2):
            body, header = b"name,price\nKopi,1000\n", kind
            if kind != "text/csv":
                body, header = multipart([("file", "produk.csv", body)], {"default_stock": "3"})
            sent.append(
                send(
                    api,
                    "/api/products/import-csv",
                    seller,
                    kind,
                    body=body,
                    headers={"Content-Type": header},
                )
            )
        assert [answer.status_code for answer in sent] == [202, 202]
        assert sent[0].json == sent[1].json
        assert sent[0].headers["Location"] == sent[1].headers["Location"]
    assert api.get("/api/products/imports", seller).json["total_items"] == 2
    assert len(list((api.config.private_dir / "imports").iterdir())) == 2


#: A quote writes nothing; of many orders each is sent in a transaction of its own, and what has
#: left is `unchanged`; what a provider tells twice is one row; of an address that is signed nothing
#: is kept.
CHANGES_NOTHING_TWICE = {
    "/api/checkout/quote",
    "/api/stores/mine/orders/ship",
    "/api/payments/midtrans/events",
    "/api/payments/pretend/events",
    "/api/links",
}


def test_every_post_that_creates_takes_a_key_and_none_whose_answer_is_a_secret(api: Api):
    for path, resource in app.route_table(api.config, api.db):
        declared = operations.of(resource, "POST")
        if declared is not None:
            account = path.startswith("/api/auth/") and not path.endswith("/open_store")
            creates = not path.endswith("/delete")  # there is nobody left to answer again
            creates = creates and path not in CHANGES_NOTHING_TWICE
            assert declared.idempotent is (creates and not account), path


def test_every_call_that_takes_a_key_replays(api: Api):
    seller, admin, buyer = api.seller(), api.admin(), api.buyer()
    product = api.product(seller)
    image, kind = multipart([("images", "a.jpg", picture())], {})
    avatar, avatar_kind = multipart([("avatar", "a.jpg", picture())], {})
    calls: list[tuple[str, User, dict[str, Any]]] = [
        ("/api/brands", admin, {"json": {"name": "Gayo Asli"}}),
        ("/api/categories", admin, {"json": {"name": "Kopi"}}),
        ("/api/stores", buyer, {"json": {"name": "Toko Baru"}}),
        (
            f"/api/products/{product['id']}/images",
            seller,
            {"body": image, "headers": {"Content-Type": kind}},
        ),
        (
            "/api/users/upload-avatar",
            buyer,
            {"body": avatar, "headers": {"Content-Type": avatar_kind}},
        ),
    ]
    for number, (path, user, options) in enumerate(calls):
        first = send(api, path, user, f"key-{number}", **options)
        again = send(api, path, user, f"key-{number}", **options)
        assert first.status_code in (200, 201), first.text
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["Idempotent-Replayed"] == "true"


def test_twins_at_the_same_moment_make_one_product(committed: Api):
    seller = committed.seller()
    answers: list[Any] = []
    start = threading.Barrier(8)

    def twin() -> None:
        start.wait()
        answers.append(send(committed, "/api/products", seller, "twins", json=PRODUCT))

    threads = [threading.Thread(target=twin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    made = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.json["id"] for answer in made}) == 1
    for answer in answers:
        if answer.status_code != 201:
            problem(answer, 409, "request_in_progress")
            assert answer.headers["Retry-After"]
    assert products_of(committed, seller) == 1


def test_a_twin_of_a_request_that_is_still_at_work_is_told_to_wait(committed: Api):
    seller = committed.seller()
    with committed.db.signing_in() as conn:
        conn.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s || ' ' || %s, 0))",
            [str(seller.id), "a-key-0009"],
        )
        answer = send(committed, "/api/products", seller, "a-key-0009", json=PRODUCT)

    problem(answer, 409, "request_in_progress")
    assert send(committed, "/api/products", seller, "a-key-0009", json=PRODUCT).status_code == 201


def test_another_users_answers_cannot_be_read(committed: Api):
    one, other = committed.seller(), committed.seller()
    send(committed, "/api/products", one, "private", json=PRODUCT)
    from marketplace.security.tokens import Tokens

    caller = Tokens(committed.config).read(other.token)
    with committed.db.transaction(caller) as conn:
        assert conn.execute("SELECT count(*) AS seen FROM idempotency_keys").fetchone() == {
            "seen": 0
        }
