"""Transfers: proof, confirmation and refusal; private images; and what is unpaid goes by itself."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from conftest import PASSWORD, Api, User
from psycopg.rows import dict_row
from support.buying import buyer, key, place, put, seller, upload
from support.images import picture
from support.import_shop import Shop
from support.responses import problem
from support.stock import broken, stock

from marketplace.files import images
from marketplace.files.stores import of_private
from marketplace.postgres.database import Database
from marketplace.web import signed_files
from marketplace.workflows import checkouts, uploads

ACCOUNT = {"bank": "BCA", "number": "123", "holder": "PT Toko"}


@pytest.fixture
def shop(committed: Api) -> Iterator[Shop]:
    """An installation with an account for transfers, and the worker's means."""
    shop = Shop(
        committed,
        transfer_accounts=(ACCOUNT,),
        payment_methods=("cod", "transfer", "store_transfer"),
        rate_limits={},
    )
    yield shop
    shop.db.close()


def bought(
    shop: Shop, method: str = "transfer", sells: User | None = None
) -> tuple[User, dict, int]:
    """Somebody who has placed a thing of two pieces in stock: they, the checkout, the product."""
    api = shop.api
    sells, buys = sells or seller(api), buyer(api)
    product = api.product(sells, stock=2)["id"]
    put(api, buys, (product, 1))
    return buys, place(api, buys, method), product


def check(shop: Shop, product: int, quantity: int, reserved: int) -> None:
    with psycopg.connect(shop.api.owner_url) as conn:
        assert stock(conn, product) == (quantity, reserved)
        assert broken(conn) == []


def test_a_transfer_is_shown_and_confirmed(shop: Shop):
    api, admin = shop.api, shop.api.admin()
    buys, placed, product = bought(shop)
    path = f"/api/payments/{placed['payments'][0]['id']}"
    image = upload(api, buys)
    proof = {"upload": image, "bank": "BCA", "holder": "Siti", "amount": "94000"}
    problem(api.post(f"{path}/proof", api.buyer(), json=proof), 404, "not_found")
    shown = api.post(f"{path}/proof", buys, json=proof)
    assert (shown.status_code, shown.json["state"]) == (200, "checking")
    unpaid = api.get(f"/api/checkouts/{placed['id']}", buys).json
    assert unpaid["can"] == ["pay"]
    assert api.get(f"/api/checkouts/{placed['id']}", admin).json["can"] == ["cancel"]
    problem(
        api.post(f"/api/checkouts/{placed['id']}/cancel", buys, json={}), 409, "payment_checking"
    )
    waiting = api.get("/api/payments", admin).json["payments"]
    assert [(each["id"], each["checkout_id"]) for each in waiting] == [
        (placed["payments"][0]["id"], placed["id"])
    ]
    assert api.get("/api/payments", api.seller()).json["payments"] == []
    assert api.get(f"{path}/proof", admin).status_code == 302
    problem(api.get(f"{path}/proof", api.buyer()), 404, "not_found")
    confirm, short = {"received": "94000"}, {"received": "93999"}
    problem(api.post(f"{path}/confirm", admin, json=confirm), 422, "idempotency_key_required")
    problem(api.post(f"{path}/confirm", buys, json=confirm, headers=key()), 403, "forbidden")
    problem(
        api.post(f"{path}/confirm", api.seller(), json=confirm, headers=key()), 404, "not_found"
    )
    problem(api.post(f"{path}/confirm", admin, json=short, headers=key()), 409, "amount_too_small")
    part = api.post(f"{path}/confirm", admin, json={"received": "94000.50"}, headers=key())
    assert problem(part, 422, "amount_invalid")["errors"][0]["pointer"] == "/received"
    paid = api.post(f"{path}/confirm", admin, json=confirm, headers=key())
    assert (paid.status_code, paid.json["state"]) == (200, "paid")
    settled = api.get(f"/api/checkouts/{placed['id']}", buys).json
    assert (settled["state"], settled["orders"][0]["stage"]) == ("settled", "new")
    check(shop, product, 1, 1)


def test_a_transfer_that_is_not_found_is_open_again(shop: Shop):
    api, admin = shop.api, shop.api.admin()
    buys, placed, product = bought(shop)
    path = f"/api/payments/{placed['payments'][0]['id']}"
    api.post(f"{path}/proof", buys, json={"upload": upload(api, buys)})
    refusal = {"reason": "unreadable", "message": "Foto buram"}
    refused = api.post(f"{path}/refuse", admin, json=refusal)
    assert (refused.json["state"], refused.json["refusal"]) == ("open", "unreadable: Foto buram")
    assert api.post(f"{path}/refuse", admin, json=refusal).json == refused.json
    problem(api.post(f"{path}/refuse", admin, json={"reason": "no"}), 422, "validation_failed")
    problem(api.post(f"{path}/refuse", api.seller(), json=refusal), 404, "not_found")
    check(shop, product, 1, 1)


def test_a_transfer_to_the_store_is_confirmed_by_the_store(shop: Shop):
    api = shop.api
    sells = seller(api)
    account = {"bank": "BRI", "number": "9", "holder": "Sari"}
    path, secret = "/api/stores/mine/pay-account", {"current_password": PASSWORD}
    problem(
        api.put(path, sells, json={**account, "current_password": "wrong"}), 422, "wrong_password"
    )
    half = api.put(path, sells, json={**account, "bank": None, **secret})
    assert problem(half, 422, "validation_failed")["errors"][0]["pointer"] == "/bank"
    nothing = dict.fromkeys((*account, "qris_upload", "qris_url"))
    assert api.put(path, sells, json={**nothing, **secret}).json == nothing
    assert api.put(path, sells, json={**account, **secret}).json == {**nothing, **account}
    buys, placed, product = bought(shop, "store_transfer", sells)
    (payment,) = placed["payments"]
    assert payment["order_id"] == placed["orders"][0]["id"]
    assert payment["instructions"]["accounts"] == [{"bank": "BRI", "number": "9", "holder": "Sari"}]
    api.post(f"/api/payments/{payment['id']}/proof", buys, json={"upload": upload(api, buys)})
    (waiting,) = api.get("/api/payments", sells).json["payments"]
    path = f"/api/payments/{waiting['id']}/confirm"
    problem(
        api.post(path, api.seller(), json={"received": "94000"}, headers=key()), 404, "not_found"
    )
    assert api.post(path, sells, json={"received": "94000"}, headers=key()).json["state"] == "paid"
    check(shop, product, 1, 1)


def test_a_proof_names_an_image_of_the_buyers_own(shop: Shop):
    api = shop.api
    buys, placed, _ = bought(shop)
    path = f"/api/payments/{placed['payments'][0]['id']}/proof"
    for image in (upload(api, api.buyer()), upload(api, buys, "request")):
        answer = api.post(path, buys, json={"upload": image})
        assert problem(answer, 422, "validation_failed")["errors"][0]["pointer"] == "/upload"
    problem(api.post(path, buys, json={"upload": "../x"}), 422, "validation_failed")
    api.post(f"/api/checkouts/{placed['id']}/cancel", buys, json={})
    late = api.post(path, buys, json={"upload": upload(api, buys)})
    assert late.json["state"] == "checking"  # money may have left by then
    _, paid, _ = bought(shop, "cod")
    assert paid["payments"] == []


def test_a_checkout_is_cancelled_in_the_version_that_was_read(shop: Shop):
    api = shop.api
    buys, placed, product = bought(shop)
    path = f"/api/checkouts/{placed['id']}"
    read = api.get(path, buys).headers["etag"]

    def cancel(tag: str, user: User = buys) -> int:
        return api.post(f"{path}/cancel", user, json={}, headers={"If-Match": tag}).status_code

    other_way = api.post(f"{path}/payments", buys, json={"method": "transfer"}, headers=key())
    assert other_way.status_code == 201
    refused = api.post(f"{path}/cancel", buys, json={}, headers={"If-Match": read})
    problem(refused, 412, "precondition_failed")
    problem(
        api.post(f"{path}/cancel", buys, json={}, headers={"If-Match": "7"}), 400, "bad_request"
    )
    fresh = api.get(path, buys).headers["etag"]
    assert cancel(fresh, api.buyer()) == 404
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(cancel, (fresh, fresh))) == [200, 412]
    check(shop, product, 2, 0)


def test_an_image_is_the_proof_of_one_payment(shop: Shop):
    api, sells, buys = shop.api, seller(shop.api), buyer(shop.api)
    product = api.product(sells, stock=4)["id"]
    paths = []
    for _ in range(4):
        put(api, buys, (product, 1))
        paths.append(f"/api/payments/{place(api, buys)['payments'][0]['id']}")
    first, second, third, fourth = paths
    image = {"upload": upload(api, buys)}

    def sent(path: str, proof: dict) -> int:
        return api.post(f"{path}/proof", buys, json=proof).status_code

    assert sent(first, image) == sent(first, image) == 200  # the response was lost
    refused = api.post(f"{second}/proof", buys, json=image)
    assert problem(refused, 409, "upload_used")["errors"][0]["pointer"] == "/upload"
    assert api.get(second, buys).json["state"] == "open"
    assert api.post(f"{first}/refuse", api.admin(), json={"reason": "other"}).status_code == 200
    assert (sent(second, image), sent(first, image)) == (409, 200)
    assert sent(second, {"upload": upload(api, buys)}) == 200
    another = {"upload": upload(api, buys)}
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(lambda path: sent(path, another), (third, fourth))) == [200, 409]
    check(shop, product, 0, 4)


def test_a_proof_keeps_its_pieces_once_and_one_payment_of_a_checkout_is_looked_at(shop: Shop):
    api = shop.api
    buys, placed, _ = bought(shop)
    first = placed["payments"][0]["id"]
    path = f"/api/checkouts/{placed['id']}"

    def send(payment: int):
        body = {"upload": upload(api, buys)}
        return api.post(f"/api/payments/{payment}/proof", buys, json=body)

    def held_until():
        with psycopg.connect(api.owner_url) as conn:
            return conn.execute("SELECT max(expires_at) FROM holds").fetchone()

    changed = api.post(f"{path}/payments", buys, json={"method": "transfer"}, headers=key()).json
    second = changed["payments"][0]["id"]
    problem(send(first), 409, "not_payable")
    assert send(second).json["state"] == "checking"
    until = held_until()
    again = send(second)
    assert (again.json["state"], held_until()) == ("checking", until)
    api.post(f"{path}/cancel", api.admin(), json={})
    assert send(first).json["state"] == "checking"
    problem(send(second), 409, "payment_open")


def test_a_store_shows_a_code_to_whoever_pays_there(shop: Shop):
    api, sells = shop.api, seller(shop.api)
    path, secret = "/api/stores/mine/pay-account", {"current_password": PASSWORD}
    empty = dict.fromkeys(("bank", "number", "holder", "qris_upload", "qris_url"))
    assert api.get(path, sells).json == empty
    code, wrong = upload(api, sells, "qris"), upload(api, sells, "proof")
    bank = {"bank": "BRI", "number": "9", "holder": "Sari"}
    for image in (wrong, upload(api, api.seller(), "qris")):
        answer = api.put(path, sells, json={**bank, "qris_upload": image, **secret})
        assert problem(answer, 422, "validation_failed")["errors"][0]["pointer"] == "/qris_upload"
    assert api.get(path, sells).json == empty
    kept = api.put(path, sells, json={**bank, "qris_upload": code, **secret}).json
    assert (kept["number"], kept["qris_upload"]) == ("9", code)
    assert api.put(path, sells, json={**kept, **secret}).json["qris_upload"] == code
    buys, placed, _ = bought(shop, "store_transfer", sells)
    (payment,) = placed["payments"]
    assert payment["instructions"]["qris"] is True
    image = f"/api/payments/{payment['id']}/qris"
    for user in (buys, sells, api.admin()):
        shown = api.get(image, user)
        assert shown.status_code == 302
        served = api.get("/" + shown.headers["location"].partition("://")[2].partition("/")[2])
        assert served.content[:4] == b"RIFF"
    for user in (api.buyer(), api.seller()):
        problem(api.get(image, user), 404, "not_found")
    alone = upload(api, sells, "qris")
    api.put(path, sells, json={**empty, "qris_upload": alone, **secret})
    seen = api.get(f"/api/payments/{payment['id']}", buys).json["instructions"]
    assert (seen["accounts"], seen["qris"]) == ([], True)
    with psycopg.connect(api.owner_url) as conn:
        used = conn.execute("SELECT id::text FROM uploads WHERE used").fetchall()
    assert used == [(alone,)]
    api.post(f"/api/checkouts/{placed['id']}/cancel", buys, json={})
    problem(api.get(image, buys), 404, "not_found")
    assert api.put(path, sells, json={**empty, **secret}).json == empty


def test_a_private_image_is_served_at_a_signed_address_for_ten_minutes(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
):
    api, user = shop.api, shop.api.buyer()
    sent = api.upload("/api/uploads", user, [("file", "a", picture())], {"purpose": "proof"})
    path = sent.json["thumb_url"].partition("://")[2].partition("/")[2]
    served = api.get(f"/{path}")
    assert (served.status_code, served.headers["content-type"]) == (200, "image/webp")
    assert served.content[:4] == b"RIFF"
    for wrong in (path.replace("thumb", "large"), path[:-1] + ("0" if path[-1] != "0" else "1")):
        problem(api.get(f"/{wrong}"), 404, "not_found")
    monkeypatch.setattr(signed_files, "SECONDS", -1)
    old = api.upload("/api/uploads", user, [("file", "a", picture())], {"purpose": "proof"})
    path = old.json["thumb_url"].partition("://")[2].partition("/")[2]
    problem(api.get(f"/{path}"), 404, "not_found")


def test_an_upload_is_an_image_with_a_purpose(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    api, user = shop.api, shop.api.buyer()
    image = ("file", "a", picture())
    problem(api.upload("/api/uploads", user, [image], {}), 422, "validation_failed")
    problem(api.upload("/api/uploads", user, [image], {"purpose": "x"}), 422, "validation_failed")
    problem(api.upload("/api/uploads", user, [], {"purpose": "proof"}), 422, "validation_failed")
    text = ("file", "a", b"hello")
    problem(api.upload("/api/uploads", user, [text], {"purpose": "proof"}), 422, "picture_refused")


def test_who_has_many_unnamed_images_is_told_when_one_of_them_goes(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
):
    api, user, image = shop.api, shop.api.buyer(), ("file", "a", picture())
    monkeypatch.setattr(uploads, "MOST", 2)
    first, _ = upload(api, user), upload(api, user)

    def again(hours: int) -> Any:
        with psycopg.connect(api.owner_url) as conn:
            conn.execute(
                "UPDATE uploads SET created_at = now() - make_interval(hours => %s) WHERE id = %s",
                [hours, first],
            )
        return api.upload("/api/uploads", user, [image], {"purpose": "proof"})

    many = again(hours=23)
    problem(many, 429, "too_many_requests")
    assert 3000 < int(many.headers["Retry-After"]) <= 3600
    assert again(hours=25).status_code == 201
    monkeypatch.setattr(images, "_queue", set(range(99)))
    busy = again(hours=25)
    problem(busy, 429, "too_many_requests")
    assert busy.headers["Retry-After"] == str(images.ImagesBusy.retry_after)


def test_images_that_nobody_names_go_after_a_day(shop: Shop):
    api = shop.api
    buys, placed, _ = bought(shop)
    named, forgotten = upload(api, buys), upload(api, buys)
    api.post(f"/api/payments/{placed['payments'][0]['id']}/proof", buys, json={"upload": named})
    with psycopg.connect(api.owner_url) as conn:
        conn.execute("UPDATE uploads SET created_at = now() - interval '25 hours'")
    files = of_private(shop.config)
    files.put(uploads.key_of("aa" + "0" * 34, "large"), b"left by a crash")
    assert uploads.sweep(shop.db, files, 24 * 3600) == 1
    assert len(list(files.keys("uploads/"))) == 3
    assert uploads.sweep(shop.db, files, -1) == 0
    left = {file.key for file in files.keys("uploads/")}
    assert left == {uploads.key_of(named, size) for size in uploads.SIZES}
    assert forgotten not in str(left)


def test_what_is_unpaid_goes_by_itself_unless_somebody_looks_at_it(shop: Shop):
    api = shop.api
    buys, first, product = bought(shop)
    shows, second, other = bought(shop)
    proof = {"upload": upload(api, shows)}
    api.post(f"/api/payments/{second['payments'][0]['id']}/proof", shows, json=proof)
    assert checkouts.cancel_due(shop.db) == 0
    with psycopg.connect(api.owner_url) as conn:
        conn.execute("UPDATE checkouts SET pay_by = now() - interval '1 second'")
    assert checkouts.cancel_due(shop.db) == 1
    assert checkouts.cancel_due(shop.db) == 0
    cancelled = api.get(f"/api/checkouts/{first['id']}", buys).json
    assert (cancelled["state"], cancelled["payments"][0]["state"]) == ("cancelled", "expired")
    assert api.get(f"/api/checkouts/{second['id']}", shows).json["state"] == "unpaid"
    check(shop, product, 2, 0)
    check(shop, other, 1, 1)


def test_the_worker_of_a_database_is_what_cancels_by_time(shop: Shop):
    _, placed, _ = bought(shop)
    app = Database(replace(shop.config))
    try:
        with app.primary() as conn:
            row = conn.cursor(row_factory=dict_row).execute(
                "SELECT cancel_checkout(%s, 'unpaid') AS outcome", [placed["id"]]
            )
            assert row.fetchone() == {"outcome": None}
    finally:
        app.close()
