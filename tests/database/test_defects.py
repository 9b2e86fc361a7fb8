"""Walls taken away on purpose, one at a time: the attack that is to find each must, and finds
nothing otherwise.
"""

import base64
import io
import json
import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jwt
import pytest
from conftest import PASSWORD, Api, User
from support.attacks import foreign_rows, scene

from marketplace.catalogue_csv import spreadsheet
from marketplace.config.settings import Config
from marketplace.contract import validation
from marketplace.contract.errors import Problem
from marketplace.postgres.callers import Caller
from marketplace.queries import activities as activity_statements
from marketplace.queries import idempotency as key_statements
from marketplace.queries import users as user_statements
from marketplace.security import tokens
from marketplace.security.passwords import Passwords
from marketplace.security.tokens import Tokens, hashed
from marketplace.telemetry import json_lines
from marketplace.web import client, problems
from marketplace.web.authentication import Authentication
from marketplace.workflows import products as workflow
from marketplace.workflows.sign_in import SignIn

Patch = pytest.MonkeyPatch


def profile(api: Api, token: str) -> int:
    return api.client.simulate_get(
        "/api/users/profile", headers={"Authorization": f"Bearer {token}"}
    ).status_code


def forged(user: User, api: Api, key: bytes | None = None, **changes: Any) -> str:
    """The user's token with other claims; signed with our key, or with another one."""
    head = jwt.get_unverified_header(user.token)
    claims = jwt.decode(user.token, options={"verify_signature": False}) | changes
    secret = Tokens(api.config)._keys[head["kid"]] if key is None else key
    return jwt.encode(claims, secret, "HS256", headers={"kid": head["kid"]})


# Attacks: what they find, and nothing on a sound application
# ------------------------------------------------------


def a_signature_of_anybody(api: Api) -> list[str]:
    user = api.buyer()
    return ["another key's signature"] * (profile(api, forged(user, api, b"x" * 32)) == 200)


def no_signature(api: Api) -> list[str]:
    user = api.buyer()
    head = {"alg": "none", "typ": "JWT", "kid": jwt.get_unverified_header(user.token)["kid"]}
    plain = base64.urlsafe_b64encode(json.dumps(head).encode()).rstrip(b"=").decode()
    return ["no signature"] * (profile(api, f"{plain}.{user.token.split('.')[1]}.") == 200)


def an_old_token(api: Api) -> list[str]:
    then = int(time.time()) - 7200
    return ["a token past its time"] * (
        profile(api, forged(api.buyer(), api, iat=then, exp=then + 900)) == 200
    )


def a_token_of_another_kind(api: Api) -> list[str]:
    user = api.buyer()
    found = ["a token of another kind"] * (profile(api, forged(user, api, typ="mail")) == 200)
    answer = api.client.simulate_post("/api/auth/refresh", json={"refresh_token": user.token})
    return found + ["an access token refreshes"] * (answer.status_code == 200)


def a_session_that_has_ended(api: Api) -> list[str]:
    user = api.buyer()
    api.post("/api/auth/logout", user)
    found = ["an ended session reads"] * (profile(api, user.token) == 200)
    written = api.client.simulate_put(
        "/api/users/profile",
        json={"name": "Late"},
        headers={"Authorization": f"Bearer {user.token}"},
    )
    return found + ["an ended session writes"] * (written.status_code == 200)


def a_refresh_token_twice(api: Api) -> list[str]:
    user = api.buyer()
    body = {"refresh_token": user.refresh_token}
    next_ = api.client.simulate_post("/api/auth/refresh", json=body).json["refresh_token"]
    owners = {"refresh_token": next_}
    new = api.client.simulate_post("/api/auth/refresh", json=owners).json["access_token"]
    with api.as_owner(api.db.conn) as conn:
        conn.execute("UPDATE auth.refresh_tokens SET used_at = used_at - interval '1 hour'")
    api.client.simulate_post("/api/auth/refresh", json=body)
    return ["a stolen refresh token leaves its family alive"] * (profile(api, new) == 200)


def another_role(api: Api) -> list[str]:
    answer = api.client.simulate_get(
        "/api/users", headers={"Authorization": f"Bearer {api.buyer().token}"}
    )
    return ["a buyer lists users"] * (answer.status_code == 200)


def more_than_asked(api: Api) -> list[str]:
    user = api.buyer()
    sent = {"name": "Sari", "role": "admin", "colour": "red"}
    headers = {"Authorization": f"Bearer {user.token}"}
    answer = api.client.simulate_put("/api/users/profile", json=sent, headers=headers)
    return ["an unknown field is taken"] * (answer.status_code == 200)


def what_is_not_theirs(api: Api) -> list[str]:
    return foreign_rows(scene(api))


def a_formula(api: Api) -> list[str]:
    seller = api.seller()
    api.product(seller, name="=HYPERLINK(1)")
    paths = ("/api/products/export", "/api/users/export-activities")
    return [path for path in paths if ",=HYPERLINK" in api.get(path, seller).text]


def whether_an_address_is_known(api: Api, monkeypatch: Patch) -> list[str]:
    hashed_with: list[str | None] = []
    original = Passwords.prove

    def prove(self: Passwords, password: str, salt: str | None, address: str | None) -> str:
        hashed_with.append(salt)
        return original(self, password, salt, address)

    with monkeypatch.context() as patch:
        patch.setattr(Passwords, "prove", prove)
        api.client.simulate_post(
            "/api/auth/login", json={"email": "nobody@example.com", "password": "x"}
        )
    return ["an unknown address costs no hash"] * (not hashed_with)


def guessing(api: Api) -> list[str]:
    email = api.buyer().email
    for number in range(20):
        api.client.simulate_post(
            "/api/auth/login", json={"email": email, "password": f"wrong-{number}"}
        )
    answer = api.client.simulate_post(
        "/api/auth/login", json={"email": email, "password": PASSWORD}
    )
    return ["twenty guesses, and the next is looked at"] * (answer.status_code == 200)


def an_address_of_ones_choice(api: Api) -> list[str]:
    user = api.buyer()
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
        api.put("/api/users/profile", user, json={"name": "Sari"}, headers={name: "192.0.2.66"})
    return ["a header chooses the address"] * (
        "192.0.2.66" in api.get("/api/users/activities", user).text
    )


def internals(api: Api, monkeypatch: Patch) -> list[str]:
    def broken(conn: Any, user_id: int) -> Any:
        raise RuntimeError("SELECT secret FROM users")

    user = api.buyer()
    with monkeypatch.context() as patch:
        patch.setattr(user_statements, "find", broken)
        answer = api.client.simulate_get(
            "/api/users/profile", headers={"Authorization": f"Bearer {user.token}"}
        )
    return ["a 500 shows what broke"] * ("secret" in answer.text)


def a_line_of_ones_own(api: Api) -> list[str]:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(json_lines.JsonFormatter())
    logger = logging.getLogger("marketplace.forgery")
    logger.propagate = False
    logger.addHandler(handler)
    logger.warning('sent:\n{"level": "error", "message": "forged"}')
    logger.removeHandler(handler)
    return ["a log line is forged"] * (len(out.getvalue().splitlines()) != 1)


def the_answer_of_anothers_key(api: Api) -> list[str]:
    first, second = api.seller(), api.seller()
    body, headers = {"name": "Kopi", "price": "1"}, {"Idempotency-Key": "one-key-of-two"}
    api.post("/api/products", first, json=body, headers=headers)
    again = api.client.simulate_post(
        "/api/products", json=body, headers={**headers, "Authorization": f"Bearer {second.token}"}
    )
    return ["somebody else's answer"] * ("idempotent-replayed" in again.headers)


def a_page_elsewhere(api: Api) -> list[str]:
    answer = api.get("/api/products", headers={"Origin": "https://evil.example"})
    return ["any page reads answers"] * ("access-control-allow-origin" in answer.headers)


# Defects
# -----------------------------------------------------------------------------------------------------------


def believe_any_signature(patch: Patch, api: Api) -> None:
    original = jwt.decode

    def decode(token: str, key: Any = "", *, options: Any, **others: Any) -> Any:
        return original(token, key, options={**options, "verify_signature": False}, **others)

    patch.setattr(tokens.jwt, "decode", decode)


def believe_no_signature(patch: Patch, api: Api) -> None:
    believe_any_signature(patch, api)
    patch.setattr(tokens, "_TOKEN", tokens.re.compile(r"[\w-]+\.[\w-]+\.[\w-]*\Z"))


def believe_claims(patch: Patch, api: Api) -> None:
    def caller(claims: dict[str, Any]) -> Caller:
        return Caller(session_hash=hashed(claims["sid"]), user_id=int(claims["sub"]))

    patch.setattr(tokens, "_caller", caller)


def keep_ended_sessions(patch: Patch, api: Api) -> None:
    with api.as_owner(api.db.conn) as conn:
        body = conn.execute("SELECT pg_get_functiondef('auth.alive'::regproc) AS text").fetchall()[
            0
        ]["text"]
        assert "s.ended_at IS NULL" in body
        conn.execute(body.replace("s.ended_at IS NULL", "true"))


def forgive_reuse(patch: Patch, api: Api) -> None:
    with api.as_owner(api.db.conn) as conn:
        body = conn.execute(
            "SELECT pg_get_functiondef('auth.refresh'::regproc) AS text"
        ).fetchall()[0]["text"]
        assert "outcome := 'reused'" in body
        conn.execute(body.replace("IF used < clock_timestamp()", "IF false AND used < now()"))


def ask_for_no_role(patch: Patch, api: Api) -> None:
    original = Authentication._living

    def living(self: Authentication, *args: Any) -> Caller:
        return original(self, *args)._replace(role="admin")

    patch.setattr(Authentication, "_living", living)
    with api.as_owner(api.db.conn) as conn:  # the database asks, too
        body = conn.execute(
            "SELECT pg_get_functiondef('auth.act_as(bytea, text)'::regprocedure) AS text"
        ).fetchall()[0]["text"]
        assert "expected = 'admin' AND" in body
        conn.execute(body.replace("expected = 'admin' AND", "false AND"))


def take_any_field(patch: Patch, api: Api) -> None:
    original = validation.check

    def check(document: Any, schema: Any, **options: Any) -> Any:
        return original(
            {name: value for name, value in document.items() if name in schema}, schema, **options
        )

    patch.setattr(validation, "check", check)


def forget_whose(patch: Patch, api: Api) -> None:
    patch.setitem(
        activity_statements.SQL,  # type: ignore[arg-type]
        "search",
        activity_statements.SQL["search"].replace("/* own */ a.user_id = %(user_id)s", "true"),
    )
    with api.as_owner(api.db.conn) as conn:
        conn.execute("ALTER TABLE activities DISABLE ROW LEVEL SECURITY")


def guard_no_products(patch: Patch, api: Api) -> None:
    patch.setattr(workflow, "reach", lambda caller: None)
    with api.as_owner(api.db.conn) as conn:
        conn.execute(
            "CREATE OR REPLACE FUNCTION my_role() RETURNS text LANGUAGE sql AS $$SELECT 'admin'$$"
        )
        for table in (
            "products",
            "inventory",
            "product_images",
            "product_documents",
            "product_categories",
        ):
            conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")


def leave_formulas(patch: Patch, api: Api) -> None:
    patch.setattr(spreadsheet, "defuse", lambda cell: cell)


def answer_unknown_at_once(patch: Patch, api: Api) -> None:
    patch.setattr(SignIn, "prove", lambda self, *args: None)


def count_no_guesses(patch: Patch, api: Api) -> None:
    with api.as_owner(api.db.conn) as conn:
        declared = "FUNCTION auth.lock_seconds(tries integer) RETURNS integer"
        conn.execute(f"CREATE OR REPLACE {declared} LANGUAGE sql AS 'SELECT 0'")


def believe_forwarded(patch: Patch, api: Api) -> None:
    patch.setattr(client, "client_ip", lambda req: req.get_header("X-Forwarded-For") or "127.0.0.1")


def show_what_broke(patch: Patch, api: Api) -> None:
    def unexpected(req: Any, resp: Any, error: Exception, params: Any) -> None:
        problems._problem(req, resp, Problem("internal_error", str(error)), params)

    api.app.add_error_handler(Exception, unexpected)


def break_lines(patch: Patch, api: Api) -> None:
    patch.setattr(json_lines.JsonFormatter, "format", lambda self, record: record.getMessage())


def share_keys(patch: Patch, api: Api) -> None:
    patch.setitem(
        key_statements.SQL,  # type: ignore[arg-type]
        "find",
        key_statements.SQL["find"].replace("/* own */ k.user_id = %(user_id)s", "true"),
    )
    with api.as_owner(api.db.conn) as conn:
        conn.execute("ALTER TABLE idempotency_keys DISABLE ROW LEVEL SECURITY")


def open_to_any_page(patch: Patch, api: Api) -> None:
    config = Config(**{**api.config.__dict__, "cors_origins": ("*",)})
    opened = Api(config, api.db, api.owner_url)
    patch.setattr(api, "client", opened.client)


class Wall(NamedTuple):
    """A wall: the attack that tries it, and what takes it away."""

    attack: Callable[..., list[str]]
    defect: Callable[[Patch, Api], None]


WALLS = {
    "signatures are checked": Wall(a_signature_of_anybody, believe_any_signature),
    "one algorithm is taken": Wall(no_signature, believe_no_signature),
    "tokens end": Wall(an_old_token, believe_claims),
    "kinds of tokens are told apart": Wall(a_token_of_another_kind, believe_claims),
    "sessions end": Wall(a_session_that_has_ended, keep_ended_sessions),
    "a stolen refresh token ends its family": Wall(a_refresh_token_twice, forgive_reuse),
    "roles are asked for": Wall(another_role, ask_for_no_role),
    "unknown fields are refused": Wall(more_than_asked, take_any_field),
    "private rows: statement and policy": Wall(what_is_not_theirs, forget_whose),
    "products: statement and guard": Wall(what_is_not_theirs, guard_no_products),
    "formulas are defused": Wall(a_formula, leave_formulas),
    "unknown addresses cost the same": Wall(whether_an_address_is_known, answer_unknown_at_once),
    "guesses are counted": Wall(guessing, count_no_guesses),
    "addresses are not chosen": Wall(an_address_of_ones_choice, believe_forwarded),
    "errors show nothing": Wall(internals, show_what_broke),
    "log lines are whole": Wall(a_line_of_ones_own, break_lines),
    "keys are a user's own": Wall(the_answer_of_anothers_key, share_keys),
    "no other page reads": Wall(a_page_elsewhere, open_to_any_page),
}


@pytest.mark.parametrize("name", WALLS)
def test_an_attack_finds_its_wall_gone_and_nothing_else(api: Api, monkeypatch: Patch, name: str):
    wall = WALLS[name]
    more = {"monkeypatch": monkeypatch} if wall.attack.__code__.co_argcount == 2 else {}
    assert wall.attack(api, **more) == []
    wall.defect(monkeypatch, api)
    assert wall.attack(api, **more) != []
