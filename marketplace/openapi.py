"""The OpenAPI 3.1 document, built from the routes and from what their responders declare.

The same cerberus rules that requests are checked with become the schemas, so the document cannot say anything else.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from marketplace import __version__, operations
from marketplace.errors import MEDIA_TYPE, PROBLEMS
from marketplace.operations import Operation
from marketplace.validation import Schema

_METHODS = ("get", "post", "put", "patch", "delete")
_PARAMETER = re.compile(r"\{([a-z_]+):id\}")
_MONEY = {"type": "string", "pattern": r"^[0-9]{1,13}(\.[0-9]{1,2})?$"}

#: What a coercion takes, as JSON Schema. Amounts are plain texts: `format: decimal` becomes a double in some clients.
_COERCED: dict[str, dict[str, Any]] = {
    "int64": {"type": "integer", "format": "int64"},
    "money": _MONEY,
    "boolean": {"type": "boolean"},
    "line": {"type": "string"},
    "prose": {"type": "string"},
    "secret": {"type": "string", "format": "password"},
    "email": {"type": "string", "format": "email", "maxLength": 254},
    "link": {"type": "string", "format": "uri"},
    "words": {"type": "string"},
    "time": {"type": "string"},
    "time_end": {"type": "string"},
    "ids": {"type": "string", "pattern": "^[0-9]+(,[0-9]+){0,99}$"},
    "names": {"type": "array", "items": {"type": "string"}},
}
_TYPES = {"dict": "object", "list": "array"}
_LIMITS = {
    "min": "minimum",
    "max": "maximum",
    "minlength": "minLength",
    "maxlength": "maxLength",
    "allowed": "enum",
    "default": "default",
}


def build(routes: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The document of these routes."""
    paths: dict[str, Any] = {}
    names: set[str] = set()
    for path, resource in routes:
        declared = {method: operations.of(resource, method.upper()) for method in _METHODS}
        calls = {method: _operation(method, path, found, names) for method, found in declared.items() if found}
        ids = [_path_parameter(name) for name in _PARAMETER.findall(path)]
        paths[_PARAMETER.sub(r"{\1}", path)] = {**({"parameters": ids} if ids else {}), **calls}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Marketplace",
            "version": __version__,
            "description": "A marketplace of many sellers. See docs/api.md for a guide.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Problem": _PROBLEM},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def schema(rules: Schema, *, request: bool) -> dict[str, Any]:
    """An object by its cerberus rules; a request's takes no other fields, an answer's may gain some."""
    properties = {name: _property(rule, request=request) for name, rule in rules.items()}
    required = [name for name, rule in rules.items() if rule.get("required")]
    made: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        made["required"] = required
    if request:
        made["additionalProperties"] = False
    return made


def _property(rule: Mapping[str, Any], *, request: bool) -> dict[str, Any]:
    kind = rule.get("type")
    if "coerce" in rule:
        made = dict(_COERCED[rule["coerce"]])
    elif kind == "dict" and "schema" in rule:
        made = schema(rule["schema"], request=False)
    elif kind == "list" and "schema" in rule:
        made = {"type": "array", "items": _property(rule["schema"], request=request)}
    else:
        made = {"type": _TYPES.get(kind, kind)} if kind else {}
    made.update({ours: rule[name] for name, ours in _LIMITS.items() if name in rule})
    if made.get("type") == "array" and "enum" in made:
        made["items"] = {**made["items"], "enum": made.pop("enum")}
    meta = dict(rule.get("meta", {}))
    meta.pop("answered_as_object", None)
    if meta.pop("read_only", False):
        made["readOnly"] = True
    if "example" in meta:
        made["examples"] = [meta.pop("example")]
    made.update(meta)
    if rule.get("nullable") and "type" in made:
        made["type"] = [made["type"], "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
    return made


def _operation(method: str, path: str, declared: Operation, names: set[str]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "summary": declared.summary,
        "operationId": _operation_id(declared, names),
        "tags": [_tag(path)],
        "x-roles": list(declared.roles),
        "responses": {str(status): _answer(rules) for status, rules in declared.answers.items()},
    }
    if not declared.public:
        made["security"] = [{"bearer": []}]
    if declared.query:
        made["parameters"] = [_query_parameter(name, rule) for name, rule in declared.query.items()]
    body = _body(declared)
    if body:
        made["requestBody"] = {"required": True, "content": body}
    made["responses"].update(_problems(declared, path))
    return made


def _body(declared: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if declared.body is not None:
        document = schema(declared.body, request=True)
        if declared.partial:
            document.pop("required", None)
        content["application/json"] = {"schema": document}
    if declared.parts is not None:
        fields = schema(declared.parts.fields, request=True)
        for name in declared.parts.files:
            one = {"type": "string", "contentMediaType": "application/octet-stream"}
            fields["properties"][name] = {"type": "array", "items": one} if name.endswith("s") else one
        content["multipart/form-data"] = {"schema": fields}
    for kind in declared.media:
        content[kind] = {"schema": {"type": "string"}}
    return content


def _answer(rules: Any) -> dict[str, Any]:
    if rules is None:
        return {"description": "Done"}
    return {"description": "Done", "content": {"application/json": {"schema": schema(rules, request=False)}}}


def _problems(declared: Operation, path: str) -> dict[str, Any]:
    """What may go wrong: what the responder names, and what its declaration brings with it."""
    codes = {*declared.problems, "invalid_token", "internal_error", "unavailable"}
    codes |= {"unauthorized"} if not declared.public else set()
    codes |= {"forbidden"} if "buyer" not in declared.roles and not declared.public else set()
    codes |= {"validation_failed", "invalid_query"}
    codes |= {"invalid_json"} if declared.body is not None else set()
    codes |= {"invalid_multipart"} if declared.parts is not None else set()
    if declared.body is not None or declared.parts is not None or declared.media:
        codes |= {"payload_too_large", "unsupported_media_type"}
    codes |= {"not_found"} if "{" in path else set()
    by_status: dict[str, list[str]] = {}
    for code in sorted(codes):
        by_status.setdefault(str(PROBLEMS[code][0]), []).append(code)
    return {
        status: {
            "description": ", ".join(f"`{code}`" for code in found),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, found in sorted(by_status.items())
    }


def _query_parameter(name: str, rule: Mapping[str, Any]) -> dict[str, Any]:
    made = _property(rule, request=True)
    description = made.pop("description", None)
    parameter: dict[str, Any] = {"name": name, "in": "query", "schema": made}
    if description:
        parameter["description"] = description
    if made.get("type") == "array":
        parameter.update(style="form", explode=False)
    if rule.get("required"):
        parameter["required"] = True
    return parameter


def _path_parameter(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "integer", "format": "int64", "minimum": 1},
    }


def _operation_id(declared: Operation, names: set[str]) -> str:
    """The call's name; what stands below /api/products a second time says so."""
    name = declared.name if declared.name not in names else f"{declared.name}UnderProducts"
    names.add(name)
    return name


def _tag(path: str) -> str:
    parts = path.strip("/").split("/")
    return parts[1] if parts[0] == "api" and len(parts) > 1 else "service"


_PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "enum": sorted(PROBLEMS)},
        "request_id": {"type": ["string", "null"]},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "message"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer to the field."},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
