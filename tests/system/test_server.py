"""A real gunicorn in front: what it writes to the log, and what it does with bodies it refuses."""

import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PASSWORD, created, multipart
from support.images import picture
from support.server import KEY, Server

from marketplace.config.settings import ROOT
from marketplace.server import rehearsal


@pytest.fixture
def server(owner_url: str, template: str, tmp_path: Path) -> Iterator[Server]:
    with created(owner_url, f"{template}_{secrets.token_hex(4)}", template) as url:
        server = Server(url, tmp_path)
        yield server
        server.process.kill()
        server.process.wait()


def test_the_log_is_json_lines_without_a_secret(server: Server):
    planted = "planted-Secret-5162"
    body = json.dumps(
        {"name": "Sari", "email": "sari@example.com", "password": PASSWORD + planted}
    ).encode()
    status, tokens = server.call(
        "POST", "/api/auth/register", body, Content_Type="application/json"
    )
    assert status == 201
    bearer = f"Bearer {tokens['access_token']}"
    server.call(
        "GET",
        f"/api/users/profile?token={planted}",
        Authorization=bearer,
        Cookie=planted,
        Referer=planted,
    )
    server.call("GET", f"/api/{planted}/x", User_Agent=planted)
    server.call(
        "POST",
        f"/api/auth/login?password={planted}",
        planted.encode(),
        Content_Type="application/json",
    )
    server.call("GET", f"/api/products?search={planted}", Authorization=f"Bearer {planted}")
    assert server.stop() == 0
    lines = server.log.read_text().splitlines()

    assert len([line for line in lines if json.loads(line)["message"] == "request"]) >= 5
    for line in lines:
        for secret in (planted, PASSWORD, tokens["access_token"], tokens["refresh_token"], KEY):
            assert secret not in line


def test_a_refused_body_does_not_disturb_the_next_request_of_the_connection(server: Server):
    conn = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    for _ in range(3):
        conn.request("POST", "/api/products", b"x" * 900_000, {"Content-Type": "application/json"})
        refused = conn.getresponse()
        assert (refused.status, json.loads(refused.read())["code"]) == (401, "unauthorized")
        conn.request("GET", "/api/products")
        answer = conn.getresponse()
        assert (answer.status, answer.read()[:12]) == (200, b'{"products":')


def test_a_chunked_body_is_read_and_limited(server: Server):
    conn = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    body = json.dumps({"email": "a@example.com", "password": "x" * 20}).encode()
    conn.request(
        "POST",
        "/api/auth/login",
        iter([body[:10], body[10:]]),
        {"Content-Type": "application/json"},
        encode_chunked=True,
    )
    assert json.loads(conn.getresponse().read())["code"] == "invalid_credentials"
    chunks = iter([b" " * 65536] * 8)
    conn.request(
        "POST", "/api/auth/login", chunks, {"Content-Type": "application/json"}, encode_chunked=True
    )
    assert conn.getresponse().status == 413


@pytest.mark.parametrize(
    ("request_line", "header"),
    [
        ("GET /api/products HTTP/1.1", b"X-Odd: \x01"),
        (f"GET /api/products?search={'x' * 9000} HTTP/1.1", b"X: y"),
    ],
)
def test_what_gunicorn_cannot_read_is_a_problem_too(
    server: Server, request_line: str, header: bytes
):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as raw:
        raw.sendall(request_line.encode() + b"\r\nHost: x\r\n" + header + b"\r\n\r\n")
        answer = http.client.HTTPResponse(raw)
        answer.begin()
        body = answer.read()
    assert json.loads(body)["code"] == "bad_request"
    server.documented.check("GET", "/api/products", answer.status, answer.headers, body)


def test_a_reload_loses_no_request_and_the_old_workers_serve_until_the_new_ones_are_ready(
    server: Server,
):
    statuses = []
    server.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 60
    while server.log.read_text().count("Worker exiting") < 2 and time.monotonic() < deadline:
        statuses.append(server.call("GET", "/api/products")[0])

    assert set(statuses) == {200}
    assert len(statuses) > 20
    said = server.log.read_text()
    assert said[: said.index("Worker exiting")].count("Worker ready") == 4


def test_a_chunked_picture_is_taken_and_a_broken_chunk_is_a_400(server: Server):
    account = {"name": "Sari", "email": "sari@example.com", "password": PASSWORD}
    _, tokens = server.call(
        "POST", "/api/auth/register", json.dumps(account).encode(), Content_Type="application/json"
    )
    body, kind = multipart([("avatar", "me", picture())], {})
    headers = {"Content-Type": kind, "Authorization": f"Bearer {tokens['access_token']}"}
    conn = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    conn.request(
        "POST",
        "/api/users/upload-avatar",
        iter([body[:100], body[100:]]),
        headers,
        encode_chunked=True,
    )
    answer = conn.getresponse()
    assert (answer.status, json.loads(answer.read())["avatar"]["width"]) == (200, 300)

    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as raw:
        raw.sendall(
            b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n0\r\n\r\n"
        )
        assert raw.recv(100).startswith(b"HTTP/1.1 400")


def test_the_master_loads_nothing_that_a_reload_is_to_load_anew(tmp_path: Path):
    code = (
        "import logging.config, runpy, sys; made = runpy.run_path('gunicorn.conf.py');"
        "logging.config.dictConfig(made['logconfig_dict']);"
        "print(*{name.partition('.')[0] for name in sys.modules} & {'falcon', 'psycopg', "
        "'prometheus_client'})"
    )
    env = {**os.environ, "DATA_DIR": str(tmp_path)}
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == ""


def test_a_reload_takes_the_release_a_link_leads_to(owner_url: str, template: str, tmp_path: Path):
    """All of it, also what the master has loaded; and a worker that is replaced meanwhile is of
    one release.
    """
    for number in ("0.1.1", "0.1.2"):
        shutil.copytree(
            ROOT / "marketplace",
            tmp_path / number / "marketplace",
            ignore=shutil.ignore_patterns("*.pyc"),
        )
        (tmp_path / number / "sql").symlink_to(ROOT / "sql")
        shutil.copy(ROOT / "gunicorn.conf.py", tmp_path / number)
        (tmp_path / number / "marketplace" / "__init__.py").write_text(
            f'__version__ = "{number}"\n'
        )
    link = tmp_path / "app"
    link.symlink_to(tmp_path / "0.1.1")
    with created(owner_url, f"{template}_{secrets.token_hex(4)}", template) as url:
        server = Server(url, tmp_path, str(link / "gunicorn.conf.py"))
        try:
            assert server.version() == "0.1.1"
            link.unlink()
            link.symlink_to(tmp_path / "0.1.2")
            server.process.send_signal(signal.SIGHUP)
            for _ in range(100):
                if server.version() == "0.1.2":
                    break
                time.sleep(0.1)
            time.sleep(0.5)
            assert {server.version() for _ in range(20)} == {"0.1.2"}
        finally:
            server.process.kill()
            server.process.wait()


def test_a_server_that_is_to_stop_says_so_first_and_goes_on(
    owner_url: str, template: str, tmp_path: Path
):
    with created(owner_url, f"{template}_{secrets.token_hex(4)}", template) as url:
        server = Server(url, tmp_path, DRAIN_SECONDS="60")
        try:
            server.process.send_signal(signal.SIGHUP)
            time.sleep(0.5)
            assert server.call("GET", "/readyz")[0] == 200, "a reload is none"
            server.process.send_signal(signal.SIGTERM)
            for _ in range(100):
                if server.call("GET", "/readyz")[0] == 503:
                    break
                time.sleep(0.1)
            status, problem = server.call("GET", "/readyz")
            assert (status, problem["code"]) == (503, "unavailable")
            assert (
                server.call("GET", "/healthz")[0] == server.call("GET", "/api/products")[0] == 200
            )
            os.kill(server.workers()[0], signal.SIGKILL)
            assert server.call("GET", "/api/products")[0] == 200, "a worker that dies is replaced"
            assert server.process.poll() is None
            assert server.stop() == 0, "a second time means now"
        finally:
            server.process.kill()
            server.process.wait()
        assert list((tmp_path / "data" / "metrics").glob("draining-*"))
        again = Server(url, tmp_path)
        assert again.stop() == 0


def test_a_rehearsal_that_does_not_end_is_a_refusal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    program = tmp_path / "marketplace" / "server" / "rehearse.py"
    program.parent.mkdir(parents=True)
    program.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(rehearsal, "SECONDS", 1.0)
    assert rehearsal.refusal(tmp_path) == "it was not loaded and checked within 1 seconds"


def test_a_release_without_a_rehearsal_is_taken(tmp_path: Path):
    assert rehearsal.refusal(tmp_path) is None


def refusals(server: Server) -> list[str]:
    """Lines of the log that say why a reload was refused."""
    return [line for line in server.log.read_text().splitlines() if "The reload is refused" in line]


def test_a_reload_of_broken_sql_or_code_is_refused_and_the_old_workers_serve_on(
    owner_url: str, template: str, tmp_path: Path
):
    for name in ("marketplace", "sql"):
        shutil.copytree(
            ROOT / name, tmp_path / "app" / name, ignore=shutil.ignore_patterns("*.pyc")
        )
    shutil.copy(ROOT / "gunicorn.conf.py", tmp_path / "app")
    brands = tmp_path / "app" / "sql" / "queries" / "brands.sql"
    module = tmp_path / "app" / "marketplace" / "queries" / "brands.py"
    sql, code = brands.read_text(), module.read_text()
    with created(owner_url, f"{template}_{secrets.token_hex(4)}", template) as url:
        server = Server(url, tmp_path, str(tmp_path / "app" / "gunicorn.conf.py"))
        try:
            workers = set(server.workers())
            for file, broken, words in (
                (brands, sql.replace("SELECT", "SELECT no_such_column,"), "no_such_column"),
                (brands, sql.replace("-- name: find\n", "-- nme: find\n"), "is no header"),
                (brands, sql.replace(";", "; CREATE TABLE ran (x integer);"), "a second statement"),
                (module, f"{code}\nraise RuntimeError('half written')\n", "half written"),
                (module, f"{code}\ndef (\n", "SyntaxError"),
            ):
                file.write_text(broken)
                refused = len(refusals(server))
                server.process.send_signal(signal.SIGHUP)
                statuses = set()
                deadline = time.monotonic() + 90
                while len(refusals(server)) == refused:
                    statuses.add(server.call("GET", "/api/brands")[0])
                    assert time.monotonic() < deadline, server.log.read_text()[-3000:]
                assert statuses == {200}
                assert set(server.workers()) == workers
                assert words in refusals(server)[-1]
                brands.write_text(sql)
                module.write_text(code)
            server.process.send_signal(signal.SIGHUP)
            for _ in range(900):
                if workers.isdisjoint(server.workers()):
                    break
                assert server.call("GET", "/api/brands")[0] == 200
                time.sleep(0.1)
            assert workers.isdisjoint(server.workers())
            assert "Traceback" not in server.log.read_text()
        finally:
            server.process.kill()
            server.process.wait()
