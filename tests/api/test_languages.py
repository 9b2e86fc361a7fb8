"""Problems in English and Indonesian; codes in neither."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import PASSWORD, Api, multipart
from support.calls import ANY, EXPECTED, GUEST
from support.responses import problem
from support.words import Words, placeholders
from zxcvbn import feedback, zxcvbn

from marketplace.config.settings import ROOT
from marketplace.contract import constraints, errors, validation
from marketplace.text import messages
from marketplace.web.problems import body

PACKAGE = ROOT / "marketplace"
JSON = {"Content-Type": "application/json"}
#: Said elsewhere than to a client of the API: a command's own words; or handed on.
ELSEWHERE = ("commands", "text")


def said() -> list[Words]:
    files = [path for path in sorted(PACKAGE.rglob("*.py")) if path.parent.name not in ELSEWHERE]
    return [Words(path.read_text(encoding="utf-8"), path.relative_to(ROOT)) for path in files]


def library() -> set[str]:
    """What zxcvbn says: its sentences stand in one module."""
    tree = ast.parse(Path(feedback.__file__).read_text(encoding="utf-8"))
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_"
    ]
    return {call.args[0].value for call in calls}


def templates() -> set[str]:
    """Everything that can be said to a client of the API."""
    found = {template for words in said() for template in words.templates}
    found |= {title for _, title in errors.PROBLEMS.values()}
    found |= {words for _, _, words in constraints.CONSTRAINTS.values()}
    found |= set(validation._MESSAGES.values())
    limited = {roles for roles in EXPECTED.values() if GUEST not in roles and roles != ANY}
    return found | {" and ".join(f"{role}s" for role in roles.split()) for roles in limited}


def test_no_words_are_put_together_where_they_cannot_be_translated():
    assert [place for words in said() for place in sorted(words.untranslatable)] == []


@pytest.mark.parametrize(
    "code",
    [
        'raise Problem("not_found", f"There is no {thing}.")',
        'raise Problem("not_found", "There is no %s." % thing)',
        'raise Problem("not_found", "There is no " + thing)',
        'raise Problem("not_found", "There is no {}.".format(thing))',
        'raise Problem("not_found", detail=f"There is no {thing}.")',
        'words = f"There is no {thing}."; raise Problem("not_found", words)',
        'raise Problem("not_found", "None." if thing else f"There is no {thing}.")',
        'raise Problem("not_found", "There is no {thing}.")',
        'raise Problem("not_found", say("There is no {thing}.", other=thing))',
        'raise Problem("not_found", say("There is no {thing}."))',
        'raise Problem("not_found", say(f"There is no {thing}."))',
        'raise Problem("not_found", say("There is no {thing!r}.", thing=thing))',
        'raise Wrong("bad_format", say("is no {thing}", thing=thing))',
        'raise errors.Problem("validation_failed", errors=[errors.FieldError("/x", "y", f"is no {thing}")])',
        'raise invalid("/x", "y", str(error))',
        "self._error(field, f'is no {thing}')",
    ],
)
def test_words_that_cannot_be_translated_are_found(code: str):
    assert Words(f"def refuse(thing):\n    {code}\n", Path("module.py")).untranslatable


def test_every_text_has_its_indonesian_and_none_is_left_over():
    catalogue = messages.catalogue("id")
    wanted = templates() | library()
    missing = json.dumps(
        dict.fromkeys(sorted(wanted - set(catalogue)), ""), indent=2, ensure_ascii=False
    )
    assert missing == "{}", f"add to marketplace/text/id.json, with words:\n{missing}"
    unused = "\n".join(sorted(set(catalogue) - wanted))
    assert not unused, f"take out of marketplace/text/id.json:\n{unused}"


def test_a_translation_is_there_and_names_the_same_values():
    for english, other in messages.catalogue("id").items():
        assert other.strip(), english
        assert placeholders(english) == placeholders(other), english
        assert english.endswith(".") == other.endswith("."), english


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("id", "id"),
        ("id-ID,id;q=0.9,en-US;q=0.8,en;q=0.7", "id"),
        ("in-ID", "id"),
        ("in_ID", "id"),
        ("id-Latn-ID", "id"),
        ("id ; q = 0.8 , en ; q = 0.7", "id"),
        ("jv-ID, id;q=0.9, en;q=0.8", "id"),
        ("en-GB, en;q=0.9, id;q=0.8", "en"),
        ("ID", "id"),
        ("en;q=0.1, id", "id"),
        ("en, id;q=0.9", "en"),
        ("fr, *;q=0.5", "en"),
        ("fr, id;q=0.3, *;q=0.1", "id"),
        ("id;q=0", "en"),
        ("*", "en"),
        ("id;q=2", "en"),
        ("en, id;q=1.5", "en"),
        ("id;q=0.0001", "en"),
        ("idn", "en"),
        ("en-id", "en"),
        ("id" + " " * 900 + ";" + " " * 900, "en"),
        ("\u00ff;;;,==", "en"),
        ("x" * 10_000, "en"),
        ("id;q=" * 2_000, "en"),
    ],
)
def test_the_language_is_what_the_client_likes_best(header: str | None, language: str):
    assert messages.negotiate(header) == language


def both(api: Api, method: str, path: str, user: Any = None, **options: Any) -> tuple[dict, dict]:
    """The same refusal in English and in Indonesian."""
    answers = []
    for language in ("en", "id"):
        headers = {**options.get("headers", {}), "Accept-Language": language}
        answer = api.request(method, path, user, **{**options, "headers": headers})
        assert answer.headers["Content-Language"] == language
        assert "Accept-Language" in answer.headers["Vary"]
        answers.append(answer.json)
    return answers[0], answers[1]


def test_every_kind_of_refusal_is_said_in_both_languages(api: Api):
    seller, buyer = api.seller(), api.buyer()
    product = api.product(seller, sku="K-1")
    register = {"name": "x", "email": "a@example.com", "password": "password"}
    api.config.uploads_dir.mkdir(parents=True, exist_ok=True)
    (api.config.uploads_dir / "x.txt").write_text("x")
    for english, indonesian in [
        both(api, "GET", "/api/users/profile"),
        both(api, "GET", "/api/users", buyer),
        both(api, "GET", "/api/products/999999"),
        both(api, "GET", "/api/nothing"),
        both(api, "POST", "/api/products/1", seller),
        both(api, "GET", "/api/products?min_price=-1&colour=red&page=0&in_stock=perhaps"),
        both(api, "GET", "/api/products?page=9999"),
        both(api, "GET", "/api/products?sort_by=relevance"),
        both(api, "GET", "/api/products?cursor=x"),
        both(api, "POST", "/api/products", seller, json={"name": "x", "price": 1, "sku": "K-1"}),
        both(api, "POST", "/api/products", seller, body=b"{", headers=JSON),
        both(
            api, "POST", "/api/products", seller, body=b"x", headers={"Content-Type": "text/plain"}
        ),
        both(api, "POST", "/api/auth/register", json=register),
        both(
            api,
            "PATCH",
            f"/api/products/{product['id']}",
            seller,
            json={"price": 1},
            headers={"If-Match": '"0"'},
        ),
        both(api, "GET", "/api/products", headers={"Accept": "text/html"}),
        both(api, "GET", "/uploads/x.txt", headers={"Range": "bytes=x"}),
        both(api, "GET", "/api/users/profile", headers={"Authorization": "Bearer x"}),
        both(api, "POST", "/api/auth/login", json={"email": "a@example.com", "password": "x"}),
        both(api, "POST", "/api/auth/login", body=b'{"a": NaN}', headers=JSON),
        both(api, "POST", "/api/auth/login", body=b'{"a": 1, "a": 1}', headers=JSON),
        both(
            api,
            "POST",
            "/api/auth/register",
            json={**register, "email": seller.email, "password": PASSWORD},
        ),
        both(api, "POST", "/api/stores", seller, json={"name": "Another"}),
        both(
            api,
            "POST",
            "/api/stores",
            buyer,
            json={"name": "x"},
            headers={"Idempotency-Key": "a b"},
        ),
        both(
            api,
            "POST",
            "/api/products/import-csv",
            seller,
            body=b"",
            headers={"Content-Type": "text/csv"},
        ),
        both(
            api,
            "POST",
            "/api/users/upload-avatar",
            buyer,
            body=b"x",
            headers={"Content-Type": "multipart/form-data"},
        ),
    ]:
        assert indonesian["title"] != english["title"]
        assert indonesian["detail"] != english["detail"]
        for name in ("type", "status", "code"):
            assert indonesian[name] == english[name]
        for one, other in zip(english.get("errors", []), indonesian.get("errors", []), strict=True):
            assert (one["pointer"], one["code"]) == (other["pointer"], other["code"])
            assert one["message"] != other["message"]


def test_indonesian_reads_as_an_app_shows_it(api: Api):
    seller, other = api.seller("Toko Melati"), api.seller()
    register = {"name": "x", "email": "a@example.com", "password": "password"}
    name = {"name": "Toko Melati"}
    four = "/api/products?min_price=-1&in_stock=perhaps&page=0&per_page=101"
    for (_, found), detail in [
        (both(api, "GET", "/api/products?min_price=-1"), "min_price tidak boleh negatif."),
        (
            both(api, "GET", four),
            "in_stock harus true atau false; min_price tidak boleh negatif; page minimal 1; dan "
            "1 lagi.",
        ),
        (
            both(api, "POST", "/api/products", seller, body=b"[]", headers=JSON),
            "data harus berupa objek.",
        ),
        (
            both(api, "PUT", "/api/stores/mine", other, json=name),
            "Toko lain sudah memakai nama ini.",
        ),
        (both(api, "GET", "/api/users", seller), "Tindakan ini hanya untuk admin."),
        (
            both(api, "POST", "/api/auth/register", json=register),
            "Ini termasuk 10 kata sandi paling umum. Tambahkan satu atau dua kata lagi. "
            "Kata yang tidak umum lebih baik.",
        ),
        (both(api, "GET", "/api/nothing"), "Tidak ditemukan."),
    ]:
        assert found["detail"] == detail


def test_the_challenge_of_a_401_is_the_same_in_every_language(api: Api):
    headers = {"Authorization": "Bearer x", "Accept-Language": "id"}
    challenge = api.get("/api/users/profile", headers=headers).headers["WWW-Authenticate"]
    assert (
        'error="invalid_token", error_description="The access token is not valid or has expired."'
        in challenge
    )


@pytest.mark.parametrize(
    "name", ["{0}.jpg", "{reason}{file!r}%s%(file)s.jpg", "the image", "The file is empty."]
)
def test_a_picture_is_refused_by_its_own_name_in_the_sellers_language(api: Api, name: str):
    seller = api.seller()
    path = f"/api/products/{api.product(seller)['id']}/images"
    for language, reason in (("en", "The file is empty."), ("id", "Berkas kosong.")):
        body, kind = multipart([("images", name, b"")], {})
        answer = api.post(
            path, seller, body=body, headers={"Content-Type": kind, "Accept-Language": language}
        )
        problem(answer, 422, "picture_refused")
        assert answer.json["detail"] == answer.json["errors"][0]["message"] == f"{name}: {reason}"


@pytest.mark.parametrize(
    ("pointer", "message", "english", "indonesian"),
    [
        (
            "/price",
            "must not be negative",
            "price must not be negative.",
            "price tidak boleh negatif.",
        ),
        ("", "must be an object", "the document must be an object.", "data harus berupa objek."),
        (
            "/payment",
            "say how it is paid",
            "payment: say how it is paid.",
            "payment: sebutkan cara bayarnya.",
        ),
        (
            "",
            "a return of the order is open",
            "A return of the order is open.",
            "Pengembalian pesanan ini masih terbuka.",
        ),
    ],
)
def test_details_read_as_sentences(pointer: str, message: str, english: str, indonesian: str):
    refusal = errors.Problem(
        "validation_failed", errors=[errors.FieldError(pointer, "invalid", message)]
    )
    told = [json.loads(body(refusal, None, language))["detail"] for language in ("en", "id")]
    assert told == [english, indonesian]


def test_success_says_nothing_of_languages(api: Api):
    answer = api.get("/api/products", headers={"Accept-Language": "id"})
    assert "Content-Language" not in answer.headers
    assert "Accept-Language" not in answer.headers.get("Vary", "")


def test_values_are_said_as_they_are():
    hostile = "{size} %s {0} {x.__class__}\n"
    text = messages.say("At most {size} are taken here.", size=hostile)
    assert str(text) == f"At most {hostile} are taken here."
    assert hostile in text.spoken("id")


def test_what_the_password_checker_says_is_known():
    for password in (
        "password",
        "aaaaaaaa",
        "abcdefgh",
        "qwertyuiop",
        "19871987",
        "sari1990",
        "p@ssword",
        "drowssap",
    ):
        verdict = zxcvbn(password, user_inputs=["sari"])["feedback"]
        for text in (verdict["warning"], *verdict["suggestions"]):
            assert not text or text in messages.catalogue("id"), text
