"""A password, an account or a role that ends while somebody is signing in with it: what has ended does not count."""

import threading
from collections.abc import Callable
from typing import Any

import bcrypt
import psycopg
import pytest
from conftest import PASSWORD, Api, User
from support.responses import problem

from marketplace.security import passwords

#: Signing in with the proof of the password, as the application's role.
OPEN = "SELECT auth.open_session(%s, %s, sha256('a'), sha256('b'), 60, NULL, NULL, NULL)"


def proof_of(api: Api, user: User) -> str:
    with psycopg.connect(api.owner_url) as conn:
        row = conn.execute(
            "SELECT password_hash FROM auth.credentials WHERE user_id = %s", [user.id]
        ).fetchone()
    assert row is not None
    return str(row[0])


def opened_beside(api: Api, user: User, proof: str, change: Callable[[Any], None]) -> Any:
    """What a sign-in gets that comes while a change is under way, and ends after it."""
    got: list[Any] = []
    with psycopg.connect(api.owner_url) as changing:
        change(changing)

        def sign_in() -> None:
            with psycopg.connect(api.owner_url) as conn:
                conn.execute("SET ROLE marketplace_app")
                got.append((conn.execute(OPEN, [user.id, proof]).fetchone() or ("none",))[0])

        thread = threading.Thread(target=sign_in)
        thread.start()
        thread.join(0.3)
        assert not got, "it waits for the change"
        changing.commit()
        thread.join(10)
    return got[0]


def as_user(conn: Any, user: User) -> None:
    conn.execute(
        "SELECT FROM auth.sessions AS s, auth.act_as(s.secret_hash) WHERE s.user_id = %s", [user.id]
    )


def test_a_proof_opens_a_session_and_anything_else_none(committed: Api):
    user = committed.buyer()
    with psycopg.connect(committed.owner_url) as conn:
        assert conn.execute(OPEN, [user.id, "guess"]).fetchone() == (None,)
        salt = proof_of(committed, user)[:29]
        assert conn.execute(OPEN, [user.id, salt]).fetchone() == (None,)
        assert conn.execute(OPEN, [user.id, None]).fetchone() == (None,)
        assert conn.execute(OPEN, [user.id, proof_of(committed, user)]).fetchone() != (None,)


def test_the_proof_is_what_the_password_and_the_salt_yield(committed: Api):
    stored = proof_of(committed, committed.buyer())
    made = passwords.Passwords(4).prove(PASSWORD, stored[:29])
    assert made == stored
    assert bcrypt.gensalt(4)[:7] == stored[:7].encode()


@pytest.mark.parametrize("change", ["password", "reset", "suspension", "deletion"])
def test_a_sign_in_beside_the_end_of_its_password_opens_nothing(committed: Api, change: str):
    user, admin = committed.buyer(), committed.admin()
    proof = proof_of(committed, user)
    with psycopg.connect(committed.owner_url) as conn:
        conn.execute(
            "INSERT INTO auth.mailed_tokens (token_hash, user_id, kind, email, expires_at)"
            " VALUES (sha256('code'), %s, 'reset', %s, now() + interval '1 hour')",
            [user.id, user.email],
        )

    def end(conn: Any) -> None:
        as_user(conn, admin if change == "suspension" else user)
        if change == "password":
            assert conn.execute("SELECT auth.change_password('new', %s)", [proof]).fetchone()[0]
        elif change == "reset":
            assert conn.execute("SELECT auth.reset_password(sha256('code'), 'new')").fetchone()[0]
        elif change == "suspension":
            conn.execute("SELECT auth.manage_user(%s, NULL, true)", [user.id])
        else:
            assert conn.execute("SELECT user_id FROM auth.forget_me(%s)", [proof]).fetchone()[0]

    assert opened_beside(committed, user, proof, end) is None


def test_a_session_opened_before_a_new_password_ends_with_it(committed: Api):
    user = committed.buyer()
    other = committed.post("/api/auth/login", json={"email": user.email, "password": PASSWORD}).json
    change = {"password": "another-long-password-9", "current_password": PASSWORD}
    assert committed.patch("/api/users/profile", user, json=change).status_code == 200
    problem(committed.get("/api/users/profile", User(other, user.email)), 401, "invalid_token")
    assert committed.get("/api/users/profile", user).status_code == 200, "who changed it stays"


def test_a_password_changed_while_the_new_address_is_proved_is_asked_for_again(
    committed: Api, monkeypatch: pytest.MonkeyPatch
):
    """The proof was good when it was checked, and is not when it is used."""
    user = committed.buyer()
    original = passwords.Passwords.prove

    def prove(self: Any, password: str, salt: str | None, address: str | None = None) -> str:
        return original(self, password, salt, address)

    from marketplace.workflows.sign_in import SignIn

    checked = SignIn.prove

    def and_then_changed(self: Any, *args: Any) -> Any:
        proof = checked(self, *args)
        with psycopg.connect(committed.owner_url) as conn:
            conn.execute("UPDATE auth.credentials SET password_hash = 'new'")
        return proof

    monkeypatch.setattr(passwords.Passwords, "prove", prove)
    monkeypatch.setattr(SignIn, "prove", and_then_changed)
    change = {"email": "thief@example.com", "current_password": PASSWORD}
    problem(committed.patch("/api/users/profile", user, json=change), 422, "wrong_password")
    gone = committed.delete("/api/users/profile", user, json={"current_password": PASSWORD})
    problem(gone, 422, "wrong_password")
    assert committed.get("/api/users/profile", user).json["email"] == user.email


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/api/users/profile"), ("POST", "/api/users/profile/delete")]
)
def test_deleting_an_account_asks_for_the_password(api: Api, method: str, path: str):
    user = api.buyer()
    headers = {"Content-Type": "application/json"} if method == "POST" else {}
    body = {"body": b"{}"} if method == "POST" else {}
    problem(api.request(method, path, user, headers=headers, **body), 422, "validation_failed")
    wrong = api.request(method, path, user, json={"current_password": "guess"})
    problem(wrong, 422, "wrong_password")
    assert api.get("/api/users/profile", user).status_code == 200
    gone = api.request(method, path, user, json={"current_password": PASSWORD})
    assert gone.status_code == 204
    problem(api.get("/api/users/profile", user), 401, "invalid_token")


def test_the_password_cannot_be_guessed_by_deleting(api: Api):
    user = api.buyer()
    tries = [
        api.delete("/api/users/profile", user, json={"current_password": f"guess-{n}"}).status_code
        for n in range(6)
    ]
    assert tries == [422] * 5 + [429]
