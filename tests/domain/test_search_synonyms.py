"""The list of words that mean the same: read, replaced, refused, and what the trail says of it."""

import psycopg
import pytest
from conftest import Api
from support.responses import problem

PATH = "/api/search-synonyms"


def put(api: Api, admin, groups: list[list[str]], **headers):
    body = {"synonyms": [{"words": words} for words in groups]}
    return api.put(PATH, admin, json=body, headers=headers)


def test_there_is_a_first_list(api: Api):
    answer = api.get(PATH, api.admin())
    assert answer.json["synonyms"][0]["words"][:3] == ["hp", "handphone", "ponsel"]
    assert answer.json["version"] == 1
    assert answer.headers["etag"].startswith('"1-')


def test_the_whole_list_is_replaced_and_searches_know_it_at_once(api: Api):
    admin, seller = api.admin(), api.seller()
    api.product(seller, name="Zamrud hijau")
    answer = put(api, admin, [["Zamrud", "Émerald"], ["hp", "ponsel", "handphone"]])
    assert answer.status_code == 200
    assert answer.json["synonyms"] == [
        {"words": ["zamrud", "emerald"]},
        {"words": ["hp", "ponsel", "handphone"]},
    ]
    assert answer.json["version"] > 1
    assert api.get(PATH, admin).json == answer.json
    names = api.get("/api/products", params={"search": "emerald"}).json["products"]
    assert [product["name"] for product in names] == ["Zamrud hijau"]

    again = put(api, admin, [["zamrud", "emerald"], ["hp", "ponsel", "handphone"]])
    assert again.json["version"] == answer.json["version"]
    assert put(api, admin, []).json["synonyms"] == []
    assert api.get("/api/products", params={"search": "emerald"}).json["products"] == []


def test_a_list_that_changed_meanwhile_is_not_overwritten(api: Api):
    admin = api.admin()
    tag = api.get(PATH, admin).headers["etag"]
    assert put(api, admin, [["satu", "dua"]], **{"If-Match": tag}).status_code == 200
    problem(put(api, admin, [["tiga", "empat"]], **{"If-Match": tag}), 412, "precondition_failed")


@pytest.mark.parametrize(
    ("groups", "pointer"),
    [
        ([["satu"]], "/synonyms/0/words"),
        ([["satu", "dua"], ["tiga", "Dua"]], "/synonyms/1/words/1"),
        ([["satu", "kata dua"]], "/synonyms/0/words/1"),
        ([["satu", "!?"]], "/synonyms/0/words/1"),
        ([["satu", "d" * 51]], "/synonyms/0/words/1"),
        ([[f"kata{number}" for number in range(11)]], "/synonyms/0/words"),
        ([[f"a{number}", f"b{number}"] for number in range(1001)], "/synonyms"),
    ],
)
def test_a_list_that_cannot_be_is_refused(api: Api, groups: list[list[str]], pointer: str):
    refused = put(api, api.admin(), groups)
    assert pointer in [
        error["pointer"] for error in problem(refused, 422, "validation_failed")["errors"]
    ]


def test_who_changed_which_word_is_in_the_trail(api: Api):
    admin = api.admin()
    put(api, admin, [["hp", "handphone"]])
    put(api, admin, [["hp", "handphone"], ["zamrud", "emerald"]])
    entries = api.get("/api/audit", admin, params={"type": "synonym", "action": "create"}).json
    words = {entry["after"]["word"] for entry in entries["audit"]}
    assert {"zamrud", "emerald"} <= words
    assert {entry["user_id"] for entry in entries["audit"]} == {admin.id}


def test_a_dba_fills_the_table_and_nobody_else_may(committed: Api):
    with psycopg.connect(committed.owner_url, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO search_synonyms (word, group_id) VALUES ('Zamrud', 5000), ('Émerald', 5000)"
        )
        words = conn.execute("SELECT word FROM search_synonyms WHERE group_id = 5000").fetchall()
        assert sorted(words) == [("emerald",), ("zamrud",)]
        assert conn.execute("SELECT version FROM search_lists").fetchone() == (2,)
        conn.execute("SET ROLE marketplace_app")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="by admins"):
            conn.execute("DELETE FROM search_synonyms")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("UPDATE search_lists SET version = 9")
