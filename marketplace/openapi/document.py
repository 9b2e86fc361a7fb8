"""The OpenAPI 3.1 document, built from the routes and from what their responders declare.

The same rules that check requests become the schemas, and the same flags that install hooks become
parameters, headers and problems, so the document cannot say anything else.
"""

import inspect
import re
from collections.abc import Sequence
from typing import Any

import falcon

from marketplace import __version__
from marketplace.config.settings import Config
from marketplace.contract import operations
from marketplace.contract.operations import MERGE_PATCH, MULTIPART, Operation, Parts
from marketplace.openapi import problems, texts
from marketplace.openapi.schemas import Components, Document, example_of
from marketplace.web.rate_limits import READS

_METHODS = ("get", "post", "put", "patch", "delete")
_PARAMETER = re.compile(r"\{([a-z_]+):id\}")
_ID: Document = {"type": "integer", "format": "int64", "minimum": 1, "maximum": 2**63 - 1}


def build(routes: Sequence[tuple[str, Any]], config: Config) -> Document:
    """Return the document of these routes."""
    return _Builder(config).build(routes)


class _Builder:
    """One document while it is built."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._components = Components()
        self._problems: Document = {}
        self._names: set[str] = set()

    def build(self, routes: Sequence[tuple[str, Any]]) -> Document:
        paths = {
            _PARAMETER.sub(r"{\1}", path): self._path(path, resource) for path, resource in routes
        }
        self._components.object(problems.PROBLEM, request=False)
        _link(paths)
        return {
            "openapi": "3.1.0",
            "info": texts.info(__version__, self._config),
            "servers": [{"url": "/"}],
            "tags": [{"name": tag, "description": words} for tag, words in texts.TAGS.items()],
            "paths": paths,
            "components": {
                "schemas": dict(sorted(self._components.schemas.items())),
                "responses": dict(sorted(self._problems.items())),
                "headers": texts.HEADERS,
                "parameters": texts.PARAMETERS,
                "securitySchemes": {
                    "bearer": {
                        "type": "http",
                        "scheme": "bearer",
                        "bearerFormat": "JWT",
                        "description": texts.BEARER,
                    }
                },
            },
        }

    def _path(self, path: str, resource: Any) -> Document:
        declared = {method: operations.of(resource, method.upper()) for method in _METHODS}
        calls = {
            method: self._operation(method, path, found, getattr(resource, f"on_{method}"))
            for method, found in declared.items()
            if found
        }
        ids = [
            {
                "name": name,
                "in": "path",
                "required": True,
                "schema": _ID,
                "example": 1,  # the demo shop has one of most
            }
            for name in _PARAMETER.findall(path)
        ]
        return {**({"parameters": ids} if ids else {}), **calls}

    def _operation(self, method: str, path: str, declared: Operation, responder: Any) -> Document:
        name = self._name(declared)
        legacy = declared.deprecated is not None or name != declared.name
        made: Document = {
            "operationId": name,
            "summary": declared.summary,
            "description": inspect.getdoc(responder),
            "tags": ["legacy" if legacy else _tag(path)],
            "x-roles": ["anonymous", *operations.EVERYONE]
            if declared.public
            else list(declared.roles),
            "x-rate-class": _rate_class(method, declared),
        }
        if "{" in path and declared.roles == ("seller", "admin"):
            made["x-owner"] = "seller"  # of sellers only the owner; others get a 404
        if declared.deprecated is not None:
            made["deprecated"] = True
        made["security"] = _security(declared)
        parameters = self._parameters(method, path, declared)
        if parameters:
            made["parameters"] = parameters
        body = self._body(method, declared)
        if body:
            made["requestBody"] = body
        answers = {
            str(status): self._answer(method, status, declared) for status in declared.responses
        }
        if method == "get" and _json(declared):
            answers["304"] = {
                "description": "Your copy is up to date",
                "headers": _headers(["ETag", "X-Request-ID"]),
            }
        made["responses"] = {**answers, **problems.responses(declared, path, self._problems)}
        return made

    def _name(self, declared: Operation) -> str:
        """Return the call's name; one that is below /api/products a second time says so."""
        name = (
            declared.name if declared.name not in self._names else f"{declared.name}UnderProducts"
        )
        self._names.add(name)
        return name

    def _parameters(self, method: str, path: str, declared: Operation) -> list[Document]:
        made = [self._query_parameter(name, rule) for name, rule in declared.query.items()]
        flags = {
            "IdempotencyKey": declared.idempotent and not declared.key_required,
            "RequiredIdempotencyKey": declared.key_required,
            "IfMatch": declared.conditional,
            "IfNoneMatch": method == "get" and _json(declared),
            "ConsistencyToken": method == "get" and declared.public and path.startswith("/api/"),
        }
        return made + [
            {"$ref": f"#/components/parameters/{name}"} for name, taken in flags.items() if taken
        ]

    def _query_parameter(self, name: str, rule: Any) -> Document:
        schema = self._components.property(rule, request=True)
        schema.pop("x-also-accepts", None)  # every query parameter is text
        parameter: Document = {"name": name, "in": "query", "schema": schema}
        if "description" in schema:
            parameter["description"] = schema.pop("description")
        if rule.get("required"):
            parameter["required"] = True
        else:
            parameter["allowEmptyValue"] = True  # `?search=` counts as missing
        if schema.get("type") == "array":
            parameter.update(style="form", explode=False)
        return parameter

    def _body(self, method: str, declared: Operation) -> Document | None:
        content: Document = {}
        limit = self._config.body_max_bytes
        if declared.body is not None:
            schema = self._components.object(declared.body, request=True, partial=declared.partial)
            kinds = (falcon.MEDIA_JSON, MERGE_PATCH) if declared.partial else (falcon.MEDIA_JSON,)
            example = example_of(declared.body)
            content.update({kind: {"schema": schema, "example": example} for kind in kinds})
        if declared.parts is not None:
            limit = 0
            content[MULTIPART] = {"schema": self._multipart(declared, declared.parts)}
            fields = self._text_parts(declared, declared.parts)
            lists = [name for name, rule in fields.items() if rule.get("type") == "list"]
            if lists:  # a list is one part, and says that it is JSON
                as_json = {"contentType": "application/json"}
                content[MULTIPART]["encoding"] = dict.fromkeys(lists, as_json)
        for kind in declared.media:
            content[kind] = {"schema": {"type": "string", "format": "binary"}}
        if not content:
            return None
        return {"required": True, "content": content, **({"x-max-bytes": limit} if limit else {})}

    @staticmethod
    def _text_parts(declared: Operation, parts: Parts) -> Document:
        """Return the rules of its text parts, except those that may be in the query as well."""
        return {
            name: {**rule, "nullable": False}
            for name, rule in parts.fields.items()
            if name not in declared.query and not rule.get("meta", {}).get("read_only")
        }

    def _multipart(self, declared: Operation, parts: Parts) -> Document:
        """Return the schema of its text parts and its files."""
        made = self._components.object(self._text_parts(declared, parts), request=True)
        for field in made["properties"].values():
            field.pop("x-also-accepts", None)
        for name in parts.files:
            one = {
                "type": "string",
                "format": "binary",
                "contentMediaType": "application/octet-stream",
            }
            most = self._config.images_per_product
            many = {"type": "array", "items": one, "minItems": 1, "maxItems": most}
            made["properties"][name] = many if name.endswith("s") else one
        if parts.required:
            made["required"] = [*made.get("required", []), *parts.files]
        return {**made, "x-max-file-bytes": getattr(self._config, parts.limit)}

    def _answer(self, method: str, status: int, declared: Operation) -> Document:
        rules = declared.responses[status]
        made: Document = {"description": texts.STATUSES[status]}
        names = ["X-Request-ID", *(["Deprecation"] if declared.deprecated is not None else [])]
        if rules is not None or status == 200:
            made["content"] = {
                kind: {"schema": self._answered(kind, rules)} for kind in declared.produces
            }
        if (method == "get" and _json(declared)) or "version" in (rules or {}):
            names.append("ETag")
        if "text/csv" in declared.produces:
            names.append("Content-Disposition")
        if "next_cursor" in (rules or {}):
            names.append("Link")
        if status in (201, 202) and "id" in (rules or {}):  # a new thing has an address of its own
            names.append("Location")
        if declared.idempotent:
            names.append("Idempotent-Replayed")
        if _rate_class(method, declared) not in READS:
            names += ["RateLimit", "RateLimit-Policy"]
        if method != "get":
            names.append("Consistency-Token")
        made["headers"] = _headers(names)
        return made

    def _answered(self, kind: str, rules: Any) -> Document:
        if kind != falcon.MEDIA_JSON:
            return {"type": "string", "format": "binary"}
        if isinstance(rules, list):
            return {"type": "array", "items": self._components.object(rules[0], request=False)}
        return self._components.object(rules, request=False)


def _rate_class(method: str, declared: Operation) -> str:
    return declared.rate or ("read" if method == "get" else "write")


def _headers(names: Sequence[str]) -> Document:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _json(declared: Operation) -> bool:
    """Return whether it returns a JSON object, which has an ETag; a stream has none."""
    streamed = declared.rate == "export"
    return (
        isinstance(declared.responses.get(200), dict)
        and declared.produces == (falcon.MEDIA_JSON,)
        and not streamed
    )


def _security(declared: Operation) -> list[Document]:
    """Return no token, an optional one that makes a difference, or a required one."""
    bearer: Document = {"bearer": []}
    if not declared.public:
        return [bearer]
    return [{}, bearer] if declared.roles == operations.ANYONE else []


def _link(paths: Document) -> None:
    """Link each call that creates a thing with those that take its id."""
    for path, calls in paths.items():
        made = calls.get("post", {}).get("responses", {}).get("201")
        if made is None or "Location" not in made["headers"]:
            continue
        for below, others in paths.items():
            rest = re.fullmatch(re.escape(path) + r"/\{([a-z_]+)\}(/[a-z]+)?", below)
            for method in _METHODS:
                if rest and method in others:
                    name = others[method]["operationId"]
                    link = {"operationId": name, "parameters": {rest[1]: "$response.body#/id"}}
                    made.setdefault("links", {})[name] = link


def _tag(path: str) -> str:
    parts = path.strip("/").split("/")
    if parts[0] != "api" or parts[1] not in texts.TAGS:
        return "service"
    inner = parts[2] if parts[1] == "products" and len(parts) > 2 else ""
    return inner if inner in texts.TAGS else "imports" if inner.startswith("import") else parts[1]
