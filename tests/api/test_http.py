"""HTTP manners: HEAD, OPTIONS, Allow, Accept, CORS, what every answer carries, and calls that
are to go.
"""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import falcon
import falcon.testing
import pytest
from conftest import Api, User
from support import buying
from support.images import picture
from support.orders import Desk
from support.responses import problem

from marketplace import app
from marketplace.contract import operations
from marketplace.openapi import document
from marketplace.web import headers

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
#: A proof leads to a signed address; without a signature no file is shown; an invoice comes when an
#: order is completed; the store has no QR code.
NOT_200 = {"proof": 302, "file": 422, "invoice": 404, "qris": 404}
EACH_ITS_OWN = ("x-request-id", "ratelimit")


@pytest.fixture
def things(api: Api) -> tuple[User, User, dict[str, Any]]:
    """A seller and an admin, and one thing for every path that names one."""
    seller, admin = api.seller(), api.admin()
    product = api.product(seller)
    images = api.upload(
        f"/api/products/{product['id']}/images", seller, [("images", "a.png", picture())]
    )
    started = api.upload(
        "/api/products/import-csv", seller, [("file", "a.csv", b"name,price\nKopi,1000\n")]
    )
    found = {
        "user_id": seller.id,
        "store_id": seller.store_id,
        "product_id": product["id"],
        "image_id": images.json["images"][0]["id"],
        "import_id": started.json["id"],
        "category_id": api.post("/api/categories", admin, json={"name": "Teh"}).json["id"],
        "brand_id": api.post("/api/brands", admin, json={"name": "Teh"}).json["id"],
        "session_id": api.get("/api/auth/sessions", seller).json["sessions"][0]["id"],
    }
    return seller, admin, found | bought(api, seller)


def bought(api: Api, user: User) -> dict[str, Any]:
    """One thing for every path that names something of trade: the user sells, and buys of another."""
    address = api.post("/api/users/addresses", user, json=buying.HOME).json
    option = api.post("/api/stores/mine/delivery-options", user, json=buying.OPTION).json
    voucher = {"code": "HEMAT10", "name": "Hemat", "gives": "percent", "value": "10"}
    buying.put(api, user, (api.product(buying.seller(api), stock=3)["id"], 1))
    checkout = buying.place(api, user)
    payment = checkout["payments"][0]["id"]
    proof = {"upload": buying.upload(api, user), "bank": "BCA", "holder": "Siti"}
    proof["amount"] = checkout["payments"][0]["amount"]
    assert api.post(f"/api/payments/{payment}/proof", user, json=proof).status_code == 200
    return {
        "address_id": address["id"],
        "option_id": option["id"],
        "voucher_id": api.post("/api/stores/mine/vouchers", user, json=voucher).json["id"],
        "checkout_id": checkout["id"],
        "payment_id": payment,
        "variant_id": 1,
        **sold(api, user),
    }


def sold(api: Api, user: User) -> dict[str, Any]:
    """An order of the user's store that arrived, and of which something comes back."""
    desk = Desk(api, user)
    order = desk.order((desk.product(), 2))
    line = desk.lines(order)[0]
    parcel = desk.ship(order)
    desk.do(desk.seller, "SELECT deliver_shipment(%s, %s)", order, parcel)
    opening = "SELECT open_return(%s, 'damaged', 'Pecah', '{}', ARRAY[%s::bigint], ARRAY[1], false)"
    return {
        "order_id": order,
        "shipment_id": parcel,
        "return_id": desk.do(desk.buyer, opening, order, line),
        "refund_id": 1,
        "entry_id": desk.one("SELECT max(id) FROM ledger_entries"),
    }


def paths(api: Api, found: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every path of the route table with ids that are there, and its resource."""
    for template, resource in app.route_table(api.config, api.db):
        yield re.sub(r"\{([a-z_]+):id\}", lambda name: str(found[name[1]]), template), resource


def test_head_answers_what_get_would_and_nothing_is_logged(
    api: Api, things: tuple[User, User, dict[str, Any]]
):
    seller, admin, found = things
    readable = [
        (path, admin if "admin" in operation.roles and "seller" not in operation.roles else seller)
        for path, resource in paths(api, found)
        if (operation := operations.of(resource, "GET"))
    ]
    asked = {"suggest": "q=kopi", "packing-slips": f"ids={found['order_id']}"}
    before = api.get("/api/users/activities", seller).json["total_items"]
    for path, user in readable:
        last = path.rsplit("/", 1)[-1]
        head = api.request("HEAD", path, user, query_string=asked.get(last))
        expected = NOT_200.get(last, 200)
        assert (head.status_code, head.content) == (expected, b""), path
    assert api.get("/api/users/activities", seller).json["total_items"] == before

    for path, user in readable:
        head, get = api.request("HEAD", path, user), api.get(path, user)
        for name in EACH_ITS_OWN:
            head.headers.pop(name, None)
            get.headers.pop(name, None)
        assert head.headers == get.headers, path


def test_options_and_a_refused_method_name_the_same_methods(
    api: Api, things: tuple[User, User, dict[str, Any]]
):
    for path, resource in paths(api, things[2]):
        methods = {method for method in METHODS if operations.of(resource, method)}
        allowed = ", ".join(
            sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set()))
        )
        options = api.request("OPTIONS", path)
        assert (options.status_code, options.content, options.headers["Allow"]) == (
            204,
            b"",
            allowed,
        ), path
        for method in {*METHODS, "HEAD", "TRACE"} - set(allowed.split(", ")):
            refused = api.request(method, path)
            assert (refused.status_code, refused.headers["Allow"]) == (405, allowed), (
                f"{method} {path}"
            )


def test_options_of_nothing_is_a_404(api: Api):
    problem(api.request("OPTIONS", "/api/nothing"), 404, "not_found")
    problem(api.request("OPTIONS", "/api/products/0"), 404, "not_found")


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
def test_a_websocket_is_refused_like_any_other_method(api: Api):
    problem(api.request("WEBSOCKET", "/api/products"), 405, "method_not_allowed")


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",  # curl
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",  # browsers
        "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",  # Java's URLConnection
        "application/json, text/plain, */*",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/*;q=0.1",
        "application/problem+json, application/json",
        "",
        "garbage",
        "*/*;q=much",
        "application/json,",
        ", ,",
        "a" * 4000,
    ],
)
def test_clients_that_take_json_or_do_not_know_get_it(api: Api, accept: str):
    answer = api.get("/api/products", headers={"Accept": accept})

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize(
    "accept",
    ["text/csv", "text/html", "image/*", "application/json;q=0, */*", "application/problem+json"],
)
def test_what_a_call_cannot_answer_is_a_406_that_says_what_it_can(api: Api, accept: str):
    answer = api.get("/api/products", headers={"Accept": accept})

    assert problem(answer, 406, "not_acceptable")["detail"] == "This call returns application/json."
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_406_comes_before_anything_is_done(api: Api):
    seller = api.seller()
    product = {"name": "Teh", "price": "1"}
    problem(
        api.post("/api/products", seller, json=product, headers={"Accept": "text/csv"}),
        406,
        "not_acceptable",
    )

    assert api.get("/api/stores/mine/products", seller).json["products"] == []


def test_a_file_is_asked_for_by_its_own_type(api: Api):
    user = api.buyer()
    path = "/api/users/export-activities"
    for accept in ("text/csv", "text/*", "text/csv, application/problem+json", "application/json"):
        assert api.get(path, user, headers={"Accept": accept}).status_code == 200, accept
    problem(api.get(path, user, headers={"Accept": "image/png"}), 406, "not_acceptable")
    assert api.get("/docs", headers={"Accept": "text/html"}).status_code == 200
    problem(api.get("/docs", headers={"Accept": "application/json"}), 406, "not_acceptable")


def test_where_there_is_no_content_there_is_nothing_to_choose(api: Api):
    """Generated clients send what the document lists: of a 204 there is only the type of its
    refusals.
    """
    headers = {"Accept": "application/problem+json"}

    assert api.post("/api/auth/logout", api.buyer(), headers=headers).status_code == 204


def test_every_answer_says_that_nothing_in_it_is_to_be_run(api: Api):
    user = api.buyer()
    answers = [
        api.get("/healthz"),
        api.get("/api/products"),
        api.get("/api/users/profile", user),
        api.get("/api/users/profile"),
        api.get("/api/nothing"),
        api.request("OPTIONS", "/api/products"),
        api.post("/api/auth/login", json={}),
        api.get("/docs/start.js"),
    ]
    tag = api.get("/api/categories").headers["ETag"]
    answers.append(api.get("/api/categories", headers={"If-None-Match": tag}))

    assert [answer.status_code for answer in answers] == [
        200,
        200,
        200,
        401,
        404,
        204,
        422,
        200,
        304,
    ]
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert (
            answer.headers["Content-Security-Policy"]
            == "default-src 'none'; frame-ancestors 'none'"
        )
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_a_picture_is_a_picture_and_nothing_else(api: Api):
    user = api.buyer()
    url = api.upload("/api/users/upload-avatar", user, [("avatar", "x.html", picture())]).json[
        "avatar"
    ]["url"]
    path = "/" + url.split("/", 3)[3]
    answer = api.get(path)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/webp")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert api.request("HEAD", path).headers["Content-Length"] == str(len(answer.content))
    assert api.request("OPTIONS", path).headers["Allow"] == "GET, HEAD, OPTIONS"
    for method in ("POST", "PUT", "DELETE"):
        problem(api.request(method, path), 405, "method_not_allowed")
    problem(api.get("/uploads/nothing.webp"), 404, "not_found")
    problem(api.get("/uploads/../data/secret"), 404, "not_found")


class Old:
    """/api/old"""

    @operations.operation(
        "listOld",
        "Old",
        roles=operations.PUBLIC,
        query={"page": {"type": "integer", "coerce": "int64"}},
        responses={200: {"old": {"type": "boolean"}}},
        deprecated=operations.Deprecated(date(2026, 11, 22), date(2027, 6, 30), "/api/new"),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer."""
        resp.append_link("/api/old?page=2", "next")
        resp.media = {"old": True}

    @operations.operation(
        "addOld", "Old", responses={204: None}, deprecated=operations.Deprecated(date(2026, 11, 22))
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer."""


def test_a_call_that_is_to_go_says_so_in_every_answer_and_in_the_document(api: Api):
    old = Old()
    headers.complete(old)
    api.app.add_route("/api/old", old)
    for answer in (api.client.simulate_get("/api/old"), api.client.simulate_get("/api/old?page=x")):
        assert answer.headers["Deprecation"] == "@1795305600"
        assert answer.headers["Sunset"] == "Wed, 30 Jun 2027 00:00:00 GMT"
        assert "</api/new>; rel=successor-version" in answer.headers["Link"]
    listed = api.client.simulate_get("/api/old").headers["Link"]
    assert "</api/old?page=2>; rel=next" in listed
    refused = api.client.simulate_post("/api/old")
    assert (refused.status_code, refused.headers["Deprecation"]) == (401, "@1795305600")
    assert "Sunset" not in refused.headers
    assert "Link" not in refused.headers
    assert "Deprecation" not in api.get("/api/products").headers

    for call, body, successor in (
        ("PUT /api/users/profile/username", {"name": "Sari"}, "/api/users/profile"),
        ("GET /api/auth/brands/my", None, "/api/stores/mine"),
    ):
        answer = api.request(*call.split(), api.seller(), json=body)
        assert f"<{successor}>; rel=successor-version" in answer.headers["Link"]
        assert answer.headers["Deprecation"].startswith("@")

    calls = document.build([("/api/old", old)], api.config)["paths"]["/api/old"]
    assert calls["get"]["deprecated"] is calls["post"]["deprecated"] is True
    described = api.get("/api/openapi.json").json["paths"]
    assert "deprecated" not in described["/api/products"]["get"]
