"""The calls of the first app: what it sends and reads, and how long its token is good."""

import dataclasses
from datetime import datetime

import jwt
import pytest
from conftest import PASSWORD, Api, User
from support.first_app import signed_in
from support.responses import problem

MONTH = 30 * 86400
WORDS = {"buyer": "pembeli", "seller": "penjual", "admin": "admin"}


def claims(token: str) -> dict:
    return jwt.decode(token, options={"verify_signature": False})


def test_registering_answers_what_the_app_reads(api: Api):
    body = {
        "name": "Sari",
        "email": "sari@example.com",
        "password": PASSWORD,
        "client_type": "mobile",
    }
    answer = api.post("/api/auth/register", json=body)

    assert answer.status_code == 201, answer.text
    assert "Selamat" in answer.json["message"]
    assert (answer.json["user_role"], answer.json["user"]["user_role"]) == ("pembeli", "pembeli")
    assert (answer.json["user"]["role"], answer.json["expires_in"]) == ("buyer", 900)
    profile = api.get(
        "/api/users/profile", headers={"Authorization": f"Bearer {answer.json['auth_token']}"}
    ).json
    assert (profile["name"], profile["user_role"]) == ("Sari", "pembeli")
    assert [
        row["type"]
        for row in api.get("/api/users/activities", User(answer.json, "")).json["activities"]
    ] == [
        "view_profile",
        "register",
    ]


def test_signing_in_calls_each_role_by_the_apps_word(api: Api):
    for user, role in ((api.buyer(), "buyer"), (api.seller(), "seller"), (api.admin(), "admin")):
        body = {"email": user.email, "password": PASSWORD, "client_type": "mobile"}
        answer = api.post("/api/auth/login", json=body).json
        assert (answer["user"]["role"], answer["user"]["user_role"], answer["user_role"]) == (
            role,
            WORDS[role],
            WORDS[role],
        )


def test_other_apps_are_answered_nothing_more(api: Api):
    user = api.buyer()
    answer = api.post("/api/auth/login", json={"email": user.email, "password": PASSWORD}).json

    assert set(answer) == {"access_token", "refresh_token", "token_type", "expires_in", "user"}
    assert set(answer["user"]) == {"id", "name", "email", "role", "store_id", "avatar"}
    unknown = api.post(
        "/api/auth/login", json={"email": user.email, "password": PASSWORD, "client_type": "web"}
    )
    assert problem(unknown, 422, "validation_failed")["errors"][0]["pointer"] == "/client_type"


def test_its_token_lives_as_long_as_its_session(api: Api):
    user = api.buyer()
    phone = signed_in(api, user)
    session = next(
        one for one in api.get("/api/auth/sessions", phone).json["sessions"] if one["current"]
    )
    ends = datetime.fromisoformat(session["expires_at"].replace("Z", "+00:00")).timestamp()

    assert set(claims(phone.token)) == set(claims(user.token))
    assert claims(phone.token)["exp"] - claims(phone.token)["iat"] == MONTH
    assert abs(claims(phone.token)["exp"] - ends) <= 2
    with api.as_owner(api.db.conn) as conn:
        conn.execute("UPDATE auth.sessions SET expires_at = now() WHERE id = %s", [session["id"]])
    problem(api.get("/api/users/profile", phone), 401, "invalid_token")
    assert api.get("/api/users/profile", user).status_code == 200


def test_no_session_lives_longer_than_the_operator_allows(api: Api):
    user = api.buyer()
    strict = Api(
        dataclasses.replace(api.config, refresh_token_seconds=86400), api.db, api.owner_url
    )
    phone = signed_in(strict, user)

    assert claims(phone.token)["exp"] - claims(phone.token)["iat"] == 86400


def test_its_token_is_no_refresh_token_and_a_refresh_token_is_no_access_token(api: Api):
    phone = signed_in(api, api.buyer())

    problem(
        api.post("/api/auth/refresh", json={"refresh_token": phone.token}), 422, "validation_failed"
    )
    for piece in (
        *phone.token.split("."),
        claims(phone.token)["sid"],
        f"{claims(phone.token)['sid']}.",
    ):
        problem(
            api.post("/api/auth/refresh", json={"refresh_token": piece}),
            401,
            "invalid_refresh_token",
        )
    answer = api.get(
        "/api/users/profile", headers={"Authorization": f"Bearer {phone.refresh_token}"}
    )
    problem(answer, 401, "invalid_token")
    assert api.get("/api/users/profile", phone).status_code == 200
    assert (
        api.post("/api/auth/refresh", json={"refresh_token": phone.refresh_token}).status_code
        == 200
    )


def end_from_another_device(api: Api, user: User, phone: User) -> None:
    listed = api.get("/api/auth/sessions", user).json["sessions"]
    session = next(one for one in listed if not one["current"])
    assert api.delete(f"/api/auth/sessions/{session['id']}", user).status_code == 204


def change_password(api: Api, user: User, phone: User) -> None:
    body = {"name": "Sari", "password": "teh-melati-panas-sekali", "current_password": PASSWORD}
    assert api.put("/api/users/profile", user, json=body).status_code == 200


def reuse_a_refresh_token(api: Api, user: User, phone: User) -> None:
    following = api.post("/api/auth/refresh", json={"refresh_token": phone.refresh_token}).json
    api.post("/api/auth/refresh", json={"refresh_token": following["refresh_token"]})
    with api.as_owner(api.db.conn) as conn:
        conn.execute("UPDATE auth.refresh_tokens SET used_at = used_at - interval '1 minute'")
    api.post("/api/auth/refresh", json={"refresh_token": phone.refresh_token})


@pytest.mark.parametrize(
    "end",
    [
        lambda api, user, phone: api.post("/api/auth/logout", phone),
        lambda api, user, phone: api.delete("/api/auth/sessions", user),
        lambda api, user, phone: api.patch(
            f"/api/users/{user.id}", api.admin(), json={"suspended": True}
        ),
        end_from_another_device,
        change_password,
        reuse_a_refresh_token,
    ],
    ids=["log-out", "all others ended", "suspended", "ended", "new password", "stolen"],
)
def test_its_token_dies_with_the_session(api: Api, end):
    user = api.buyer()
    phone = signed_in(api, user)
    assert api.get("/api/users/profile", phone).status_code == 200

    end(api, user, phone)

    problem(api.get("/api/users/profile", phone), 401, "invalid_token")
    problem(
        api.post("/api/auth/open_store", phone, json={"name": "Toko Hantu"}), 401, "invalid_token"
    )


def test_a_change_of_role_bites_its_token_too(api: Api):
    phone = signed_in(api, api.seller())
    assert api.get("/api/products/my-brand", phone).status_code == 200

    api.patch(f"/api/users/{phone.id}", api.admin(), json={"role": "buyer"})

    problem(api.get("/api/products/my-brand", phone), 403, "forbidden")
    assert api.get("/api/users/profile", phone).json["user_role"] == "pembeli"


def test_the_profile_is_flat_and_has_the_apps_word_which_nobody_writes(api: Api):
    user = api.buyer()
    profile = api.get("/api/users/profile", user).json
    answer = api.put(
        "/api/users/profile", user, json={**profile, "user_role": "admin", "name": "Sari Dewi"}
    )

    assert (profile["role"], profile["user_role"]) == ("buyer", "pembeli")
    assert (answer.json["name"], answer.json["role"], answer.json["user_role"]) == (
        "Sari Dewi",
        "buyer",
        "pembeli",
    )
    listed = api.get("/api/users", api.admin(), params={"search": user.email}).json["users"]
    assert [one["user_role"] for one in listed] == ["pembeli"]


def test_a_name_is_changed_alone(api: Api):
    phone = signed_in(api, api.buyer())
    before = api.put(
        "/api/users/profile",
        phone,
        json={"name": "Sari", "phone": "+62 812", "address": "Jl. Melati 5"},
    ).json
    answer = api.put("/api/users/profile/username", phone, json={"name": "Sari Dewi"})

    assert answer.status_code == 200, answer.text
    assert answer.json["message"]
    changed = {
        "name": "Sari Dewi",
        "version": before["version"] + 1,
        "updated_at": answer.json["user"]["updated_at"],
    }
    assert answer.json["user"] == {**before, **changed}
    log = api.get("/api/users/activities", phone, params={"type": "update_profile"}).json[
        "activities"
    ]
    assert (log[0]["details"], log[0]["related_name"]) == ({"changed": ["name"]}, "Sari Dewi")
    for wrong in (
        {},
        {"name": " "},
        {"name": "x" * 201},
        {"name": "Sari", "email": "other@example.com"},
    ):
        problem(api.put("/api/users/profile/username", phone, json=wrong), 422, "validation_failed")
    stale = api.put(
        "/api/users/profile/username", phone, json={"name": "S"}, headers={"If-Match": '"1-0"'}
    )
    problem(stale, 412, "precondition_failed")


def test_registering_without_saying_who_it_is_is_answered_the_same(api: Api):
    body = {"name": "Sari", "email": "sari@example.com", "password": PASSWORD}
    answer = api.post("/api/auth/register", json=body).json
    assert "Selamat" in answer["message"]
    assert (answer["user_role"], answer["user"]["user_role"]) == ("pembeli", "pembeli")
    headers = {"Authorization": f"Bearer {answer['auth_token']}"}
    assert api.get("/api/users/profile", headers=headers).status_code == 200
