"""The API's description of itself."""

import json

from conftest import Api
from openapi_spec_validator import validate
from test_routes import EXPECTED, declared


def test_the_document_is_valid_and_has_every_call_with_its_roles(api: Api):
    document = api.get("/api/openapi.json").json

    validate(document)
    calls = {
        f"{method.upper()} {path}": " ".join(call["x-roles"])
        for path, methods in document["paths"].items()
        for method, call in methods.items()
        if method != "parameters"
    }
    assert calls == {call.replace(":id}", "}"): roles for call, roles in declared(api).items()}
    assert len(calls) == len(EXPECTED)


def test_every_operation_has_a_name_of_its_own_and_problems(api: Api):
    document = api.get("/api/openapi.json").json
    calls = [
        call for methods in document["paths"].values() for method, call in methods.items() if method != "parameters"
    ]

    names = [call["operationId"] for call in calls]
    assert len(set(names)) == len(names)
    for call in calls:
        assert "401" in call["responses"], call["operationId"]
        assert call["responses"]["503"]["content"]["application/problem+json"]


def test_limits_and_money_are_in_the_document(api: Api):
    body = api.get("/api/openapi.json").json["paths"]["/api/products"]["post"]["requestBody"]["content"]
    product = body["application/json"]["schema"]

    assert product["properties"]["name"]["maxLength"] == 500
    assert product["properties"]["price"]["type"] == "string"
    assert product["properties"]["id"]["readOnly"] is True
    assert product["additionalProperties"] is False
    assert "main_image" in body["multipart/form-data"]["schema"]["properties"]
    assert json.dumps(product)
