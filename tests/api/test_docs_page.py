"""/docs: Swagger UI from files of ours, without the Internet."""

import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

from conftest import PASSWORD, Api
from support import browser
from support.responses import problem

from marketplace.config.folders import LOGINS
from marketplace.resources import docs

#: What came from swagger-ui-dist 5.35.0, unchanged.
VENDORED = {
    "LICENSE": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
    "NOTICE": "0d20d1adef18aee3f40dd258172155521ce702ac445cb5f7b7d60ed32dad2fb2",
    "favicon-32x32.png": "3ed612f41e050ca5e7000cad6f1cbe7e7da39f65fca99c02e99e6591056e5837",
    "index.css": "9324807d424565a1639bb29f3754c8d4d45c1009c67674e996e33355f6929ce7",
    "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
    "swagger-ui-bundle.js.LICENSE.txt": "37eb6e7e59aed57b2c1acf076574b818ea07b74265717e0bd67b59e0baf9abbb",
    "swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
}
OURS = {"README.md", "page.css", "start.js"}
TYPES = {".js": "text/javascript", ".css": "text/css", ".png": "image/png"}
#: Waits for what a person would look for.
WHEN = """
const pause = () => new Promise((go) => setTimeout(go, 20));
const when = async (selector) => {
  for (const start = Date.now(); Date.now() - start < 60000; await pause()) {
    const found = document.querySelector(selector);
    if (found) return found;
  }
  throw new Error(`${selector} has not come`);
};
"""
#: To the end of the page: calls are drawn when they come into view.
LOOK = f"""{WHEN}
const calls = new Set();
await when(".opblock");
for (let top = 0; top < document.documentElement.scrollHeight; top += innerHeight / 2) {{
  scrollTo(0, top);
  await pause();
  await new Promise(requestAnimationFrame);
  for (const each of document.querySelectorAll(".opblock")) calls.add(each.id);
}}
return [...calls];
"""
SIGN_IN = f"""{WHEN}
(await when("#demo button")).click();
await when("#demo button[aria-pressed=true]");
return document.querySelector("#demo output").textContent;
"""
#: "Try it out" and "Execute" on a call as it stands there.
EXECUTE = """
const place = "#operations-CALL";
for (let top = 0; !document.querySelector(place); top += innerHeight / 2) {
  scrollTo(0, top);
  await pause();
}
(await when(`${place} .opblock-summary-control`)).click();
(await when(`${place} .try-out__btn`)).click();
(await when(`${place} button.execute`)).click();
const row = await when(`${place} .live-responses-table tbody .response`);
return [row.querySelector(".response-col_status").textContent.trim(), row.textContent];
"""


class Page(HTMLParser):
    """The attributes of a page's elements, and the text of its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str]] = []
        self.inline = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        if self.cdata_elem is not None:
            self.inline += data

    @property
    def addresses(self) -> list[str]:
        return [value for name, value in self.attributes if name in ("href", "src")]


def test_the_files_are_the_packages_own(api: Api):
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in docs.FOLDER.iterdir()
    }

    assert {name: digest for name, digest in found.items() if name not in OURS} == VENDORED
    assert set(found) == {*VENDORED, *OURS}


def test_the_page_runs_nothing_inline_and_nothing_of_others(api: Api):
    answer = api.get("/docs")
    page = Page(answer.text)

    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";")
    )
    assert (
        policy["default-src"]
        == policy["frame-ancestors"]
        == policy["base-uri"]
        == policy["form-action"]
        == "'none'"
    )
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert page.inline.strip() == ""
    assert not [name for name, _ in page.attributes if name == "style" or name.startswith("on")]
    assert len(page.addresses) == 7
    assert "//" not in "".join(page.addresses)
    script = (docs.FOLDER / "start.js").read_text(encoding="utf-8")
    assert "://" not in script
    assert "validatorUrl: null" in script
    styles = (docs.FOLDER / "swagger-ui.css").read_text(encoding="utf-8")
    assert set(re.findall(r"url\(\s*[\"']?(\w+)", styles)) == {"data"}
    assert "@import" not in styles


def test_every_file_of_the_page_is_there_with_its_type(api: Api):
    for path in ("/docs", "/docs/"):
        for address in Page(api.get(path).text).addresses:
            # the page knows no address but its own, so a prefix in front of it changes nothing
            found = urljoin(f"http://shop.example/market{path}", address)
            assert found.startswith("http://shop.example/market/"), address
            name = found.removeprefix("http://shop.example/market")
            answer = api.get(name)
            assert answer.status_code == 200, name
            if name.startswith("/docs/"):
                assert answer.headers["Content-Type"].partition(";")[0] == TYPES[Path(name).suffix]
                assert answer.content == (docs.FOLDER / Path(name).name).read_bytes()


def test_a_file_is_kept_and_asked_for_again(api: Api):
    first = api.get("/docs/start.js")
    head = api.request("HEAD", "/docs/start.js")

    assert first.headers["Cache-Control"] == "no-cache"
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["Content-Length"] == str(len(first.content))
    again = api.get("/docs/start.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_below_docs_there_is_nothing_else(api: Api):
    for path in (
        "/docs/nothing.js",
        "/docs/../config.py",
        "/docs/%2e%2e/config.py",
        "/docs/..%2fconfig.py",
        "/docs//",
    ):
        problem(api.get(path), 404, "not_found")
    refused = api.post("/docs/start.js")
    problem(refused, 405, "method_not_allowed")
    options = api.request("OPTIONS", "/docs/start.js")
    assert refused.headers["Allow"] == options.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert (options.status_code, options.content) == (204, b"")


def test_a_browser_shows_every_call_signs_in_and_tries_two(committed: Api, tmp_path: Path):
    seller = committed.seller()
    committed.product(seller, name="Kopi yang dicoba")
    kept = committed.config.data_dir / LOGINS
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(f"{seller.email} {PASSWORD} seller\n")
    calls = {
        call["operationId"]
        for methods in committed.get("/api/openapi.json").json["paths"].values()
        for method, call in methods.items()
        if method != "parameters"
    }

    with browser.serving(committed.app) as server, browser.opened(tmp_path) as page:
        for width, height in ((390, 844), (1280, 900)):
            page.show(f"{server}/docs", width, height)
            assert {each.rpartition("-")[2] for each in page.run(LOOK)} == calls
            assert page.run("return document.documentElement.scrollWidth") <= width
        assert page.run(SIGN_IN).startswith("Signed in as Budi, seller")
        for call, status, word in (
            ("products-listProducts", "200", "Kopi yang dicoba"),
            ("products-createProduct", "201", "Kopi Gayo 250 g"),
        ):
            shown = page.run(WHEN + EXECUTE.replace("CALL", call))
            assert shown[0] == status
            assert word in shown[1]

    assert page.errors == []
    mine = committed.get("/api/stores/mine/products", seller).json["products"]
    assert {product["name"] for product in mine} == {"Kopi Gayo 250 g", "Kopi yang dicoba"}
