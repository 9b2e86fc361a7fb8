"""The work that a body costs is bounded: the worst bodies of each call, made from its schema."""

import json
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import falcon.testing
import pytest
from conftest import Api
from support.responses import problem

from marketplace import app as application
from marketplace.config import settings
from marketplace.contract import operations
from marketplace.contract.bounds import NAMED
from marketplace.contract.errors import Problem
from marketplace.postgres.database import Database
from marketplace.web import hooks
from marketplace.web.hooks import UNSIGNED_BYTES
from marketplace.web.request_state import Request

#: Seconds of CPU. The least of some tries is taken: the machine may be at other work.
MOST = 0.05
TRIES = 4
HEADERS = {"Content-Type": "application/json", "Idempotency-Key": "kunci"}
CONFIG = settings.load({"DATA_DIR": tempfile.mkdtemp(), "DATABASE_URL": "host=/nowhere"})
#: Signs that texts are slow with: accents, what NFC folds, controls, signs of links and addresses.
SIGNS = (
    "a",
    "\u0301",
    "e\u0301",
    "\uac00",
    "\u1100\u1161",
    "\n",
    "-",
    "- ",
    '"',
    "@",
    "a@",
    ".",
    "\U0001f600",
)


class Call:
    """One method of one path, with its declaration."""

    def __init__(self, method: str, path: str, declared: operations.Operation) -> None:
        self.method, self.declared = method, declared
        self.path = path.replace(":id}", "}")
        for name in ("user_id", "product_id", "store_id", "category_id", "brand_id", "image_id"):
            self.path = self.path.replace(f"{{{name}}}", "1")

    @property
    def limit(self) -> int:
        return UNSIGNED_BYTES if self.declared.public else 256 * 1024

    def __repr__(self) -> str:
        return f"{self.method} {self.path}"


def calls() -> list[Call]:
    """Every call that takes a JSON body."""
    found = []
    for path, resource in application.routes(CONFIG, Database(CONFIG)):  # opened by its first use
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            declared = operations.of(resource, method)
            if declared is not None and declared.body is not None:
                found.append(Call(method, path, declared))
    return found


def long(sign: str, size: int) -> str:
    """A text of this sign whose JSON in UTF-8 has at most so many bytes."""
    each = len(json.dumps(sign, ensure_ascii=False).encode()) - 2
    return sign * max(1, size // each)


def worst(call: Call) -> Iterator[bytes]:
    """The worst bodies of a call that its limit lets through, made from its schema."""
    schema: Any = call.declared.body
    room = call.limit - 200
    few = room // 12
    yield _json({f"{n:x}q": 1 for n in range(few)})
    yield _json({"a" * 100 + f"{n:x}": {} for n in range(room // 112)})
    yield _json([{}] * (room // 4))
    for name, rule in schema.items():
        if rule.get("meta", {}).get("read_only"):
            continue
        here = room - len(name)
        for sign in SIGNS:
            yield _json({name: long(sign, here)})
        yield _json({name: [1] * (here // 3)})
        yield _json({name: [{}] * (here // 4)})
        yield _json({name: ["a"] * (here // 5)})
        yield _json({name: {f"{n:x}q": 1 for n in range(few)}})
        yield b'{"%s":%s%s}' % (name.encode(), b"[" * (here // 2), b"]" * (here // 2))
        yield b'{"%s":%s}' % (name.encode(), b"1" * here)
        yield b'{"%s":1%s}' % (name.encode(), b"." + b"1" * (here - 2))
        yield b'{"%s":1e999999999}' % name.encode()
    yield _json({name: long("\u0301", room // max(1, len(schema)) - 20) for name in schema})
    yield _json({name: long("\n", room // max(1, len(schema)) - 20) for name in schema})


def _json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def checked(call: Call, body: bytes) -> tuple[float, str]:
    """The CPU that reading and checking a body takes, the least of some tries, and what comes of it."""
    best, outcome = float("inf"), "taken"
    for _ in range(TRIES):
        environ = falcon.testing.create_environ(
            call.path, method=call.method, body=body, headers=HEADERS
        )
        req = Request(environ)
        req.context.config = CONFIG
        started = time.process_time()
        try:
            hooks._check(req, call.declared)
        except Problem as problem:
            outcome = problem.code
        best = min(best, time.process_time() - started)
        if best < MOST / 2:
            break
    return best, outcome


@pytest.mark.alone
@pytest.mark.parametrize("call", calls(), ids=repr)
def test_the_worst_bodies_of_each_call_are_cheap(call: Call):
    dear: list[str] = []
    for body in worst(call):
        assert len(body) <= call.limit
        seconds, outcome = checked(call, body)
        if seconds > MOST:
            dear.append(f"{seconds:.3f} s for {body[:60]!r}... ({len(body)} bytes: {outcome})")
    assert not dear


@pytest.mark.parametrize("call", calls(), ids=repr)
def test_lists_of_bodies_have_a_length(call: Call):
    unbounded: list[str] = []

    def look(schema: Any, path: str) -> None:
        for name, rule in schema.items():
            if rule.get("meta", {}).get("read_only"):
                continue
            assert not {"valuesrules", "keysrules", "anyof"} & rule.keys(), f"{path}/{name}"
            # `too_many` is a bound with a code of its own, counted before anything else is looked at.
            bounded = "maxlength" in rule or "too_many" in rule.get("meta", {})
            if rule.get("type") == "list" and not bounded:
                unbounded.append(f"{path}/{name}")
            within = rule.get("schema")
            if isinstance(within, dict) and rule.get("type") == "dict":
                look(within, f"{path}/{name}")
            elif isinstance(within, dict):
                look({"0": within}, f"{path}/{name}")

    look(call.declared.body, "")
    assert not unbounded


def test_at_most_twenty_unknown_names_are_reported(api: Api):
    seller = api.seller()
    few = {f"asing{n}": 1 for n in range(NAMED)}
    answer = api.post("/api/products", seller, json={"name": "A", "price": "1", **few})
    named = [each["pointer"] for each in problem(answer, 422, "validation_failed")["errors"]]
    assert sorted(named) == sorted(f"/{name}" for name in few)
    answer = api.post("/api/products", seller, json={**few, "asing20": 1})
    found = problem(answer, 422, "validation_failed")
    assert [each["code"] for each in found["errors"]] == ["unknown_field"] * NAMED
    assert "20" in found["detail"]


@pytest.mark.parametrize(
    "path", ["login", "register", "refresh", "forgot-password", "reset-password", "verify-email"]
)
def test_bodies_without_a_token_are_small(api: Api, path: str):
    body = _json({"email": "a" * UNSIGNED_BYTES})
    headers = {"Content-Type": "application/json"}
    problem(api.post(f"/api/auth/{path}", body=body, headers=headers), 413, "payload_too_large")


def test_a_body_of_very_many_values_is_refused(api: Api):
    seller = api.seller()
    headers = {"Content-Type": "application/json"}
    body = b'{"name":[' + b"1," * 31_000 + b"1]}"
    problem(api.post("/api/products", seller, body=body, headers=headers), 400, "invalid_json")


def test_a_description_of_nothing_but_commas_is_taken(api: Api):
    seller = api.seller()
    body = {"name": "Koma", "price": "1", "description": "," * 20_000}
    assert api.post("/api/products", seller, json=body).status_code == 201
