"""Registering, signing in, refreshing, and the devices that are signed in."""

import base64
import json
import time

import jwt
import pytest
from conftest import PASSWORD, Api, User
from support.responses import problem

from marketplace import app
from marketplace.contract import operations
from marketplace.security.tokens import Tokens, _signing_key


def test_registering_signs_in_and_answers_the_user(api: Api):
    answer = api.post(
        "/api/auth/register",
        json={"name": "Sari", "email": "Sari@Example.com", "password": PASSWORD},
    )

    assert answer.status_code == 201
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["expires_in"] == 900
    assert answer.json["user"]["role"] == "buyer"
    assert answer.json["user"]["store_id"] is None
    assert answer.headers["cache-control"] == "no-store"


def test_an_address_is_unique_without_regard_to_case(api: Api):
    api.post(
        "/api/auth/register",
        json={"name": "Sari", "email": "sari@example.com", "password": PASSWORD},
    )
    answer = api.post(
        "/api/auth/register",
        json={"name": "Other", "email": "SARI@example.com", "password": PASSWORD},
    )

    assert problem(answer, 409, "email_taken")["errors"][0]["pointer"] == "/email"


def test_every_wrong_field_of_a_registration_is_named_at_once(api: Api):
    answer = api.post(
        "/api/auth/register", json={"email": "no", "password": "x", "role": "admin", "extra": 1}
    )

    errors = problem(answer, 422, "validation_failed")["errors"]
    assert {error["pointer"] for error in errors} == {
        "/name",
        "/email",
        "/password",
        "/role",
        "/extra",
    }


@pytest.mark.parametrize("password", ["password", "12345678", "qwertyuiop", "aaaaaaaaaa"])
def test_weak_passwords_are_refused_with_a_reason(api: Api, password: str):
    answer = api.post(
        "/api/auth/register", json={"name": "Sari", "email": "s@example.com", "password": password}
    )

    assert len(problem(answer, 422, "weak_password")["detail"]) > 10


@pytest.mark.parametrize(
    "password",
    [
        "пароль-из-многих-слов-42",
        "密碼很長很長很長很長九十",
        "x" * 20 + "é" * 20 + "9 trees grow here",
        "🦜" * 3 + "parrots in the rain " * 4,
    ],
)
def test_passwords_of_any_script_and_length_count_whole(api: Api, password: str):
    email = "long@example.com"
    assert (
        api.post(
            "/api/auth/register", json={"name": "S", "email": email, "password": password}
        ).status_code
        == 201
    )

    assert (
        api.post("/api/auth/login", json={"email": email, "password": password}).status_code == 200
    )
    shorter = api.post("/api/auth/login", json={"email": email, "password": password[:-1]})
    problem(shorter, 401, "invalid_credentials")


def test_an_unknown_address_and_a_wrong_password_answer_the_same(api: Api):
    user = api.buyer()
    wrong = api.post("/api/auth/login", json={"email": user.email, "password": "something else"})
    unknown = api.post(
        "/api/auth/login", json={"email": "nobody@example.com", "password": "something else"}
    )

    problem(wrong, 401, "invalid_credentials")
    assert {**wrong.json, "request_id": ""} == {**unknown.json, "request_id": ""}
    assert wrong.headers["www-authenticate"].startswith("Bearer")


def test_a_refresh_token_is_exchanged_for_the_next_pair(api: Api):
    user = api.buyer()
    answer = api.post("/api/auth/refresh", json={"refresh_token": user.refresh_token})

    assert answer.status_code == 200
    assert answer.json["refresh_token"] != user.refresh_token
    user.token = answer.json["access_token"]
    assert api.get("/api/users/profile", user).status_code == 200


def test_parallel_refreshes_of_one_device_are_forgiven(api: Api):
    user = api.buyer()
    first = api.post("/api/auth/refresh", json={"refresh_token": user.refresh_token})
    second = api.post("/api/auth/refresh", json={"refresh_token": user.refresh_token})

    assert (first.status_code, second.status_code) == (200, 200)


def test_a_refresh_token_may_come_again_while_its_successor_is_unused(api: Api):
    """A lost response, a second tab of the browser: whenever it comes, it gets the same one."""
    user = api.buyer()
    body = {"refresh_token": user.refresh_token}
    first = api.post("/api/auth/refresh", json=body).json
    with api.as_owner(api.db.conn) as conn:
        conn.execute("UPDATE auth.refresh_tokens SET used_at = used_at - interval '3 days'")
    again = api.post("/api/auth/refresh", json=body).json
    assert again["refresh_token"] == first["refresh_token"]
    assert api.get("/api/users/profile", user).status_code == 200
    body = {"refresh_token": first["refresh_token"]}
    assert api.post("/api/auth/refresh", json=body).status_code == 200


def test_a_reused_refresh_token_ends_its_family(api: Api):
    user = api.buyer()
    fresh = api.post("/api/auth/refresh", json={"refresh_token": user.refresh_token}).json
    fresh = api.post("/api/auth/refresh", json={"refresh_token": fresh["refresh_token"]}).json
    with api.as_owner(api.db.conn) as conn:
        conn.execute(
            "UPDATE auth.refresh_tokens SET used_at = used_at - interval '1 minute' WHERE "
            "used_at IS NOT NULL"
        )

    problem(
        api.post("/api/auth/refresh", json={"refresh_token": user.refresh_token}),
        401,
        "invalid_refresh_token",
    )
    problem(
        api.post("/api/auth/refresh", json={"refresh_token": fresh["refresh_token"]}),
        401,
        "invalid_refresh_token",
    )
    problem(api.get("/api/users/profile", user), 401, "invalid_token")


def test_logging_out_ends_the_session_at_once(api: Api):
    user = api.buyer()

    assert api.post("/api/auth/logout", user).status_code == 204
    problem(api.get("/api/users/profile", user), 401, "invalid_token")
    problem(
        api.post("/api/auth/refresh", json={"refresh_token": user.refresh_token}),
        401,
        "invalid_refresh_token",
    )


def test_calls_that_find_their_caller_in_their_one_round_trip_refuse_an_ended_session(api: Api):
    paths = [
        path
        for path, resource in app.route_table(api.config, api.db)
        if (declared := operations.of(resource, "GET")) and declared.at_once
    ]
    assert "/api/cart" in paths
    user, other = api.buyer(), api.buyer()
    for path in paths:
        assert api.get(path, user).status_code == 200, path
    api.post("/api/auth/logout", user)
    for path in paths:
        problem(api.get(path, user), 401, "invalid_token")
        problem(api.get(path), 401, "unauthorized")
        assert api.get(path, other).status_code == 200, path


def test_a_token_that_names_another_than_its_session_does_reads_nothing(api: Api):
    user, other = api.buyer(), api.buyer()
    tokens = Tokens(api.config)
    secret = jwt.decode(user.token, options={"verify_signature": False})["sid"]
    user.token = tokens.access(other.id, secret, 60)
    problem(api.get("/api/cart", user), 401, "invalid_token")
    problem(api.get("/api/users/profile", user), 401, "invalid_token")


def test_devices_are_listed_and_ended_one_by_one(api: Api):
    user = api.buyer()
    other = User(
        api.post(
            "/api/auth/login",
            json={"email": user.email, "password": PASSWORD, "device_name": "Tablet"},
        ).json,
        user.email,
    )
    listed = api.get("/api/auth/sessions", user).json["sessions"]
    assert [one["current"] for one in listed].count(True) == 1
    tablet = next(one for one in listed if one["device_name"] == "Tablet")

    assert api.delete(f"/api/auth/sessions/{tablet['id']}", user).status_code == 204
    problem(api.get("/api/users/profile", other), 401, "invalid_token")
    problem(api.delete(f"/api/auth/sessions/{tablet['id']}", api.buyer()), 404, "not_found")


def test_all_other_devices_are_ended_together(api: Api):
    user = api.buyer()
    others = [
        User(api.post("/api/auth/login", json={"email": user.email, "password": PASSWORD}).json, "")
        for _ in range(3)
    ]

    assert api.delete("/api/auth/sessions", user).status_code == 204
    assert {api.get("/api/users/profile", other).status_code for other in others} == {401}
    assert api.get("/api/users/profile", user).status_code == 200


def test_a_private_call_without_a_token_asks_for_one(api: Api):
    answer = api.get("/api/users/profile")

    problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == 'Bearer realm="marketplace"'


def test_a_bad_token_is_refused_on_public_reads_too(api: Api):
    answer = api.get("/api/products", headers={"Authorization": "Bearer nonsense"})

    problem(answer, 401, "invalid_token")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def forged(api: Api, user: User) -> dict[str, str]:
    """Tokens that must not be believed, by what is wrong with them."""
    key = _signing_key(api.config.secret_keys[0])
    header, claims = (
        jwt.get_unverified_header(user.token),
        jwt.decode(user.token, options={"verify_signature": False}),
    )
    parts = user.token.split(".")

    def signed(
        changed: dict, head: dict | None = None, secret: bytes = key, algorithm: str = "HS256"
    ) -> str:
        return jwt.encode(changed, secret, algorithm, headers=head or {"kid": header["kid"]})

    def without(name: str) -> dict:
        return {other: value for other, value in claims.items() if other != name}

    none = (
        base64.urlsafe_b64encode(
            json.dumps({"alg": "none", "kid": header["kid"], "typ": "JWT"}).encode()
        )
        .decode()
        .rstrip("=")
    )
    return {
        "expired": signed({**claims, "exp": claims["iat"] - 1}),
        "exp as text": signed({**claims, "exp": str(claims["exp"])}),
        "from the future": signed({**claims, "iat": claims["iat"] + 3600}),
        "another key": signed(claims, secret=b"x" * 32),
        "another algorithm": signed(claims, algorithm="HS512"),
        "no algorithm": f"{none}.{parts[1]}.",
        "another user": signed({**claims, "sub": str(int(claims["sub"]) + 1)}),
        "digits of another script": signed({**claims, "sub": "１"}),
        "another kind": signed({**claims, "typ": "refresh"}),
        "unknown key id": signed(claims, {"kid": "0" * 12}),
        "another issuer": signed({**claims, "iss": "elsewhere"}),
        "a claim too many": signed({**claims, "role": "admin"}),
        "another secret": signed({**claims, "sid": "A" * 22}),
        "padding": user.token + "=",
        "cut": user.token[:-1],
        **{f"no {name}": signed(without(name)) for name in claims},
    }


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_no_forged_token_is_believed(api: Api):
    user = api.buyer()
    for wrong, token in forged(api, user).items():
        answer = api.get("/api/users/profile", headers={"Authorization": f"Bearer {token}"})
        assert (wrong, answer.status_code) == (wrong, 401)


def test_keys_can_be_rotated_without_signing_anyone_out(api: Api):
    user = api.buyer()
    rotated = Tokens(type("Config", (), {"secret_keys": ("n" * 40, *api.config.secret_keys)}))

    assert rotated.read(user.token).user_id == user.id


@pytest.mark.alone
def test_a_password_made_to_be_slow_is_judged_quickly(api: Api):
    password = "4@8({[<369!1|0$5+7%2" * 6
    started = time.process_time()
    api.post(
        "/api/auth/register", json={"name": "S", "email": "slow@example.com", "password": password}
    )

    assert time.process_time() - started < 3  # without the cut: many times that
