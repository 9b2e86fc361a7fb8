"""Holds every answer of the suite to the document: status, headers, media type, body, the problem's
code.

In answers the document leaves room for fields and values that are yet to come; here there is none,
so that what nobody declared is found. What was called, and which codes came back, is kept for the
test that runs last.
"""

import copy
import json
import os
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from marketplace.app import route_table
from marketplace.config.settings import Config
from marketplace.openapi import document as openapi_document
from marketplace.postgres.database import Database

PROBLEM = "application/problem+json"
formats = FormatChecker(formats=())


@formats.checks("int64", raises=ValueError)
def is_int64(value: object) -> bool:
    return not isinstance(value, int) or -(2**63) <= value < 2**63


@formats.checks("int32", raises=ValueError)
def is_int32(value: object) -> bool:
    return not isinstance(value, int) or -(2**31) <= value < 2**31


@formats.checks("date-time")
def is_time(value: object) -> bool:
    return not isinstance(value, str) or bool(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value)
    )


@formats.checks("uri")
def is_uri(value: object) -> bool:
    return not isinstance(value, str) or bool(re.match(r"(https?://|urn:)[^\s\x7f]+\Z", value))


class Documented:
    """The document of an application, and what of it has been seen."""

    def __init__(self, config: Config) -> None:
        self.document = json.loads(
            json.dumps(openapi_document.build(route_table(config, Database(config)), config))
        )
        self.called: set[str] = set()
        self.codes: set[str] = set()
        self._validators: dict[tuple[int, int], Draft202012Validator] = {}
        self._calls: dict[tuple[str, str], dict[str, Any] | None] = {}

    @cached_property
    def _closed(self) -> dict[str, Any]:
        closed: dict[str, Any] = _close(copy.deepcopy(self.document))
        return closed

    @cached_property
    def _taking(self) -> dict[str, Any]:
        taking: dict[str, Any] = _widen(self.document)
        return taking

    @cached_property
    def _paths(self) -> list[tuple[re.Pattern[str], dict[str, Any]]]:
        """Literal ones first."""
        paths = sorted(self._closed["paths"].items(), key=lambda item: item[0].count("{"))
        return [
            (
                re.compile(re.sub(r"\\\{[a-z_]+\\\}", "[1-9][0-9]{0,18}", re.escape(path)) + "/?"),
                calls,
            )
            for path, calls in paths
        ]

    def check(
        self, method: str, path: str, status: int, headers: Mapping[str, str], body: bytes
    ) -> None:
        """AssertionError where the answer is not one that the document describes."""
        where = f"{method} {path}: {status}"
        path = path.partition("?")[0]
        assert status == 304 or headers.get("X-Request-ID"), where
        if method == "OPTIONS" or path.startswith(("/uploads/", "/docs/")):
            return
        calls = next((calls for pattern, calls in self._paths if pattern.fullmatch(path)), None)
        call = (calls or {}).get("get" if method == "HEAD" else method.lower())
        if call is None:
            expected = ("404", ["not_found"]) if calls is None else ("405", ["method_not_allowed"])
            assert str(status) == expected[0] or status == 401, where
            if method != "HEAD":
                self._problem(where, body, [*expected[1], "invalid_token"])
            return
        answer = self.resolved(call["responses"].get(str(status)))
        assert answer is not None, f"{where} is not in the document: {body[:300]!r}"
        self._headers(
            where, answer["headers"], {name.lower(): value for name, value in headers.items()}
        )
        assert status not in (429, 503) or headers.get("Retry-After"), where
        if method != "HEAD":
            self._body(where, answer, headers.get("Content-Type", ""), body)
        if status < 400:
            self.called.add(call["operationId"])

    def check_request(self, method: str, path: str, sent: Any) -> None:
        """AssertionError where a body that was taken is not one that the document describes."""
        calls = next(
            calls for pattern, calls in self._paths if pattern.fullmatch(path.partition("?")[0])
        )
        schema = calls[method.lower()]["requestBody"]["content"]["application/json"]["schema"]
        error = next(self._validator(schema, self._taking).iter_errors(sent), None)
        assert error is None, (
            f"{method} {path} takes what is not in the document: {error.json_path} {error.message}"
        )

    def resolved(self, answer: dict[str, Any] | None) -> dict[str, Any] | None:
        """The response itself, where there is a reference to it."""
        name = (answer or {}).get("$ref", "").rpartition("/")[2]
        return self._closed["components"]["responses"][name] if name else answer

    def _headers(self, where: str, described: dict[str, Any], headers: Mapping[str, str]) -> None:
        for name in described:
            header, value = self._closed["components"]["headers"][name], headers.get(name.lower())
            assert value is not None or not header.get("required"), f"{where} has no {name}"
            if value is not None:
                read = int(value) if header["schema"]["type"] == "integer" else value
                assert self._validator(header["schema"]).is_valid(read), (
                    f"{where} has {name}: {value}"
                )

    def _body(self, where: str, answer: dict[str, Any], kind: str, body: bytes) -> None:
        kind = kind.partition(";")[0]
        contents = answer.get("content")
        if contents is None:
            assert body == b"", where
            return
        assert kind in contents, f"{where} is {kind}"
        schema = contents[kind]["schema"]
        if kind == PROBLEM:
            self._problem(where, body, answer["x-codes"])
        if schema.get("format") != "binary":
            error = next(self._validator(schema).iter_errors(json.loads(body)), None)
            assert error is None, f"{where}: {error.json_path} {error.message[:300]}"

    def _problem(self, where: str, body: bytes, codes: list[str]) -> None:
        code = json.loads(body)["code"]
        assert code in codes, f"{where}: {code} is not among {codes}"
        self.codes.add(code)

    def _validator(
        self, schema: dict[str, Any], document: dict[str, Any] | None = None
    ) -> Draft202012Validator:
        document = document or self._closed
        if (id(schema), id(document)) not in self._validators:
            whole = {**schema, "components": document["components"]}
            self._validators[id(schema), id(document)] = Draft202012Validator(
                whole, format_checker=formats
            )
        return self._validators[id(schema), id(document)]


def _close(node: Any) -> Any:
    """No object takes fields that it does not name, and no text is another one than those that
    are known.
    """
    if isinstance(node, dict):
        for value in node.values():
            _close(value)
        if node.get("type") == "object" and node.get("properties"):
            node.setdefault("additionalProperties", False)
        if "x-extensible-enum" in node:
            node["enum"] = [*node["x-extensible-enum"], None]
    elif isinstance(node, list):
        for value in node:
            _close(value)
    return node


def _widen(node: Any) -> Any:
    """A field takes what it says it also accepts; one that only the server writes takes
    anything.
    """
    if isinstance(node, dict):
        if node.get("readOnly"):
            return {}
        wide = {name: _widen(value) for name, value in node.items()}
        also = wide.pop("x-also-accepts", None)
        return wide if also is None else {"anyOf": [wide, also]}
    return [_widen(value) for value in node] if isinstance(node, list) else node


_known: list[Documented] = []


def keep(folder: Path) -> None:
    """Write what this process has seen for the one that looks back at the suite."""
    for known in _known:
        seen = {"called": sorted(known.called), "codes": sorted(known.codes)}
        (folder / f"{os.getpid()}.json").write_text(json.dumps(seen))


def add_kept(known: Documented, folder: Path) -> None:
    """Add what other processes of the suite have seen."""
    for file in folder.glob("*.json"):
        seen = json.loads(file.read_text())
        known.called |= set(seen["called"])
        known.codes |= set(seen["codes"])


def documented(config: Config) -> Documented:
    """The one of this session."""
    if not _known:
        _known.append(Documented(config))
    return _known[0]
