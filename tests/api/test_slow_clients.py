"""Slow clients hold no threads: those that send slowly, send nothing, or read slowly."""

import contextlib
import http.client
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import gunicorn.config
import psycopg
import pytest
from conftest import Api, RollbackDatabase, created
from support.behind_nginx import NGINX, send, site
from support.responses import problem
from support.server import Server

from marketplace.config.settings import Config
from marketplace.contract.errors import Problem
from marketplace.server import connections
from marketplace.web.places import Places

PASSWORD = "kopi-susu-tanpa-gula-7"
#: Seconds that a quick call may take beside slow clients, on a machine that is at other work too.
QUICK = 3.0

pytestmark = pytest.mark.alone


def enlarge(url: str, store_id: int, megabytes: int) -> None:
    """Give a store so much to export."""
    with psycopg.connect(url) as conn:
        conn.execute(
            "INSERT INTO products (store_id, name, description, price, in_stock)"
            " SELECT %s, 'Besar ' || n, repeat('kata panjang ', 800), 100, true"
            " FROM generate_series(1, %s) AS n",
            [store_id, megabytes * 100],
        )
        conn.execute(
            "INSERT INTO inventory (product_id, quantity) SELECT p.id, 1 FROM products AS p"
            " WHERE NOT EXISTS (SELECT FROM inventory AS i WHERE i.product_id = p.id)"
        )


class Readers:
    """Clients that read an export at 4 kB a second; which of them were refused."""

    def __init__(self, port: int, tokens: list[str]) -> None:
        self.stop = threading.Event()
        self.heads: list[bytes] = []
        self.conns = []
        for token in tokens:
            conn = socket.socket()
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            conn.settimeout(30)
            conn.connect(("127.0.0.1", port))
            lines = (
                "GET /api/products/export HTTP/1.1", "Host: 127.0.0.1",
                f"Authorization: Bearer {token}", "", "",
            )  # fmt: skip
            conn.sendall("\r\n".join(lines).encode())
            self.conns.append(conn)
            threading.Thread(target=self._read, args=(conn,), daemon=True).start()

    def _read(self, conn: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self.heads.append(conn.recv(4000))
            while not self.stop.wait(1) and conn.recv(4000):
                pass

    def close(self) -> None:
        self.stop.set()
        for conn in self.conns:
            conn.close()


@pytest.fixture
def server(committed: Api, tmp_path: Path) -> Iterator[Server]:
    made = Server(committed.owner_url, tmp_path, WEB_CONCURRENCY="1")
    yield made
    made.process.kill()
    made.process.wait()


def seconds(port: int, path: str, **headers: str) -> float:
    started = time.perf_counter()
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    conn.request("GET", path, headers=headers)
    answer = conn.getresponse()
    answer.read()
    conn.close()
    assert answer.status == 200
    return time.perf_counter() - started


def test_connections_that_send_slowly_or_nothing_hold_nobody_up(server: Server):
    head = b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    starts = (b"", b"GET", head, head + b"Content-Length: 2000\r\n\r\n{")
    with contextlib.ExitStack() as held:
        for start in starts * 10:
            conn = held.enter_context(socket.create_connection(("127.0.0.1", server.port), 5))
            conn.sendall(start)
        time.sleep(0.3)
        assert seconds(server.port, "/healthz") < QUICK
        assert seconds(server.port, "/api/products") < QUICK


def test_a_request_that_comes_in_pieces_is_answered(server: Server):
    body = json.dumps({"email": "tidak.ada@example.com", "password": "x" * 20_000}).encode()
    head = (
        b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    whole = head + body
    with socket.create_connection(("127.0.0.1", server.port), 10) as conn:
        for cuts in ((10, 40, len(head) + 1, len(whole)), (3, len(head), len(whole))):
            start = 0
            for end in cuts:
                conn.sendall(whole[start:end])
                start = end
                time.sleep(0.1)
            answer = http.client.HTTPResponse(conn)
            answer.begin()
            assert answer.status == 413
            answer.read()  # and the next one on the same connection


def test_two_requests_at_once_are_answered_in_turn(server: Server):
    with socket.create_connection(("127.0.0.1", server.port), 10) as conn:
        conn.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        said = b""
        while said.count(b"HTTP/1.1 200") < 2:
            piece = conn.recv(65536)
            assert piece, said
            said += piece


def test_a_request_that_never_ends_is_given_up():
    """By the limit itself, without waiting for it."""
    server, client = socket.socketpair()
    with server, client:
        connections.limit(server)
        limit = server.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)
        assert struct.unpack("ll", limit) == (connections.STEP, 0)


@pytest.mark.parametrize(
    ("sent", "missing"),
    [
        (b"", 1),
        (b"GET / HTTP/1.1\r\n", 1),
        (b"GET / HTTP/1.1\r\n\r\n", 0),
        (b"GET / HTTP/1.1\r\n\r\nGET / HT", 0),
        (b"GET / HTTP/1.1\n\n", 0),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc", 2),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde", 0),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcdefg", 0),
        (b"POST / HTTP/1.1\r\nContent-Length: 500000\r\n\r\nabc", 0),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", 0),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 0),
        (b"x" * connections.HEAD, 0),
    ],
)
def test_how_much_of_a_request_is_missing(sent: bytes, missing: int):
    for step in (4096, 700, 1)[: 2 if len(sent) > 5000 else 3]:
        server, client = socket.socketpair()
        with server, client:
            conn = connections.Connection(gunicorn.config.Config(), server, "", "")
            assert conn.complete() is False
            for start in range(0, len(sent), step):
                client.sendall(sent[start : start + step])
                assert conn.complete() is (not conn.missing)
            assert conn.missing == missing
            client.close()
            if missing:
                assert conn.complete() is None


def test_slow_readers_of_an_export_hold_nobody_up(committed: Api, server: Server):
    person = {"name": "Sari", "email": "sari@t.example", "password": PASSWORD, "role": "seller"}
    kind = "application/json"
    answer = server.call(
        "POST", "/api/auth/register", json.dumps(person).encode(), Content_Type=kind
    )
    token = answer[1]["access_token"]
    answer = server.call(
        "POST",
        "/api/stores",
        b'{"name": "Toko Sari"}',
        Content_Type=kind,
        Authorization=f"Bearer {token}",
    )
    enlarge(committed.owner_url, answer[1]["id"], 16)
    readers = Readers(server.port, [token] * 8)
    try:
        time.sleep(1.5)
        taken = [seconds(server.port, "/api/products?per_page=2") for _ in range(5)]
        taken += [seconds(server.port, "/healthz") for _ in range(5)]
    finally:
        readers.close()
    assert max(taken) < QUICK
    refused = [head for head in readers.heads if b" 429 " in head]
    assert len(refused) >= 6, readers.heads
    assert all(
        b"Retry-After: 5" in head.replace(b"retry-after", b"Retry-After") for head in refused
    )


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
def test_fifty_slow_readers_behind_nginx_hold_nobody_up(
    owner_url: str, template: str, tmp_path: Path
):
    with created(owner_url, f"{template}_slow", template) as url, site(tmp_path, url) as at:
        body = {"name": "Sari", "email": "sari@t.example", "password": PASSWORD, "role": "seller"}
        token = str(send(at, "POST", "/api/auth/register", body).json["access_token"])
        store = send(at, "POST", "/api/stores", {"name": "Toko Sari"}, token).json["id"]
        enlarge(url, store, 16)
        port = int(at.base.rpartition(":")[2])
        quiet = sorted(seconds(port, f"/api/products?per_page=2&max_price={n}") for n in range(100))
        readers = Readers(port, [token] * 50)
        try:
            time.sleep(1)
            busy = sorted(
                seconds(port, f"/api/products?per_page=2&min_price={n}") for n in range(100)
            )
            alive = sorted(seconds(port, "/healthz") for _ in range(100))
        finally:
            readers.close()
        print(f"p99 in ms: {quiet[98] * 1e3:.0f} before, {busy[98] * 1e3:.0f} beside 50 readers")
        assert busy[98] < max(0.25, 5 * quiet[98])
        assert alive[98] < max(0.25, 5 * quiet[98])
        assert any(b" 200 " in head for head in readers.heads)
        assert any(b" 429 " in head for head in readers.heads)


# Places -------------------------------------------------------------------------------------------


def test_an_export_gives_its_place_back(api: Api):
    seller = api.seller()
    api.product(seller)
    paths = ("/api/products/export", "/api/users/export", "/api/users/export-activities?format=csv")
    for _ in range(5):
        for path in paths:
            assert api.get(path, seller).status_code == 200
            assert api.request("HEAD", path, seller).status_code == 200
        assert api.get("/api/products/imports/1/errors.csv", seller).status_code == 404


def test_places_are_for_so_many_at_once(config: Config, shared_database: str):
    places = []
    original = Places.__init__

    db = RollbackDatabase(config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Places, "__init__", lambda own, count: (places.append(own), original(own, count))[1]
        )
        api = Api(config, db, shared_database)
    seller = api.seller()
    held = [places[0].take() for _ in range(2)]
    refused = api.get("/api/products/export", seller)
    problem(refused, 429, "too_many_requests")
    assert refused.headers["retry-after"] == "5"
    held[0].give_back()
    held[0].give_back()  # twice is as good as once
    assert api.get("/api/products/export", seller).status_code == 200
    held[1].give_back()
    db.close()


def test_a_stream_gives_its_place_back_whatever_becomes_of_it():
    places = Places(1)
    for end in ("read", "close", "forget", "raise"):
        stream = places.take().stream(iter([b"a" * 100_000, b"b"]))
        with pytest.raises(Problem):
            places.take()
        if end == "read":
            assert b"".join(stream) == b"a" * 100_000 + b"b"
            stream.close()
        elif end == "close":
            next(stream)
            stream.close()
        elif end == "raise":
            broken = stream
            with contextlib.suppress(ConnectionAbortedError):
                broken._until = 0.0
                next(broken)
            broken.close()
            del broken
        del stream
    assert SimpleNamespace(place=places.take())


def test_many_at_once_take_no_more_than_there_are():
    places = Places(3)

    def one(number: int) -> bool:
        try:
            place = places.take()
        except Problem:
            return False
        time.sleep(0.05)
        place.give_back()
        return True

    with ThreadPoolExecutor(20) as pool:
        taken = list(pool.map(one, range(20)))
    assert 3 <= sum(taken) < 20
