"""Calls to others: where they may go, how long they may take, and what of them is told.

The servers are real ones on this machine; the look-up of names is the caller's own, so that a name
can have any address.
"""

import ast
import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from marketplace.config.settings import ROOT
from marketplace.integrations import addresses, http
from marketplace.integrations.addresses import Guard, Refused
from marketplace.telemetry import metrics

#: What a user may give to lead a call inside, however it is spelled.
INSIDE = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "017700000001", "0x7f000001", "0177.0.0.1",
    "0x7f.0x0.0x0.0x1", "0x7f.1", "127.0.0.01", "127.000.000.001", "127.255.255.254", "127.0.0.2",
    "0.0.0.0", "0", "0x0", "00000", "localhost", "LOCALHOST", "localhost.", "LocalHost",  # noqa: S104 - never bound
    "169.254.169.254", "2852039166", "0xa9fea9fe", "025177524776", "0251.0376.0251.0376",
    "0xa9.0xfe.0xa9.0xfe", "169.254.43518", "169.16689662", "0xA9FEA9FE",
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::FFFF:169.254.169.254]", "[::ffff:a9fe:a9fe]",
    "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[::7f00:1]", "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]", "[2001:0:7f00:1::]", "[2001:db8::1]", "[fe80::1]", "[fc00::1]",
    "[fd00:ec2::254]", "[ff02::1]", "[fec0::1]", "[100::1]", "[5f00::1]",
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.1.1", "100.64.0.1",
    "100.127.255.254", "192.0.0.8", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1",
    "255.255.255.255", "203.0.113.9",
]  # fmt: skip
#: What only pretends to be the address of somebody else.
TRICKS = [
    "https://user@127.0.0.1/", "https://example.com@127.0.0.1/", "https://example.com:443@127.0.0.1/",
    "https://127.0.0.1\\@example.com/", "https://example.com\\.127.0.0.1/", "https:/127.0.0.1/",
    "https:127.0.0.1", "//127.0.0.1/", "https://", "https:///127.0.0.1/", "https://127.0.0.1 /",
    "https://127.0.0.1\t/", "https://127.0.0.1\n/", " https://127.0.0.1/", "https://127。0。0。1/",
    "https://１２７.0.0.1/", "https://①②⑦.⓪.⓪.①/", "https://127%2e0%2e0%2e1/", "https://[::1%25lo]/",
    "https://[fe80::1%25eth0]/", "https://[::1/", "https://::1/", "https://127.0.0.1#@example.com/",
    "https://127.0.0.1:0/", "https://127.0.0.1:99999/", "ftp://127.0.0.1/", "file:///etc/passwd",
    "gopher://127.0.0.1/", "http://127.0.0.1/", "https://127.0.0.1:22/", "https://127.0.0.1:5432/",
    "javascript:alert(1)", "", "https://127.0.0.1:443:443/", "https://[127.0.0.1]/",
]  # fmt: skip


class Listener:
    """A server on this machine that counts who connects; `respond` is given each connection."""

    def __init__(self, respond: Callable[[socket.socket], None], host: str = "127.0.0.1") -> None:
        self.respond = respond
        self.connected = 0
        self.requests: list[bytes] = []
        self.socket = socket.create_server((host, 0), reuse_port=False)
        self.port = int(self.socket.getsockname()[1])
        threading.Thread(target=self._serve, name="serving", daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                conn, _ = self.socket.accept()
                self.connected += 1
                threading.Thread(
                    target=self._one, name="serving", args=(conn,), daemon=True
                ).start()

    def _one(self, conn: socket.socket) -> None:
        with contextlib.suppress(OSError), conn:
            self.respond(conn)

    def read(self, conn: socket.socket) -> None:
        """Read one request with what is in its body."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += conn.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            while name.lower() == b"content-length" and len(body) < int(value):
                body += conn.recv(65536)
        self.requests.append(head + b"\r\n\r\n" + body)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


@pytest.fixture
def serve() -> Iterator[Callable[[bytes], Listener]]:
    """Make a server that reads a request and sends these bytes."""
    made: list[Listener] = []

    def make(text: bytes) -> Listener:
        def respond(conn: socket.socket) -> None:
            server.read(conn)
            conn.sendall(text)

        server = Listener(respond)
        made.append(server)
        return server

    yield make
    for server in made:
        server.close()


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """A server inside that takes every connection; the guard thinks its port the one of https."""
    server = Listener(lambda conn: None)
    monkeypatch.setattr(addresses, "PORTS", (443, 8443, server.port))
    yield server
    server.close()


def called(server: Listener, path: str = "/", method: str = "GET", **options: object):
    url = f"http://127.0.0.1:{server.port}"
    return http.request(
        method, f"{url}{path}", guard=Guard.configured(url), provider="test", call="call", **options
    )


def response(body: bytes, head: bytes = b"", status: bytes = b"200 OK") -> bytes:
    length = b"Content-Length: %d\r\n" % len(body)
    return b"HTTP/1.1 " + status + b"\r\n" + length + head + b"\r\n" + body


def strict(url: str, resolver: addresses.Resolver = addresses.system_resolver) -> None:
    http.request(
        "POST", url, {}, b"{}", guard=Guard.strict, provider="test", call="call", resolver=resolver
    )


# Where a call may go
# ---------------------------------------------------------------------------------------------------


def test_there_are_sixty_spellings():
    assert len(set(INSIDE)) >= 60


@pytest.mark.parametrize("host", INSIDE)
def test_no_spelling_of_an_address_inside_is_connected_to(host: str, inside: Listener):
    with pytest.raises((Refused, http.Silent)) as error:
        strict(f"https://{host}:{inside.port}/hook")
    if isinstance(error.value, http.Silent):  # the system knows no such name
        assert isinstance(error.value.__cause__, OSError)
        assert "resolved" in str(error.value.__cause__)
    assert inside.connected == 0


@pytest.mark.parametrize("url", TRICKS)
def test_what_only_looks_like_the_url_of_somebody_else_is_refused(url: str, inside: Listener):
    with pytest.raises(Refused):
        strict(url.replace("127.0.0.1/", f"127.0.0.1:{inside.port}/") if "@" in url else url)
    assert inside.connected == 0


def test_the_guard_itself_is_what_stops_the_call(inside: Listener):
    """The same address is connected to where a setting names it: nothing else was in the way."""
    url = f"http://127.0.0.1:{inside.port}"
    with pytest.raises(http.Silent):
        http.request("GET", url, guard=Guard.configured(url), provider="test", call="call")
    assert inside.connected == 1


def test_a_name_with_one_address_outside_and_one_inside_is_refused_whole(inside: Listener):
    for found in (["93.184.216.34", "127.0.0.1"], ["127.0.0.1", "2606:4700::1111"], []):
        with pytest.raises(Refused):
            strict(f"https://two.example:{inside.port}/", lambda host, port, f=found: list(f))
    assert inside.connected == 0


def test_a_name_that_changes_between_two_look_ups_is_asked_once(inside: Listener):
    """The first answer is checked and connected to; a second one, inside, is never asked for."""
    asked: list[str] = []

    def changing(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["3ffe::1"] if len(asked) == 1 else ["127.0.0.1"]  # public, and nobody's

    with pytest.raises(http.Silent) as error:
        strict(f"https://changing.example:{inside.port}/", changing)
    assert (len(asked), error.value.sent, inside.connected) == (1, False, 0)
    with pytest.raises(Refused):
        strict(f"https://changing.example:{inside.port}/", changing)
    assert (len(asked), inside.connected) == (2, 0)


def test_the_connection_goes_to_the_checked_address_whatever_the_system_says_of_the_name(
    serve: Callable[[bytes], Listener],
):
    server = serve(response(b"here"))
    url = f"http://provider.invalid:{server.port}"
    asked: list[tuple[str, int]] = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    guard = Guard.configured(url)
    answer = http.request("GET", url, guard=guard, provider="test", call="call", resolver=resolver)
    assert answer.body == b"here"
    assert asked == [("provider.invalid", server.port)]
    assert f"Host: provider.invalid:{server.port}".encode() in server.requests[0]


def test_a_setting_opens_the_door_to_its_own_server_only(inside: Listener):
    guard = Guard.configured("https://api.provider.example/v2")
    for url in (
        f"http://127.0.0.1:{inside.port}/",
        "http://api.provider.example/v2",
        "https://api.provider.example:8443/v2",
        "https://api.provider.example.evil.example/v2",
    ):
        with pytest.raises(Refused):
            http.request("GET", url, guard=guard, provider="test", call="call")
    cloud = "http://169.254.169.254"
    with pytest.raises(Refused):
        http.request("GET", cloud, guard=Guard.configured(cloud), provider="test", call="call")
    assert inside.connected == 0


def test_public_addresses_are_let_through():
    public = ["93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822", "::ffff:8.8.8.8"]
    Guard.strict.check_addresses(public)
    Guard.strict.check(addresses.parsed("https://hook.example/a?b=c"))
    Guard.strict.check(addresses.parsed("HTTPS://Hook.Example:8443"))


def test_the_next_address_is_tried_where_the_first_takes_no_connection(
    serve: Callable[[bytes], Listener],
):
    server = serve(response(b"here"))
    url = f"http://two.invalid:{server.port}"
    answer = http.request(
        "GET", url, guard=Guard.configured(url), provider="test", call="call",
        resolver=lambda host, port: ["127.0.0.9", "::1", "127.0.0.1"],
    )  # fmt: skip
    assert answer.status == 200


# TLS
# ---------------------------------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A certificate of a name, signed by itself: a server's side, and the file that trusts it."""
    now = datetime.now(timezone.utc)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder(
            subject, subject, key.public_key(), 1, now - timedelta(1), now + timedelta(1)
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    file = folder / f"{name}.pem"
    file.write_bytes(made.public_bytes(pem))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, *private))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, folder / "key.pem")
    return context, file


@pytest.mark.parametrize("name", ["provider.example", "other.example"])
def test_the_name_in_the_url_is_announced_and_must_be_in_the_certificate(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    side, file = certificate(tmp_path, "provider.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    named: list[str | None] = []
    side.sni_callback = lambda sock, sni, context: named.append(sni)

    def respond(conn: socket.socket) -> None:
        with side.wrap_socket(conn, server_side=True) as secure:
            server.read(secure)
            secure.sendall(response(b"in secret"))

    server = Listener(respond)
    url = f"https://{name}:{server.port}"
    options = {"guard": Guard.configured(url), "provider": "test", "call": "call"}
    try:
        if name == "provider.example":
            answer = http.request("GET", url, resolver=lambda h, p: ["127.0.0.1"], **options)
            assert answer.body == b"in secret"
        else:
            with pytest.raises(http.Silent) as error:
                http.request("GET", url, resolver=lambda h, p: ["127.0.0.1"], **options)
            assert not error.value.sent
            assert server.requests == [], "nothing was sent to a stranger"
        assert named == [name]
    finally:
        server.close()


def test_a_certificate_that_the_system_does_not_trust_is_refused(tmp_path: Path):
    side, _ = certificate(tmp_path, "provider.example")

    def respond(conn: socket.socket) -> None:
        with side.wrap_socket(conn, server_side=True) as secure:
            server.read(secure)

    server = Listener(respond)
    url = f"https://provider.example:{server.port}"
    with pytest.raises(http.Silent):
        http.request(
            "GET", url, guard=Guard.configured(url), provider="test", call="call",
            resolver=lambda host, port: ["127.0.0.1"],
        )  # fmt: skip
    assert server.requests == []
    server.close()


# What comes back
# ---------------------------------------------------------------------------------------------------


def test_method_path_query_headers_and_body_arrive_as_they_were_given(
    serve: Callable[[bytes], Listener],
):
    server = serve(response(b'{"ok":true}', b"X-Kind: one\r\n"))
    answer = called(
        server, "/v2/charge?a=%20b&c", "POST", headers={"X-Key": "77.1"}, body=b'{"amount":1}'
    )
    assert (answer.status, answer.headers["x-kind"], answer.body) == (200, "one", b'{"ok":true}')
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /v2/charge?a=%20b&c HTTP/1.1"
    assert b"X-Key: 77.1" in lines
    assert b"User-Agent: marketplace" in lines
    assert b"Accept-Encoding: identity" in lines
    assert body == b'{"amount":1}'


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422])
def test_a_4xx_is_a_response(status: int, serve: Callable[[bytes], Listener]):
    server = serve(response(b"no", status=b"%d No" % status))
    assert called(server)[:3:2] == (status, b"no")


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_of_a_5xx_and_429_nobody_knows_whether_it_was_done(
    status: int, serve: Callable[[bytes], Listener]
):
    server = serve(response(b"no", status=b"%d No" % status))
    with pytest.raises(http.Silent) as error:
        called(server)
    assert (error.value.status, error.value.sent) == (status, True)
    assert server.connected == 1, "nothing is tried again"


def test_no_redirect_is_followed(serve: Callable[[bytes], Listener], inside: Listener):
    there = b"Location: http://127.0.0.1:%d/\r\n" % inside.port
    for status in (301, 302, 303, 307, 308):
        server = serve(response(b"", there, b"%d Elsewhere" % status))
        assert called(server).status == status
    assert inside.connected == 0


def test_no_proxy_of_the_environment_is_used(
    serve: Callable[[bytes], Listener], inside: Listener, monkeypatch: pytest.MonkeyPatch
):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{inside.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    assert called(serve(response(b"straight"))).body == b"straight"
    assert inside.connected == 0


@pytest.mark.parametrize(
    "text",
    [
        response(b"x" * (http.LARGEST + 1)),
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (http.LARGEST + 1),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 17,
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx",
    ],
    ids=["told", "not told", "in chunks", "a lie"],
)
def test_more_than_a_mebibyte_is_too_large(text: bytes, serve: Callable[[bytes], Listener]):
    with pytest.raises(http.TooLarge):
        called(serve(text))


def test_a_mebibyte_is_not(serve: Callable[[bytes], Listener]):
    assert len(called(serve(response(b"x" * http.LARGEST))).body) == http.LARGEST


def test_what_comes_compressed_stays_so(serve: Callable[[bytes], Listener]):
    bomb = response(b"\x1f\x8b\x08", b"Content-Encoding: gzip\r\n")
    assert called(serve(bomb)).body == b"\x1f\x8b\x08"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 100_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 wrong\r\n\r\n",
    ],
    ids=["nothing", "another protocol", "half", "no chunk", "endless", "many", "long", "status"],
)
def test_a_broken_response_is_no_response(text: bytes, serve: Callable[[bytes], Listener]):
    with pytest.raises(http.Silent) as error:
        called(serve(text))
    assert error.value.sent


# How long it may take
# ---------------------------------------------------------------------------------------------------


def endless(piece: bytes, first: bytes = b"") -> Callable[[socket.socket], None]:
    def respond(conn: socket.socket) -> None:
        conn.sendall(first)
        while True:
            conn.sendall(piece)
            time.sleep(0.05)

    return respond


@pytest.mark.parametrize(
    "respond",
    [
        endless(b"", b""),
        endless(b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
        endless(b"X-A: b\r\n", b"HTTP/1.1 200 OK\r\nX-Long: "),
        endless(b"a", b"HTTP/1.1 200 OK\r\nX-Long: "),
        endless(b"HTTP/1.1 100 Continue\r\n\r\n"),
        endless(b"1\r\nx\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        endless(b"x", b"HTTP/1.1 200 OK\r\n\r\n"),
    ],
    ids=["silent", "body", "headers", "one header", "continue", "chunks", "no length"],
)
def test_nothing_takes_longer_than_the_deadline(respond: Callable[[socket.socket], None]):
    server = Listener(respond)
    started = time.monotonic()
    with pytest.raises(http.Silent):
        called(server, deadline=0.7)
    assert 0.5 < time.monotonic() - started < 1.5
    server.close()


def test_a_server_that_does_not_read_is_not_waited_for():
    server = Listener(lambda conn: time.sleep(20))
    started = time.monotonic()
    with pytest.raises(http.Silent):
        called(server, "/", "POST", body=b"x" * 50_000_000, deadline=0.7)
    assert time.monotonic() - started < 1.5
    server.close()


def test_a_name_server_that_does_not_respond_is_not_waited_for():
    started = time.monotonic()
    with pytest.raises(http.Silent) as error:
        http.request(
            "GET", "https://slow.example/", guard=Guard.strict, provider="test", call="call",
            deadline=0.3, resolver=lambda host, port: time.sleep(5) or [],
        )  # fmt: skip
    assert time.monotonic() - started < 1
    assert not error.value.sent


def test_a_port_where_nobody_listens_was_certainly_not_sent_to():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with pytest.raises(http.Silent) as error:
        http.request("POST", url, guard=Guard.configured(url), provider="test", call="call")
    assert not error.value.sent


def test_no_thread_is_left_of_a_call(serve: Callable[[bytes], Listener]):
    server = serve(response(b"x"))
    before = set(threading.enumerate())
    for _ in range(20):
        called(server)
    own = [each for each in set(threading.enumerate()) - before if each.name != "serving"]
    for thread in own:
        thread.join(2)
    assert not [each for each in own if each.is_alive()]


# What is told of it
# ---------------------------------------------------------------------------------------------------


def test_the_log_has_neither_path_nor_query_nor_headers_nor_body(
    serve: Callable[[bytes], Listener], caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    server = serve(response(b"secret-back", b"X-Secret: secret-header-back\r\n bad header\r\n"))
    called(
        server, "/secret-path?key=secret-query", "POST",
        headers={"Authorization": "secret-header"}, body=b"secret-body",
    )  # fmt: skip
    told = [vars(record) for record in caplog.records]
    assert "secret" not in str(told)
    (line,) = [each for each in told if each["name"] == "marketplace.http"]
    assert (line["method"], line["host"], line["status"]) == ("POST", "127.0.0.1", 200)
    assert line["ms"] >= 0
    assert (line["provider"], line["call"], line["outcome"]) == ("test", "call", "ok")


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (response(b""), "ok"),
        (response(b"", status=b"404 No"), "refused"),
        (response(b"", status=b"503 No"), "silent"),
        (response(b"x" * (http.LARGEST + 1)), "too_large"),
    ],
)
def test_calls_are_counted_by_what_became_of_them(
    text: bytes, outcome: str, serve: Callable[[bytes], Listener]
):
    def count() -> float:
        labels = {"provider": "test", "call": "call", "outcome": outcome}
        name = "marketplace_provider_seconds_count"
        return metrics.OWN.get_sample_value(name, labels) or 0.0

    before = count()
    with contextlib.suppress(http.Silent, http.TooLarge):
        called(serve(text))
    assert count() == before + 1


# The one way out
# ---------------------------------------------------------------------------------------------------

#: Modules that can reach somebody else over the network.
WAYS = {
    "urllib3", "urllib.request", "http.client", "requests", "httpx", "aiohttp", "socket",
    "ssl", "ftplib", "smtplib", "imaplib", "poplib", "telnetlib", "xmlrpc", "boto3", "botocore",
    "asyncio.streams", "websockets", "pycurl",
}  # fmt: skip
#: Who uses which, and for what.
USERS = {
    "integrations/http.py": {"urllib3", "http.client", "socket", "ssl"},
    "integrations/addresses.py": {"socket"},  # looks names up
    "integrations/mail.py": {"smtplib", "ssl"},  # mail is no HTTP
    "files/s3.py": {"boto3", "botocore"},  # the S3 client
    "ops/checks.py": {"smtplib", "socket", "ssl"},  # doctor: the mail server, the certificate
}
#: These only listen, or speak to processes of this machine.
LISTENING = {
    "server/bad_requests.py", "server/connections.py", "server/patient.py",
    "files/decoder_pool.py", "files/decoder_process.py", "commands/run.py",
}  # fmt: skip


def ways(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "__import__", "importlib.import_module"
        ):  # fmt: skip
            names = [ast.unparse(arg).strip("'\"") for arg in node.args[:1]]
        for name in names:
            found |= {way for way in WAYS if name == way or name.startswith(f"{way}.")}
    return found


def test_every_call_to_others_goes_through_the_one_module():
    package = ROOT / "marketplace"
    using = {
        str(path.relative_to(package)): ways(path) for path in package.rglob("*.py") if ways(path)
    }
    calling = {name: found for name, found in using.items() if name not in LISTENING}
    assert calling == USERS
    assert {name: using[name] for name in LISTENING} == {name: {"socket"} for name in LISTENING}
