"""HTTP manners: HEAD, OPTIONS, Allow, Accept, CORS, what every answer carries, and calls that
are to go.
"""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import falcon
import falcon.testing
import pytest
from conftest import Api, User
from support import browser
from support.images import picture
from support.responses import problem

from marketplace import app
from marketplace.config import settings
from marketplace.config.env import ConfigError
from marketplace.config.settings import Config
from marketplace.contract import operations
from marketplace.openapi import document
from marketplace.web import headers

ORIGIN = "https://app.example"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
EACH_ITS_OWN = ("x-request-id", "ratelimit")
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "if-match",
}


def opened(api: Api, *origins: str) -> Api:
    """The same API with CORS_ORIGINS."""
    api.config = replace(api.config, cors_origins=origins)
    api.app = app.create_app(api.config, api.db)
    api.client = falcon.testing.TestClient(api.app)
    return api


def cors(answer: Any) -> dict[str, str]:
    return {
        name.lower(): value
        for name, value in answer.headers.items()
        if name.lower().startswith("access-control-")
    }


def vary(answer: Any) -> list[str]:
    return answer.headers.get("Vary", "").split(", ")


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
    return seller, admin, found


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
    before = api.get("/api/users/activities", seller).json["total_items"]
    for path, user in readable:
        head = api.request(
            "HEAD", path, user, query_string="q=kopi" if path.endswith("/suggest") else None
        )
        assert (head.status_code, head.content) == (200, b""), path
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


def test_without_cors_origins_no_page_may_read_anything(api: Api):
    for answer in (
        api.get("/api/products", headers={"Origin": ORIGIN}),
        api.get("/api/users/profile", headers={"Origin": ORIGIN}),
        api.request("OPTIONS", "/api/products", headers=PREFLIGHT),
    ):
        assert cors(answer) == {}
        assert "Origin" in vary(answer)  # in development a page of this machine may


def test_in_production_without_cors_origins_no_page_may_read_anything(api: Api):
    settled = {"environment": "production", "public_url": "https://shop.example"}
    closed = Api(Config(**{**api.config.__dict__, **settled}), api.db, api.owner_url)
    for origin in (ORIGIN, "http://localhost:3000"):
        answer = closed.get("/api/products", headers={"Origin": origin})
        assert cors(answer) == {}
        assert "Origin" not in vary(answer)


def test_a_preflight_needs_no_token_and_says_what_may_be_sent(api: Api):
    answer = opened(api, ORIGIN).request("OPTIONS", "/api/users/profile", headers=PREFLIGHT)

    assert (answer.status_code, answer.content) == (204, b"")
    assert cors(answer) == {
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-methods": "DELETE, GET, HEAD, OPTIONS, PATCH, PUT",
        "access-control-allow-headers": headers.TAKEN,
        "access-control-max-age": "7200",
    }
    assert "Origin" in vary(answer)


def test_answers_and_refusals_can_be_read_by_the_origins_that_are_named(api: Api):
    api = opened(api, "https://other.example", ORIGIN)
    user = api.buyer()
    with api.as_owner(api.db.conn) as conn:
        conn.execute("ALTER TABLE product_documents RENAME COLUMN document TO gone")
    sent = {"Origin": ORIGIN}
    answers = [
        api.get("/api/users/profile", user, headers=sent),
        api.get("/api/users/profile", headers=sent),
        api.get("/api/users", user, headers=sent),
        api.get("/api/nothing", headers=sent),
        api.delete("/api/products", headers=sent),
        api.get("/api/brands", headers={**sent, "Accept": "text/csv"}),
        api.post("/api/auth/login", json={}, headers=sent),
        api.get("/api/products", headers=sent),
        api.get("/docs/start.js", headers=sent),
    ]

    assert [answer.status_code for answer in answers] == [
        200,
        401,
        403,
        404,
        405,
        406,
        422,
        500,
        200,
    ]
    for answer in answers:
        assert cors(answer) == {
            "access-control-allow-origin": ORIGIN,
            "access-control-expose-headers": headers.SHOWN,
        }
        assert "Origin" in vary(answer)


@pytest.mark.parametrize(
    "origin", [None, "null", "https://app.example.evil.example", "http://app.example", "*"]
)
def test_another_origin_reads_nothing_and_caches_hear_that_it_matters(api: Api, origin: str | None):
    api = opened(api, ORIGIN)
    sent = {"Origin": origin} if origin else {}
    for answer in (
        api.get("/api/products", headers=sent),
        api.get("/api/nothing", headers=sent),
        api.request("OPTIONS", "/api/products", headers={**PREFLIGHT, "Origin": origin or ""}),
    ):
        assert cors(answer) == {}
        assert "Origin" in vary(answer)


def test_a_star_lets_every_origin_read_and_makes_no_difference_between_them(api: Api):
    api = opened(api, "*")
    for sent in ({}, {"Origin": ORIGIN}, {"Origin": "null"}):
        answer = api.get("/api/products", headers=sent)
        assert cors(answer)["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in cors(answer)
        assert "Origin" not in vary(answer)
    preflight = api.request(
        "OPTIONS", "/api/products/1", headers={**PREFLIGHT, "Origin": "capacitor://localhost"}
    )
    assert cors(preflight)["access-control-allow-origin"] == "*"
    assert "PATCH" in cors(preflight)["access-control-allow-methods"]


def test_a_preflight_for_nothing_grants_nothing(api: Api):
    answer = opened(api, ORIGIN).request("OPTIONS", "/api/nothing", headers=PREFLIGHT)

    problem(answer, 404, "not_found")
    assert "access-control-allow-methods" not in cors(answer)


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", ()),
        ("*", ("*",)),
        ("https://app.example", ("https://app.example",)),
        (
            "https://app.example, http://localhost:5173 capacitor://localhost",
            ("https://app.example", "http://localhost:5173", "capacitor://localhost"),
        ),
        (
            "http://[::1]:8080,https://xn--bcher-kva.example",
            ("http://[::1]:8080", "https://xn--bcher-kva.example"),
        ),
    ],
)
def test_cors_origins_are_read_as_browsers_write_them(
    text: str, origins: tuple[str, ...], tmp_path: Path
):
    env = {"CORS_ORIGINS": text, "DATA_DIR": str(tmp_path)}

    assert settings.load(env).cors_origins == origins


@pytest.mark.parametrize(
    "text",
    [
        "app.example",
        "https://app.example/",
        "https://app.example/shop",
        "https://App.example",
        "https://app.example:443",
        "http://app.example:80",
        "https://app.example:70000",
        "https://app.example:",
        "https://*.app.example",
        "https://user@app.example",
        "https://app.example?x",
        "https://",
        "null",
        "*, https://app.example",
        "https://app.example;https://other.example",
    ],
)
def test_what_no_browser_would_send_stops_the_start(text: str, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"CORS_ORIGINS must be \* alone, or origins"):
        settings.load({"CORS_ORIGINS": text, "DATA_DIR": str(tmp_path)})


PAGE = """<!doctype html><title>Another origin</title><pre></pre><script>
const call = (path, options) => fetch(API + path, options)
  .then(async (answer) => ({
    status: answer.status, id: answer.headers.get("X-Request-ID"), tag: answer.headers.get("ETag"),
    challenge: answer.headers.get("WWW-Authenticate"), code: (await answer.json()).code,
  }))
  .catch((error) => ({ refused: error.name }));
const sent = {
  Authorization: "Bearer " + TOKEN, "Content-Type": "application/json", "Idempotency-Key": "a-key-of-a-page",
  "If-Match": "*", "Accept-Language": "id", "X-Request-ID": "asked-by-a-page",
};
(async () => {
  const answers = [
    await call("/api/users/profile", { method: "PATCH", headers: sent, body: JSON.stringify({ phone: "0812" }) }),
    await call("/api/users/profile", {}),
    await call("/api/users/profile", { method: "PATCH", headers: { ...sent, "X-Other": "1" }, body: "{}" }),
  ];
  document.querySelector("pre").textContent = JSON.stringify(answers);
})();
</script>"""


@pytest.mark.parametrize("named", [True, False])
def test_a_browser_lets_a_page_of_a_named_origin_call_and_no_other(
    api: Api, named: bool, tmp_path: Path
):
    user = api.buyer()
    body = ""

    def page(env: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html")])
        return [body.encode()]

    with (
        browser.serving(page) as origin,
        browser.serving(opened(api, origin if named else ORIGIN).app) as server,
    ):
        body = PAGE.replace("API", json.dumps(server), 1).replace(
            "TOKEN", json.dumps(user.token), 1
        )
        dom, _ = browser.visit(origin, tmp_path)
    answers = json.loads(html.unescape(re.search(r"<pre>(.*?)</pre>", dom, re.DOTALL)[1]))

    refused = {"refused": "TypeError"}
    if named:
        changed, guest, other = answers
        assert (changed["status"], changed["id"], bool(changed["tag"])) == (
            200,
            "asked-by-a-page",
            True,
        )
        assert (guest["status"], guest["code"]) == (401, "unauthorized")
        assert other == refused  # a header that the preflight does not grant
    else:
        assert answers == [refused, refused, refused]
    assert api.get("/api/users/profile", user).json["phone"] == ("0812" if named else None)


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
