"""What real clients send: forms whose parts say what they are, packed bodies, signs left as they are."""

import gzip
import json
from typing import Any

import pytest
from conftest import Api, User
from support.responses import problem

JSON = "application/json; charset=UTF-8"


def form(*parts: tuple[str, bytes, tuple[str, ...]], disposition: str = "") -> dict[str, Any]:
    """A multipart request: (name, content, more headers of the part)."""
    body = b""
    for name, content, headers in parts:
        lines = [f'Content-Disposition: form-data; name="{name}"{disposition}', *headers]
        body += b"--x\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n"
    return {
        "body": body + b"--x--\r\n",
        "headers": {"Content-Type": "multipart/form-data; boundary=x"},
    }


def price() -> tuple[str, bytes, tuple[str, ...]]:
    return ("price", b"12000", ())


@pytest.fixture
def seller(api: Api) -> User:
    return api.seller()


@pytest.mark.parametrize("path", ["/api/products", "/api/products/create"])
def test_parts_that_say_json_are_read_as_json(api: Api, seller: User, path: str):
    said = (f"Content-Type: {JSON}",)
    parts = (
        ("name", b'"Kopi \\"Gayo\\""', said),
        ("price", b"12000.50", said),
        ("stock", b"3", said),
    )
    answer = api.post(path, seller, **form(*parts))
    assert answer.status_code == 201, answer.text
    made = answer.json.get("product", answer.json)
    assert (made["name"], float(made["price"]), made["stock"]) == ('Kopi "Gayo"', 12000.5, 3)


@pytest.mark.parametrize(
    ("content", "code"), [(b'{"a": 1}', 422), (b"[1]", 422), (b'"Kopi', 400), (b"NaN", 400)]
)
def test_a_part_of_json_that_is_no_text_is_refused(
    api: Api, seller: User, content: bytes, code: int
):
    answer = api.post(
        "/api/products", seller, **form(("name", content, (f"Content-Type: {JSON}",)), price())
    )
    problem(answer, code, "validation_failed" if code == 422 else "invalid_json")


@pytest.mark.parametrize(
    ("charset", "content"),
    [
        ("ISO-8859-1", "Kafé".encode("latin-1")),
        ('"windows-1252"', "Kafé".encode("cp1252")),
        ("UTF-8", "Kafé".encode()),
    ],
)
def test_a_part_is_read_in_its_charset(api: Api, seller: User, charset: str, content: bytes):
    named = ("name", content, (f"Content-Type: text/plain; charset={charset}",))
    assert api.post("/api/products", seller, **form(named, price())).json["name"] == "Kafé"


@pytest.mark.parametrize("charset", ["utf-7", "unicode_escape", "zlib", "idna", "rot13", "x"])
def test_a_charset_that_is_none_of_texts_is_refused(api: Api, seller: User, charset: str):
    named = ("name", b"Kopi", (f"Content-Type: text/plain; charset={charset}",))
    problem(api.post("/api/products", seller, **form(named, price())), 400, "invalid_multipart")


@pytest.mark.parametrize("word", ["8bit", "7bit", "binary", "BINARY", " 8BIT "])
def test_transfer_encodings_that_change_nothing_are_taken(api: Api, seller: User, word: str):
    named = ("name", b"Kopi", (f"Content-Transfer-Encoding: {word}", "Content-Type:text/plain"))
    assert api.post("/api/products", seller, **form(named, price())).status_code == 201


@pytest.mark.parametrize("word", ["base64", "quoted-printable"])
def test_transfer_encodings_that_change_bytes_are_refused(api: Api, seller: User, word: str):
    named = ("name", b"S29waQ==", (f"Content-Transfer-Encoding: {word}",))
    problem(api.post("/api/products", seller, **form(named, price())), 400, "invalid_multipart")


@pytest.mark.parametrize("size", [10, 300_000])
@pytest.mark.parametrize("name", ["images[]", "image"])
def test_a_part_of_an_unknown_name_is_refused_by_its_name(
    api: Api, seller: User, name: str, size: int
):
    product = api.post("/api/products", seller, json={"name": "Kopi", "price": "1"}).json["id"]
    for path in ("/api/products", "/api/products/create", f"/api/products/{product}/images"):
        answer = api.post(path, seller, **form((name, b"\xff\xd8" * (size // 2), ())))
        problem(answer, 422, "validation_failed")
        assert f"/{name}" in [error["pointer"] for error in answer.json["errors"]]


def packed(document: Any, **headers: str) -> dict[str, Any]:
    body = gzip.compress(json.dumps(document).encode())
    return {
        "body": body,
        "headers": {"Content-Type": "application/json", "Content-Encoding": "gzip", **headers},
    }


def test_a_body_packed_by_gzip_is_read(api: Api, seller: User):
    answer = api.post("/api/products", seller, **packed({"name": "Kopi", "price": "1"}))
    assert (answer.status_code, answer.json["name"]) == (201, "Kopi")


def test_a_packed_body_is_bounded_by_what_it_unpacks_to(api: Api, seller: User):
    answer = api.post("/api/products", seller, **packed({"name": "x" * 50_000_000, "price": "1"}))
    problem(answer, 413, "payload_too_large")


def test_a_packed_body_that_is_broken_is_refused(api: Api, seller: User):
    sent = packed({"name": "Kopi", "price": "1"})
    for body in (sent["body"][:-12], b"\0" + sent["body"], b"{}"):
        answer = api.post("/api/products", seller, body=body, headers=sent["headers"])
        problem(answer, 400, "bad_request")


def test_other_encodings_are_refused_with_the_one_that_is_read(api: Api, seller: User):
    sent = packed({}, **{"Content-Encoding": "br"})
    answer = api.post("/api/products", seller, **sent)
    problem(answer, 415, "unsupported_media_type")
    assert answer.headers["Accept-Encoding"] == "gzip"
    sent = form(("name", b"Kopi", ()), price())
    sent["headers"]["Content-Encoding"] = "gzip"
    answer = api.post("/api/products", seller, **sent)
    problem(answer, 415, "unsupported_media_type")
    assert answer.headers["Accept-Encoding"] == "identity"


def test_a_byte_order_mark_before_json_is_left_out(api: Api, seller: User):
    body = b"\xef\xbb\xbf" + json.dumps({"name": "Kopi", "price": "1"}).encode()
    answer = api.post(
        "/api/products", seller, body=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 201


@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize("offset", ["+07:00", "+0700", "%2B07:00", "-07:00", "Z"])
def test_an_offset_whose_plus_was_not_escaped_is_read(
    api: Api, seller: User, name: str, offset: str
):
    path = f"/api/users/activities?{name}=2026-11-01T00:00:00{offset}"
    assert api.get(path, seller).status_code == 200


def test_a_time_with_a_blank_elsewhere_is_refused(api: Api, seller: User):
    for moment in ("2026-11-01T00:00:00 WIB", "2026-11-01 00:00:00 07:00 1", "2026-11-01T 07:00"):
        answer = api.client.simulate_get(
            "/api/users/activities",
            params={"from": moment},
            headers={"Authorization": f"Bearer {seller.token}"},
        )
        problem(answer, 422, "validation_failed")


def test_blanks_between_bearer_and_token_are_as_good_as_one(api: Api, seller: User):
    for header in (f"Bearer  {seller.token}", f"bearer   {seller.token} "):
        answer = api.client.simulate_get("/api/users/profile", headers={"Authorization": header})
        assert answer.status_code == 200
