"""CORS: which origins a browser lets read and send what."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import falcon
import falcon.testing
import pytest
from conftest import Api
from support import browser
from support.responses import problem

from marketplace import app
from marketplace.config import settings
from marketplace.config.env import ConfigError
from marketplace.config.settings import Config
from marketplace.web import headers

ORIGIN = "https://app.example"

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
        conn.execute("ALTER VIEW product_cards RENAME COLUMN document TO gone")
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
ANSWERS = """
const told = document.querySelector("pre");
while (!told.textContent) await new Promise((go) => setTimeout(go, 20));
return told.textContent;
"""


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
        with browser.opened(tmp_path) as shown:
            shown.show(origin, 800, 600)
            answers = json.loads(shown.run(ANSWERS))

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
