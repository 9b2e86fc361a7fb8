"""The API's description of itself."""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cerberus.schema import DefinitionSchema
from conftest import Api
from openapi_spec_validator import validate
from support.calls import EXPECTED, declared
from support.documented import documented

from marketplace import app
from marketplace.config.rate_limits import DEFAULTS
from marketplace.config.settings import ROOT
from marketplace.contract import operations, validation
from marketplace.openapi.schemas import example_of

EVERYBODY = "anonymous buyer seller admin"


def operations_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": call
        for path, methods in document["paths"].items()
        for method, call in methods.items()
        if method != "parameters"
    }


def test_the_document_is_valid_and_has_every_call_with_its_roles(api: Api):
    document = api.get("/api/openapi.json").json

    validate(document)
    calls = {
        call: " ".join(operation["x-roles"]) for call, operation in operations_of(document).items()
    }
    assert calls == {
        call.replace(":id}", "}"): EVERYBODY if "guest" in roles else roles
        for call, roles in declared(api).items()
    }
    assert len(calls) == len(EXPECTED)


def test_every_operation_has_a_name_of_its_own_a_rate_class_and_problems(api: Api):
    document = api.get("/api/openapi.json").json
    calls = operations_of(document).values()

    names = [call["operationId"] for call in calls]
    assert len(set(names)) == len(names)
    for call in calls:
        assert re.fullmatch(r"[a-z][A-Za-z]+", call["operationId"])
        assert call["x-rate-class"] in DEFAULTS
        for status in ("401", "422", "500", "503"):
            name = call["responses"][status]["$ref"].rpartition("/")[2]
            answer = document["components"]["responses"][name]
            assert answer["content"]["application/problem+json"]
            assert answer["x-codes"]
        security = [] if "anonymous" in call["x-roles"] else [{"bearer": []}]
        assert call["security"] == (
            [{}, {"bearer": []}]
            if call["operationId"] in ("getProduct", "getStore", "listStores")
            else security
        )


def test_limits_and_money_are_in_the_document(api: Api):
    document = api.get("/api/openapi.json").json
    schemas = document["components"]["schemas"]
    body = document["paths"]["/api/products"]["post"]["requestBody"]["content"]
    assert body["application/json"]["schema"] == {"$ref": "#/components/schemas/NewProduct"}
    product = schemas["NewProduct"]

    assert product["properties"]["name"]["maxLength"] == 500
    assert product["properties"]["price"]["type"] == "string"
    assert product["properties"]["id"]["readOnly"] is True
    assert product["additionalProperties"] is False
    assert product["required"] == ["name"]  # and the price, unless its variants have theirs
    assert schemas["NewProductVariant"]["required"] == ["options", "price"]
    assert product["properties"]["variants"]["maxItems"] == 100
    assert "required" not in schemas["ProductPatch"]
    assert schemas["Product"]["properties"]["price"]["pattern"] == r"^[0-9]{1,13}\.[0-9]{2}$"
    assert set(schemas["Product"]["required"]) == set(schemas["Product"]["properties"])
    assert "main_image" in body["multipart/form-data"]["schema"]["properties"]


def test_the_encoding_of_a_form_names_parts_that_it_has(api: Api):
    for path in api.get("/api/openapi.json").json["paths"].values():
        for call in path.values():
            body = call.get("requestBody", {}).get("content", {}) if isinstance(call, dict) else {}
            form = body.get("multipart/form-data", {})
            assert set(form.get("encoding", {})) <= set(
                form.get("schema", {}).get("properties", {})
            )


def test_what_a_hook_takes_stands_in_the_document(api: Api):
    document = api.get("/api/openapi.json").json

    def taken(method: str, path: str) -> set[str]:
        found = document["paths"][path][method].get("parameters", [])
        return {parameter["$ref"].rpartition("/")[2] for parameter in found if "$ref" in parameter}

    assert taken("post", "/api/products") == {"IdempotencyKey"}
    assert taken("put", "/api/products/{product_id}") == {"IfMatch"}
    assert taken("get", "/api/products/{product_id}") == {"IfNoneMatch", "ConsistencyToken"}
    assert taken("post", "/api/auth/login") == set()
    put = document["paths"]["/api/products/{product_id}"]["put"]["responses"]
    assert put["412"] == {"$ref": "#/components/responses/PreconditionFailed"}
    assert (
        "IdempotencyKeyReused"
        in document["paths"]["/api/products"]["post"]["responses"]["422"]["$ref"]
    )
    patch = document["paths"]["/api/products/{product_id}"]["patch"]["requestBody"]["content"]
    assert set(patch) == {"application/json", "application/merge-patch+json"}


@pytest.mark.parametrize(
    ("method", "path", "status", "headers", "body"),
    [
        ("GET", "/healthz", 200, {}, {"status": "ok", "more": 1}),
        ("GET", "/healthz", 200, {}, {"status": 1}),
        ("GET", "/healthz", 200, {}, {}),
        ("GET", "/healthz", 200, {"ETag": ""}, {"status": "ok"}),
        ("GET", "/healthz", 200, {"X-Request-ID": ""}, {"status": "ok"}),
        ("GET", "/healthz", 200, {"Content-Type": "text/html"}, {"status": "ok"}),
        ("GET", "/healthz", 201, {}, {"status": "ok"}),
        (
            "GET",
            "/healthz",
            401,
            {"Content-Type": "application/problem+json"},
            {"code": "unauthorized"},
        ),
        ("POST", "/healthz", 200, {}, {"status": "ok"}),
        ("GET", "/nowhere", 200, {}, {"status": "ok"}),
    ],
)
def test_an_answer_that_is_not_in_the_document_is_found(
    api: Api, method: str, path: str, status: int, headers: dict[str, str], body: dict[str, Any]
):
    usual = {
        "X-Request-ID": "a",
        "ETag": '"a"',
        "Content-Type": "application/json",
        "Content-Language": "en",
    }
    good = {name: value for name, value in {**usual, **headers}.items() if value}
    documented(api.config).check("GET", "/healthz", 200, usual, b'{"status": "ok"}')

    with pytest.raises((AssertionError, KeyError)):
        documented(api.config).check(method, path, status, good, json.dumps(body).encode())


def test_every_example_is_taken(api: Api):
    for path, resource in app.route_table(api.config, api.db):
        for method in ("POST", "PUT", "PATCH"):
            declared = operations.of(resource, method)
            if declared is not None and declared.body is not None:
                example = example_of(declared.body)
                assert example, f"{method} {path} has none"
                validation.check(example, declared.body, partial=declared.partial)


def test_every_rule_is_one_that_cerberus_knows(api: Api):
    """It is not asked again while requests wait."""
    for _, resource in app.route_table(api.config, api.db):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            declared = operations.of(resource, method)
            if declared is not None:
                for rules in (
                    declared.query,
                    declared.body,
                    declared.parts and declared.parts.fields,
                ):
                    DefinitionSchema(validation.Validator(), copy.deepcopy(dict(rules or {})))


def test_no_object_of_an_answer_is_without_a_name(api: Api):
    """Generated clients would call it InlineObject7."""

    def unnamed(schema: Any, where: str) -> list[str]:
        if isinstance(schema, list):
            return [name for item in schema for name in unnamed(item, where)]
        if not isinstance(schema, dict):
            return []
        here = [where] if schema.get("type") == "object" and "properties" in schema else []
        inner = [(key, value) for key, value in schema.items() if key != "x-also-accepts"]
        return here + [name for key, value in inner for name in unnamed(value, f"{where}/{key}")]

    document = api.get("/api/openapi.json").json
    for name, schema in document["components"]["schemas"].items():
        assert unnamed(schema.get("properties", {}), name) == []
    for call, operation in operations_of(document).items():
        for status, answer in operation["responses"].items():
            for content in answer.get("content", {}).values():
                found = unnamed(content["schema"], f"{call} {status}")
                assert found == [] or call == "GET /api/openapi.json"


def test_the_document_is_written_without_a_database(tmp_path: Path, api: Api):
    file = tmp_path / "openapi.json"
    env = {"DATABASE_URL": "host=/nowhere", "DATA_DIR": str(tmp_path)}
    subprocess.run(
        [sys.executable, "-m", "marketplace", "openapi", str(file)], cwd=ROOT, env=env, check=True
    )

    assert json.loads(file.read_text(encoding="utf-8")) == api.get("/api/openapi.json").json
