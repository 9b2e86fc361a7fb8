"""Codes by mail: forgotten passwords, confirmed addresses; to a real SMTP server, or a folder in
development.
"""

import email.policy
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from typing import Any

import psycopg
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from conftest import PASSWORD, Api, User
from falcon.testing import Result
from procrastinate.jobs import Job
from psycopg.rows import dict_row
from support.responses import problem

from marketplace.config import settings
from marketplace.config.env import ConfigError
from marketplace.integrations import mail
from marketplace.jobs.retries import Retry
from marketplace.postgres.database import Database
from marketplace.workflows import mails

NEW = "another-quiet-morning-41"


class Post:
    """The worker's part: sends what is enqueued, and keeps it."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.config = replace(api.config, app_url="https://app.example")
        self.worker = Database(
            api.config, url=api.owner_url, role="marketplace_worker", patient=True
        )

    def come(self) -> list[EmailMessage]:
        """Mails of the jobs that wait; they are done then."""
        sent: list[EmailMessage] = []
        with psycopg.connect(self.api.owner_url, row_factory=dict_row) as conn:
            rows = conn.execute(
                "DELETE FROM jobs.procrastinate_jobs WHERE task_name = 'send_mail' RETURNING "
                "args, id"
            ).fetchall()
        for row in sorted(rows, key=lambda each: each["id"]):
            mails.send(self.worker, self.config, sent.append, **row["args"])
        return sent

    def code(self) -> str:
        """The code of the one mail that has come."""
        (message,) = self.come()
        return code_in(message)


@pytest.fixture
def post(committed: Api) -> Iterator[Post]:
    made = Post(committed)
    yield made
    made.worker.close()


def code_in(message: EmailMessage) -> str:
    found = re.search(r"^    ([A-Za-z0-9_-]{22})\r?$", message.get_content(), re.MULTILINE)
    assert found, message.get_content()
    return found[1]


def forgot(post: Post, address: str, **headers: str) -> None:
    answer = post.api.post("/api/auth/forgot-password", json={"email": address}, headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")


def reset(post: Post, token: str, password: str = NEW) -> Result:
    return post.api.post("/api/auth/reset-password", json={"token": token, "password": password})


def sign_in(post: Post, user: User, password: str) -> int:
    body = {"email": user.email, "password": password}
    return post.api.post("/api/auth/login", json=body, remote_addr="203.0.113.7").status_code


def test_a_forgotten_password_is_replaced_and_all_devices_are_signed_out(post: Post):
    user = post.api.buyer()
    post.come()
    forgot(post, user.email.upper())
    assert reset(post, post.code()).status_code == 204
    assert post.api.get("/api/users/profile", user).status_code == 401
    refreshed = post.api.post("/api/auth/refresh", json={"refresh_token": user.refresh_token})
    problem(refreshed, 401, "invalid_refresh_token")
    assert (sign_in(post, user, PASSWORD), sign_in(post, user, NEW)) == (401, 200)
    (notice,) = post.come()
    assert (notice["To"], notice["Subject"]) == (user.email, "Your password was changed")


def test_a_code_is_good_once_for_half_an_hour_and_until_the_next(post: Post):
    user = post.api.buyer()
    post.come()
    forgot(post, user.email)
    first = post.code()
    forgot(post, user.email)
    second = post.code()
    assert problem(reset(post, first), 422, "invalid_code")["errors"][0]["pointer"] == "/token"
    problem(reset(post, second, "password"), 422, "weak_password")
    assert reset(post, second).status_code == 204
    problem(reset(post, second), 422, "invalid_code")
    forgot(post, user.email)
    post.come()  # the notice, and a third code: the mailbox has had three
    with psycopg.connect(post.api.owner_url) as conn:
        conn.execute("DELETE FROM auth.limits")
    forgot(post, user.email)
    late = post.code()
    with psycopg.connect(post.api.owner_url) as conn:
        half_an_hour = (
            "SELECT expires_at - created_at = interval '30 minutes' FROM auth.mailed_tokens"
        )
        assert conn.execute(half_an_hour).fetchall() == [(True,)]
        conn.execute("UPDATE auth.mailed_tokens SET expires_at = now() - interval '1 second'")
    problem(reset(post, late), 422, "invalid_code")


def test_two_that_use_one_code_at_once_set_one_password(post: Post):
    user = post.api.buyer()
    post.come()
    forgot(post, user.email)
    code = post.code()
    answers: list[int] = []
    threads = [
        threading.Thread(
            target=lambda word=word: answers.append(reset(post, code, word).status_code)
        )
        for word in ("first-of-two-mornings", "second-of-two-mornings")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) in ([204, 422], [204, 429])


def test_an_address_nobody_has_is_answered_the_same_and_written_to_by_nobody(post: Post):
    for address in ("nobody@example.com", "not an address", "x" * 254):
        forgot(post, address)
    suspended = post.api.buyer()
    post.come()
    with psycopg.connect(post.api.owner_url) as conn:
        conn.execute("UPDATE users SET suspended_at = now() WHERE id = %s", [suspended.id])
    forgot(post, suspended.email)
    assert post.come() == []


def test_a_mailbox_gets_three_an_hour(post: Post):
    user = post.api.buyer()
    post.come()
    for _ in range(5):
        forgot(post, user.email)
    assert len(post.come()) == 3


def test_a_mail_that_could_not_be_sent_leaves_no_code_and_costs_nothing(post: Post):
    user = post.api.buyer()

    def away(message: EmailMessage) -> None:
        raise ConnectionRefusedError

    for _ in range(5):
        with pytest.raises(ConnectionRefusedError):
            mails.send(post.worker, post.config, away, "reset", user.email, "en")
    with psycopg.connect(post.api.owner_url) as conn:
        assert conn.execute("SELECT FROM auth.mailed_tokens").fetchall() == []
    sent: list[EmailMessage] = []
    mails.send(post.worker, post.config, sent.append, "reset", user.email, "en")
    assert len(sent) == 1


def test_registering_and_a_new_address_send_a_code_that_confirms_it(post: Post):
    user = post.api.buyer()
    first = post.code()
    change = {"email": "new@example.com", "current_password": PASSWORD}
    assert post.api.patch("/api/users/profile", user, json=change).status_code == 200
    message, notice = post.come()
    assert message["To"] == "new@example.com"
    assert (notice["To"], notice["Subject"]) == (user.email, "Your address was changed")
    for token, status in ((first, 422), (code_in(message), 204), (code_in(message), 422)):
        assert post.api.post("/api/auth/verify-email", json={"token": token}).status_code == status
    assert post.api.get("/api/users/profile", user).json["email_verified"] is True


def test_a_code_of_one_kind_is_no_code_of_the_other(post: Post):
    user = post.api.buyer()
    verify = post.code()
    forgot(post, user.email)
    code = post.code()
    problem(reset(post, verify), 422, "invalid_code")
    problem(post.api.post("/api/auth/verify-email", json={"token": code}), 422, "invalid_code")
    problem(
        post.api.post("/api/auth/verify-email", json={"token": user.refresh_token}),
        422,
        "invalid_code",
    )


def test_the_code_can_be_sent_again(post: Post):
    user = post.api.buyer()
    post.come()
    assert post.api.post("/api/auth/send-verification", user).status_code == 204
    token = post.code()
    assert post.api.post("/api/auth/verify-email", json={"token": token}).status_code == 204
    assert post.api.post("/api/auth/send-verification", user).status_code == 204
    assert post.come() == [], "it is confirmed already"


def test_who_has_not_confirmed_may_buy_but_not_sell_where_the_installation_says_so(post: Post):
    strict = Api(replace(post.api.config, verified_sellers=True), post.api.db, post.api.owner_url)
    user = strict.register("seller")
    problem(strict.post("/api/stores", user, json={"name": "Toko"}), 403, "email_unverified")
    assert strict.get("/api/users/profile", user).status_code == 200
    assert strict.post("/api/auth/verify-email", json={"token": post.code()}).status_code == 204
    assert strict.post("/api/stores", user, json={"name": "Toko"}).status_code == 201


def test_a_mail_is_in_the_language_of_who_asked_and_names_the_app(post: Post):
    user = post.api.buyer()
    post.come()
    forgot(post, user.email, **{"Accept-Language": "id-ID"})
    (message,) = post.come()
    assert message["Subject"] == "Kata sandi baru Anda"
    assert message.get_content().startswith("Halo,")
    assert f"https://app.example/reset-password?token={code_in(message)}" in message.get_content()


def test_nothing_anybody_typed_is_in_a_mail_to_somebody_elses_mailbox(post: Post):
    body = {
        "name": "Win at http://evil.example",
        "email": "victim@example.com",
        "password": PASSWORD,
    }
    assert post.api.post("/api/auth/register", json=body).status_code == 201
    (message,) = post.come()
    assert message["To"] == "victim@example.com"
    assert "evil" not in message.as_string()
    assert message.get_content_type() == "text/plain"


# How it leaves
# ---------------------------------------------------------------------------------------------------


class Inbox:
    """An SMTP server's memory."""

    def __init__(self) -> None:
        self.envelopes: list[Any] = []
        self.refusal: str | None = None

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if self.refusal is None:
            envelope.rcpt_tos.append(address)
        return self.refusal or "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.envelopes.append((session.authenticated, envelope))
        return "250 OK"


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    handler = Inbox()

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (
            b"shop",
            b"p@ss",
        )
        return AuthResult(success=right, handled=False)

    controller = Controller(
        handler, hostname="127.0.0.1", port=port, authenticator=check, auth_require_tls=False
    )
    controller.start()
    yield handler, port
    controller.stop()


def test_a_mail_goes_to_the_server_of_the_setting(post: Post, inbox: tuple[Inbox, int]):
    handler, port = inbox
    config = replace(
        post.config,
        smtp_url=f"smtp://shop:p%40ss@127.0.0.1:{port}",
        mail_from="Toko <toko@example.com>",
    )
    user = post.api.buyer()
    mails.send(post.worker, config, mail.deliverer(config), "reset", user.email, "en")
    ((authenticated, envelope),) = handler.envelopes
    assert authenticated
    assert (envelope.mail_from, envelope.rcpt_tos) == ("toko@example.com", [user.email])
    read = message_from_bytes(envelope.content, policy=email.policy.SMTP)
    assert isinstance(read, EmailMessage)
    assert reset(post, code_in(read)).status_code == 204


def test_a_mailbox_that_is_not_there_is_not_tried_again(post: Post, inbox: tuple[Inbox, int]):
    handler, port = inbox
    handler.refusal = "550 no such mailbox"
    config = replace(post.config, smtp_url=f"smtp://127.0.0.1:{port}")
    user = post.api.buyer()
    mails.send(post.worker, config, mail.deliverer(config), "reset", user.email, "en")
    handler.refusal = "450 come back later"
    with pytest.raises(OSError, match="450"):
        mails.send(post.worker, config, mail.deliverer(config), "reset", user.email, "en")
    retry = Retry(OSError).get_retry_decision
    job = Job(id=1, queue="quick", lock=None, queueing_lock=None, task_name="send_mail")
    assert retry(exception=ConnectionRefusedError(), job=job) is not None


def test_a_wrong_password_for_the_server_is_an_error_worth_another_try(
    post: Post, inbox: tuple[Inbox, int]
):
    config = replace(post.config, smtp_url=f"smtp://shop:wrong@127.0.0.1:{inbox[1]}")
    user = post.api.buyer()
    with pytest.raises(OSError, match="535"):
        mails.send(post.worker, config, mail.deliverer(config), "reset", user.email, "en")


def test_in_development_a_mail_is_kept_and_shown(post: Post, caplog: pytest.LogCaptureFixture):
    user = post.api.buyer()
    mails.send(post.worker, post.config, mail.deliverer(post.config), "verify", user.email, "en")
    (file,) = (post.config.data_dir / "mail").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert user.email.encode() in file.read_bytes()
    assert "Enter this code" in caplog.text


@pytest.mark.parametrize("url", ["mail.example:587", "http://mail.example"])
def test_an_address_of_a_server_that_cannot_be_one_stops_the_start(url: str):
    with pytest.raises(ConfigError, match="SMTP_URL"):
        settings.load({"SMTP_URL": url}, secret_keys=("k" * 32,))


def test_production_needs_a_mail_server():
    env = {
        "MARKETPLACE_ENV": "production",
        "PUBLIC_URL": "https://shop.example",
        "DATABASE_URL": "host=db",
    }
    with pytest.raises(ConfigError, match="SMTP_URL"):
        settings.load(env, secret_keys=("0123456789abcdefghijklmnopqrstuv",))
