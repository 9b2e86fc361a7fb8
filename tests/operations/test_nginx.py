"""The shipped nginx configuration before a real gunicorn. Skipped where no nginx is installed."""

import gzip
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import created
from support.behind_nginx import NGINX, SHIPPED, Answer, Site, call, logged, send, site

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
PASSWORD = "kopi-susu-tanpa-gula-7"


@pytest.fixture(scope="module")
def at(owner_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with created(owner_url, f"{template}_nginx", template) as url, site(folder, url) as made:
        yield made


@pytest.fixture(scope="module")
def token(at: Site) -> str:
    body = {"name": "Sari", "email": "sari@t.example", "password": PASSWORD, "role": "seller"}
    made = str(send(at, "POST", "/api/auth/register", body).json["access_token"])
    assert send(at, "POST", "/api/stores", {"name": "Toko Sari"}, made).status == 201
    return made


def failure(answer: Answer, status: int, code: str) -> None:
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["code"] == code
    assert answer.json["status"] == status
    assert answer.headers["x-request-id"]


def test_nobody_chooses_an_address_or_a_host(at: Site, token: str):
    lies = dict.fromkeys(("X_Forwarded_For", "X_Real_IP", "X_Forwarded_Host"), "192.0.2.66")
    send(
        at, "PUT", "/api/users/profile", {"name": "Sari"}, token, Forwarded="for=192.0.2.66", **lies
    )
    acts = call(at, "GET", "/api/users/activities", Authorization=f"Bearer {token}").json[
        "activities"
    ]
    assert {each["ip"] for each in acts} == {"127.0.0.1"}
    assert "192.0.2.66" not in call(at, "GET", "/api/openapi.json", **lies).body.decode()


def test_an_id_of_the_clients_goes_through_and_any_other_is_made(at: Site):
    assert (
        call(at, "GET", "/api/products", X_Request_ID="phone-12345").headers["x-request-id"]
        == "phone-12345"
    )
    made = call(at, "GET", "/api/products", X_Request_ID="a b\tc").headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", made)
    (line,) = logged(at, lambda line: line["request_id"] == made, 1)
    assert "?" not in line["path"]


def test_what_nginx_refuses_looks_like_what_the_application_refuses(at: Site, token: str):
    failure(call(at, "GET", "/nothing/here"), 404, "not_found")
    huge = b"x" * (2 * 1024 * 1024)
    failure(
        call(at, "POST", "/api/auth/login", huge, Content_Type="application/json"),
        413,
        "payload_too_large",
    )
    failure(call(at, "GET", "/api/products?search=" + "x" * 9000), 414, "bad_request")
    failure(call(at, "GET", "/api/products", X_Long="x" * 9000), 431, "bad_request")
    failure(call(at, "GET", "/uploads/pictures/aa/aa/nothing.webp"), 404, "not_found")
    failure(call(at, "POST", "/uploads/x", b"x"), 404, "not_found")


def test_json_is_compressed_and_its_tag_still_known(at: Site):
    plain = call(at, "GET", "/api/openapi.json")
    packed = call(at, "GET", "/api/openapi.json", Accept_Encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 4
    assert call(at, "GET", "/api/openapi.json", If_None_Match=packed.headers["etag"]).status == 304


def test_what_is_the_same_for_everybody_is_kept_for_two_seconds_at_most(at: Site, token: str):
    made = send(
        at, "POST", "/api/products", {"name": "Kopi", "price": "1000", "stock": 1}, token
    ).json
    path = f"/api/products/{made['id']}"

    def price(**headers: str) -> str:
        return str(call(at, "GET", path, **headers).json["price"])

    assert price() == "1000.00"
    send(at, "PATCH", path, {"price": "2000"}, token)
    assert price(Authorization=f"Bearer {token}") == "2000.00", (
        "who signs in is never answered from the cache"
    )
    time.sleep(2.1)  # nginx counts whole seconds
    assert price() == "2000.00"
    states = [
        line["cache"]
        for line in logged(at, lambda line: (line["path"], line["method"]) == (path, "GET"), 3)
    ]
    assert sorted(states) == [
        "BYPASS",
        "EXPIRED",
        "MISS",
    ]  # of two processes, each with lines of its own to write
    send(at, "DELETE", path, None, token)
    hidden = call(at, "GET", path, Authorization=f"Bearer {token}")
    time.sleep(2.1)  # nginx counts whole seconds
    assert hidden.status == 200
    failure(call(at, "GET", path), 404, "not_found")


def test_private_answers_are_never_kept(at: Site, token: str):
    for _ in range(2):
        answer = call(at, "GET", "/api/stores/mine", Authorization=f"Bearer {token}")
        assert answer.status == 200
        assert "no-store" in answer.headers["cache-control"]
    failure(call(at, "GET", "/api/stores/mine"), 401, "unauthorized")


def test_uploads_are_served_inert_whatever_lies_there(at: Site):
    folder = at.folder / "uploads" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "x.html").write_text("<script>alert(1)</script>")
    answer = call(at, "GET", "/uploads/pictures/x.html")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "immutable" in answer.headers["cache-control"]
    assert call(at, "GET", "/uploads/../api.log").status in (400, 404)


def test_a_whole_import_goes_through(at: Site, token: str):
    rows = b"name,price\n" + b"".join(b"Kopi %d,1000\n" % number for number in range(60_000))
    assert len(rows) > 1024 * 1024 - 400_000
    sent = {"Content_Type": "text/csv", "Authorization": f"Bearer {token}"}
    answer = call(at, "POST", "/api/products/import-csv", rows, **sent)
    assert answer.status == 202
    send(at, "POST", f"/api/products/imports/{answer.json['id']}/cancel", None, token)


def test_an_application_that_is_gone_is_a_503_that_says_when_to_come_again(at: Site):
    """The last of those that need one. What was kept a moment ago is still given."""
    kept = call(at, "GET", "/api/brands")
    os.kill(int((at.folder / "gunicorn.pid").read_text()), signal.SIGTERM)
    for number in range(100):  # connections that nginx keeps are answered for two seconds more
        answer = call(at, "GET", f"/api/brands?search=never-asked-{number}")
        if answer.status != 200:
            break
        time.sleep(0.2)
    failure(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    assert call(at, "GET", "/api/brands").body == kept.body


def test_the_shipped_file_is_one_nginx_takes(tmp_path: Path):
    """With its TLS and its names; certificate and paths are of this folder."""
    key, certificate = tmp_path / "privkey.pem", tmp_path / "fullchain.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=shop.example",
        "-days",
        "1",
    ]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    text = (SHIPPED / "marketplace.conf").read_text()
    for shipped, here in {
        "/etc/ssl/marketplace": str(tmp_path),
        "/var/cache/nginx/marketplace": f"{tmp_path}/cache",
        "/etc/nginx/marketplace": str(tmp_path / "shipped"),
    }.items():
        assert shipped in text
        text = text.replace(shipped, here)
    (tmp_path / "shipped").mkdir()
    for name in ("site.conf", "proxy.conf", "headers.conf"):
        shared = (
            (SHIPPED / name)
            .read_text()
            .replace("/etc/nginx/marketplace", str(tmp_path / "shipped"))
        )
        (tmp_path / "shipped" / name).write_text(shared.replace("/var/log/nginx", str(tmp_path)))
    (tmp_path / "marketplace.conf").write_text(text)
    main = tmp_path / "nginx.conf"
    main.write_text(
        f"pid {tmp_path}/pid; events {{}} http {{ include {tmp_path}/marketplace.conf; }}"
    )
    assert NGINX is not None
    tested = subprocess.run(
        [NGINX, "-t", "-c", main, "-p", tmp_path], capture_output=True, text=True
    )
    assert tested.returncode == 0, tested.stderr
    assert "warn" not in tested.stderr, tested.stderr
