"""Problems in English and Indonesian; codes in neither."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import Api, multipart
from test_auth import problem
from zxcvbn import feedback, zxcvbn

from marketplace import errors, languages, validation
from marketplace.config import ROOT

PACKAGE = ROOT / "marketplace"
#: What is said to somebody: the function, and which argument the words are.
SAYING = {"Problem": 1, "unauthorized": 1, "PictureRefused": 1, "Wrong": 1, "FieldError": 2, "invalid": 2, "say": 0}
#: Said elsewhere than to a client of the API: the report of an import, a command's own words.
ELSEWHERE = ("catalog_csv", "commands")


def said() -> tuple[set[str], list[str]]:
    """The templates in the source, and the places where words are put together by hand."""
    templates: set[str] = set()
    wrong: list[str] = []
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name in ELSEWHERE:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
            if name not in SAYING or len(node.args) <= SAYING[name]:
                continue
            words = node.args[SAYING[name]]
            if isinstance(words, ast.Constant) and isinstance(words.value, str):
                templates.add(words.value)
            elif isinstance(words, ast.JoinedStr | ast.BinOp):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    return templates, wrong


def library() -> set[str]:
    """What zxcvbn says: its sentences stand in one module."""
    tree = ast.parse(Path(feedback.__file__).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_"]
    return {call.args[0].value for call in calls}


def templates() -> set[str]:
    found, _ = said()
    found |= {title for _, title in errors.PROBLEMS.values()}
    found |= {words for _, _, words in errors.CONSTRAINTS.values()}
    found |= set(validation._MESSAGES.values())
    return found | {"sellers and admins", "admins", "must not be blank"}


def test_no_words_are_put_together_where_they_cannot_be_translated():
    assert said()[1] == []


def test_every_text_has_its_indonesian_and_none_is_left_over():
    catalogue = languages.catalogue("id")
    wanted = templates() | library()
    missing = dict.fromkeys(sorted(wanted - set(catalogue)), "")
    assert not missing, f"add to marketplace/languages/id.json:\n{json.dumps(missing, indent=2, ensure_ascii=False)}"
    assert set(catalogue) - wanted == set()


def test_a_translation_names_the_same_values():
    for english, other in languages.catalogue("id").items():
        assert sorted(re.findall(r"\{(\w+)\}", english)) == sorted(re.findall(r"\{(\w+)\}", other)), english


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("id", "id"),
        ("id-ID,id;q=0.9,en-US;q=0.8,en;q=0.7", "id"),
        ("in-ID", "id"),
        ("ID", "id"),
        ("en;q=0.1, id", "id"),
        ("en, id;q=0.9", "en"),
        ("fr, *;q=0.5", "en"),
        ("fr, id;q=0.3, *;q=0.1", "id"),
        ("id;q=0", "en"),
        ("*", "en"),
        ("id;q=2", "en"),
        ("\u00ff;;;,==", "en"),
        ("x" * 10_000, "en"),
        ("id;q=" * 2_000, "en"),
    ],
)
def test_the_language_is_what_the_client_likes_best(header: str | None, language: str):
    assert languages.negotiate(header) == language


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
        both(api, "POST", "/api/products", seller, body=b"{", headers={"Content-Type": "application/json"}),
        both(api, "POST", "/api/products", seller, body=b"x", headers={"Content-Type": "text/plain"}),
        both(api, "POST", "/api/auth/register", json=register),
        both(api, "PATCH", f"/api/products/{product['id']}", seller, json={"price": 1}, headers={"If-Match": '"0"'}),
        both(api, "GET", "/api/products", headers={"Accept": "text/html"}),
    ]:
        assert indonesian["title"] != english["title"]
        assert indonesian["detail"] != english["detail"]
        for name in ("type", "status", "code"):
            assert indonesian[name] == english[name]
        for one, other in zip(english.get("errors", []), indonesian.get("errors", []), strict=True):
            assert (one["pointer"], one["code"]) == (other["pointer"], other["code"])
            assert one["message"] != other["message"]


def test_a_picture_is_refused_by_name_in_the_sellers_language(api: Api):
    seller = api.seller()
    path = f"/api/products/{api.product(seller)['id']}/images"
    for language, words in (("en", "{0}.jpg: The file is empty."), ("id", "{0}.jpg: Berkasnya kosong.")):
        body, kind = multipart([("images", "{0}.jpg", b"")], {})
        answer = api.post(path, seller, body=body, headers={"Content-Type": kind, "Accept-Language": language})
        problem(answer, 422, "picture_refused")
        assert answer.json["detail"] == answer.json["errors"][0]["message"] == words


def test_success_says_nothing_of_languages(api: Api):
    answer = api.get("/api/products", headers={"Accept-Language": "id"})
    assert "Content-Language" not in answer.headers
    assert "Accept-Language" not in answer.headers.get("Vary", "")


def test_values_are_said_as_they_are():
    hostile = "{size} %s {0} {x.__class__}\n"
    text = languages.say("At most {size} are taken here.", size=hostile)
    assert str(text) == f"At most {hostile} are taken here."
    assert hostile in text.spoken("id")


def test_what_the_password_checker_says_is_known():
    for password in ("password", "aaaaaaaa", "abcdefgh", "qwertyuiop", "19871987", "sari1990", "p@ssword", "drowssap"):
        verdict = zxcvbn(password, user_inputs=["sari"])["feedback"]
        for text in (verdict["warning"], *verdict["suggestions"]):
            assert not text or text in languages.catalogue("id"), text
