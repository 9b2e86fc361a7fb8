"""What nginx keeps of the catalogue, for whom and how long. Skipped where no nginx is installed.

Before the real application; and, where an application has to die, to be away for an hour or to be
slow, before a socket that answers as such a one does.
"""

import contextlib
import gzip
import http.client
import json
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import created, make_config
from support.behind_nginx import NGINX, SHIPPED, Answer, Site, call, logged, nginx, send, site

from marketplace import app
from marketplace.contract import operations
from marketplace.postgres.database import Database
from marketplace.web.etags import _SHARED

pytestmark = [
    pytest.mark.alone,  # how old a page may be
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
]
PASSWORD = "kopi-susu-tanpa-gula-7"
ORIGINS = ("https://satu.example", "https://dua.example")


@pytest.fixture(scope="module")
def at(owner_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with (
        created(owner_url, f"{template}_cache", template) as url,
        site(folder, url, CORS_ORIGINS=",".join(ORIGINS)) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def token(at: Site) -> str:
    """A seller's, with a store and enough products to be worth compressing."""
    body = {"name": "Sari", "email": "sari@t.example", "password": PASSWORD, "role": "seller"}
    made = str(send(at, "POST", "/api/auth/register", body).json["access_token"])
    assert send(at, "POST", "/api/stores", {"name": "Toko Sari"}, made).status == 201
    for number in range(8):
        document = {"name": f"Kopi {number}", "price": "1000", "stock": 1}
        assert send(at, "POST", "/api/products", document, made).status == 201
    return made


def states(at: Site, path: str, least: int) -> list[str]:
    return [line["cache"] for line in logged(at, lambda line: line["path"] == path, least)]


def test_nginx_keeps_where_the_application_declares_it_and_nowhere_else(
    owner_url: str, tmp_path: Path
):
    text = (SHIPPED / "site.conf").read_text()
    blocks = re.findall(r"^location ~ (\S+) \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    config = make_config(owner_url, tmp_path)
    for path, resource in app.route_table(config, Database(config)):
        declared = operations.of(resource, "GET")
        address = re.sub(r"\{[^}]+\}", "7", path)
        block = next((block for pattern, block in blocks if re.search(pattern, address)), "")
        if declared is not None and declared.catalogue:
            assert "proxy_cache marketplace_catalogue;" in block, path
            assert operations.PUBLIC[0] in declared.roles
        elif declared is not None and declared.public:
            assert "proxy_cache " not in block, path


def test_what_leaves_says_nothing_that_was_meant_for_nginx(at: Site, token: str):
    for path, own in (("/api/products", 0), ("/api/categories", 60)):
        for _ in range(2):
            answer = call(at, "GET", path)
            assert answer.headers["cache-control"] == f"public, max-age={own}"
            assert "x-accel-expires" not in answer.headers
    assert "no-store" in call(at, "GET", "/api/products/999999").headers["cache-control"]
    signed = call(at, "GET", "/api/products", Authorization=f"Bearer {token}")
    assert signed.headers["cache-control"] == "private, no-cache"


def test_it_is_kept_compressed_and_given_as_it_is_wanted(at: Site, token: str):
    path = "/api/products?per_page=8"
    for _ in range(2):
        packed, plain = call(at, "GET", path, Accept_Encoding="gzip, br"), call(at, "GET", path)
        assert gzip.decompress(packed.body) == plain.body
        assert json.loads(plain.body)["products"]
        assert "content-encoding" not in plain.headers
        for answer in (packed, plain):
            assert answer.headers["content-type"] == "application/json"
            assert "Accept-Encoding" in answer.headers["vary"]
            assert answer.headers["etag"].startswith("W/")
    head = call(at, "HEAD", path)
    assert (head.status, head.body) == (200, b"")
    signed = call(at, "GET", path, Authorization=f"Bearer {token}", Accept_Encoding="gzip")
    assert gzip.decompress(signed.body) == plain.body


def test_nginx_itself_says_that_nothing_has_changed(at: Site, token: str):
    path = "/api/products?per_page=7"
    first = call(at, "GET", path, Accept_Encoding="gzip")
    tag = first.headers["etag"]
    for sent in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        for headers in ({}, {"Accept_Encoding": "gzip"}):
            answer = call(at, "GET", path, If_None_Match=sent, **headers)
            assert (answer.status, answer.body) == (304, b"")
            assert answer.headers["etag"].removeprefix("W/") == tag.removeprefix("W/")
            assert answer.headers["cache-control"] == "public, max-age=0"
    assert call(at, "GET", path, If_None_Match='"other"').status == 200
    refused = call(at, "GET", path, If_Match='"other"')
    assert (refused.status, refused.json["code"]) == (412, "precondition_failed")
    asked = call(at, "GET", path, If_None_Match=tag, Authorization=f"Bearer {token}")
    assert asked.status == 304, "and so does the application"


@pytest.mark.parametrize("name", ["Authorization", "Consistency_Token"])
def test_who_says_who_he_is_or_what_he_wrote_is_answered_by_the_application(
    at: Site, token: str, name: str
):
    path = f"/api/products?per_page=6&search={name.lower()}"
    own = {name: f"Bearer {token}" if name == "Authorization" else "0/1"}
    for headers, state in ((own, "BYPASS"), ({}, "MISS"), (own, "BYPASS")):
        request = secrets.token_hex(8)
        assert call(at, "GET", path, X_Request_ID=request, **headers).status == 200
        (line,) = logged(at, lambda line, request=request: line["request_id"] == request, 1)
        assert line["cache"] == state, "what he was answered is kept for nobody"


def test_no_origin_is_told_that_another_may_read(at: Site):
    path = "/api/brands"
    for _ in range(2):
        for origin in (*ORIGINS, "https://evil.example", None):
            answer = call(at, "GET", path, **({"Origin": origin} if origin else {}))
            allowed = origin if origin in ORIGINS else None
            assert answer.headers.get("access-control-allow-origin") == allowed


def test_neither_failures_nor_what_is_not_there_is_kept(at: Site, token: str):
    for _ in range(2):
        assert call(at, "GET", "/api/products/999998").status == 404
        assert call(at, "GET", "/api/products?sort=nonsense").status == 422
        assert call(at, "GET", "/api/products", Accept="text/html").status in (200, 406)
    assert set(states(at, "/api/products/999998", 2)) == {"MISS"}
    made = send(at, "POST", "/api/products", {"name": "Teh", "price": "1"}, token).json
    assert call(at, "GET", f"/api/products/{made['id']}").status == 200


def test_of_many_readers_one_at_a_time_is_sent_on(at: Site, token: str):
    path = "/api/stores/1"
    answers: list[int] = []
    end = time.monotonic() + 2.5

    def read() -> None:
        conn = http.client.HTTPConnection(at.base.removeprefix("http://"), timeout=20)
        while time.monotonic() < end:
            conn.request("GET", path)
            answer = conn.getresponse()
            answer.read()
            answers.append(answer.status)
            time.sleep(0.03)

    threads = [threading.Thread(target=read) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) == {200}
    found = states(at, path, len(answers))
    assert set(found) <= {"HIT", "STALE", "UPDATING", "MISS", "EXPIRED"}
    # One at first, one a second from then on. Where this process was held up for seconds, it is who
    # has to wait.
    assert sum(state in ("MISS", "EXPIRED", "STALE") for state in found) < len(found) / 5


class Upstream:
    """What listens in the application's place: `answer` is called for each request line; None
    hangs up.
    """

    def __init__(self, folder: Path, answer: Callable[[str], bytes | None]) -> None:
        self.asked: list[str] = []
        self._answer = answer
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / "api.sock"))
        self._listening.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(
                    target=self._serve, args=[self._listening.accept()[0]], daemon=True
                ).start()

    def _serve(self, conn: socket.socket) -> None:
        with conn, conn.makefile("rb") as lines:
            while line := lines.readline().decode():
                self.asked.append(line.split()[0])
                length = 0
                while (header := lines.readline().strip().lower()) != b"":
                    if header.startswith(b"content-length:"):
                        length = int(header.partition(b":")[2])
                lines.read(length)
                answer = self._answer(line)
                if answer is None:
                    return
                conn.sendall(answer)

    def close(self) -> None:
        self._listening.close()


def kept(body: bytes, age: int) -> bytes:
    """A page of the catalogue as the application answered it `age` seconds ago."""
    return (
        f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nContent-Type: application/json\r\n"
        f"Cache-Control: public, max-age=0, {_SHARED}\r\nX-Accel-Expires: "
        f"@{int(time.time()) - age}\r\n\r\n"
    ).encode() + body


UNAVAILABLE = (
    b"HTTP/1.1 503 Service Unavailable\r\nCache-Control: no-store\r\nContent-Length: 0\r\n\r\n"
)


@contextlib.contextmanager
def before(
    folder: Path, answer: Callable[[str], bytes | None]
) -> Iterator[tuple[Upstream, Callable[..., Answer]]]:
    upstream = Upstream(folder, answer)
    with nginx(folder) as base:
        made = Site(folder, "", base, folder / "api.sock")
        yield upstream, lambda method, path, body=None: call(made, method, path, body)
    upstream.close()


def test_a_read_that_nobody_answered_is_asked_once_more_and_a_write_never(tmp_path: Path):
    """A process that ends closes its connections, just when nginx sends a request on one."""
    dying = threading.Event()

    def answer(line: str) -> bytes | None:
        if dying.is_set():
            if line.startswith("GET"):
                dying.clear()
            return None
        return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

    with before(tmp_path, answer) as (upstream, ask):
        for path in ("/api/products/7", "/api/users/profile"):
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                assert ask(method, path, b"{}").status == 200  # so that a connection is kept
                upstream.asked.clear()
                dying.set()
                status = ask(method, path, b"{}").status
                dying.clear()
                again = method == "GET"
                assert (status, upstream.asked) == (
                    200 if again else 503,
                    [method] * (2 if again else 1),
                ), path


def test_while_the_application_fails_what_was_kept_is_given_for_half_a_minute(tmp_path: Path):
    """Age is what the answer says of it, in the place of waiting."""
    answers: list[bytes | None] = []

    with before(tmp_path, lambda line: answers[0]) as (_, ask):
        for age, failing, status in (
            (20, UNAVAILABLE, 200),
            (40, UNAVAILABLE, 503),
            (20, None, 200),
            (40, None, 503),
        ):
            path = f"/api/products?age={age}&failing={failing is None}"
            answers[:] = [kept(b'{"price": 1}', age)]
            assert ask("GET", path).status == 200
            answers[:] = [failing]
            assert ask("GET", path).status == status, (age, failing)
            answers[:] = [kept(b'{"price": 2}', 0)]
            assert ask("GET", path).json == {"price": 2}, (
                "and what is new as soon as there is something"
            )
        answers[:] = [UNAVAILABLE]
        failed = ask("GET", "/api/products?never=asked")
        assert (failed.status, failed.json["code"], failed.headers["retry-after"]) == (
            503,
            "unavailable",
            "1",
        )


def test_the_first_reader_after_an_hour_gets_no_page_of_an_hour_ago(tmp_path: Path):
    answers: list[bytes] = []

    with before(tmp_path, lambda line: answers[0]) as (_, ask):
        for age, renewed in ((3600, 2), (2, 2), (3, 2)):
            path = f"/api/products?age={age}"
            answers[:] = [kept(b'{"price": 1}', age)]
            ask("GET", path)
            answers[:] = [kept(b'{"price": 2}', 0)]
            assert ask("GET", path).json == {"price": renewed}, age
