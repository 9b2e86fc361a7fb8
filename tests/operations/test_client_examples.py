"""The examples of docs/clients: they parse, and call what the document has."""

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import Api

from marketplace.config.settings import ROOT
from tools import clients

tree_sitter = pytest.importorskip("tree_sitter", reason="make ready-clients")
EXAMPLES = {"shop.dart": "tree_sitter_dart", "Shop.kt": "tree_sitter_kotlin"}
FOLDER = ROOT / "docs" / "clients"


def errors(node: Any) -> list[tuple[int, str]]:
    """Where the grammar does not understand the text."""
    found = [(node.start_point[0] + 1, node.text.decode()[:60])] if node.type == "ERROR" else []
    return found + [each for child in node.children for each in errors(child)]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_parses(name: str):
    language = tree_sitter.Language(importlib.import_module(EXAMPLES[name]).language())
    parser = tree_sitter.Parser(language)
    text = (FOLDER / name).read_bytes()
    assert errors(parser.parse(text).root_node) == []
    broken = text.replace(b"{", b"", 1)
    assert errors(parser.parse(broken).root_node) != [], (
        "a grammar that takes anything checks nothing"
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_calls_what_the_document_has(api: Api, name: str):
    document = api.get("/api/openapi.json").json
    clients.without_legacy(document)
    calls = {
        call["operationId"]: call
        for methods in document["paths"].values()
        for method, call in methods.items()
        if method != "parameters"
    }
    text = (FOLDER / name).read_text()
    made = re.findall(r"(?:Api\(\)|\b(?:auth|products|quotes|checkouts))\.(\w+)\(", text)
    assert len(set(made)) >= 5
    assert set(made) <= set(calls)
    models = set(re.findall(r"import marketplace\.models\.(\w+)", text))
    models |= set(re.findall(r"= (\w+)\(\(b\)", text))
    assert len(models) >= 4
    for model in models:
        assert model in document["components"]["schemas"], model


def test_what_the_clients_leave_out(api: Api):
    document = api.get("/api/openapi.json").json
    whole = json.dumps(document)
    assert "(legacy Android app)" in whole
    left = clients.without_legacy(document)
    assert left == sum(len(calls.keys() - {"parameters"}) for calls in document["paths"].values())
    rest = json.dumps(document)
    assert "(legacy Android app)" not in rest
    assert "/api/products/brands" not in document["paths"]
    assert "/api/products/create" not in document["paths"]
    assert "/api/brands" in document["paths"]
    for name in set(re.findall(r'"#/components/schemas/(\w+)"', rest)):
        assert name in document["components"]["schemas"]


def test_the_table_of_clients_is_whole():
    assert clients.CLIENTS.keys() == clients.ENDINGS.keys() == clients.TAKEN.keys()
    assert Path(clients.FOLDER).name == "clients"
