"""Guessing passwords: counted for accounts and addresses, the same for known and unknown ones."""

import itertools
import threading
from typing import Any

import psycopg
import pytest
from conftest import PASSWORD, Api, User, make_config
from falcon.testing import Result
from psycopg.rows import dict_row
from support.responses import problem

from marketplace.postgres.database import Database

HOME, AWAY = "203.0.113.7", "198.51.100.9"


def sign_in(api: Api, email: str, password: str, ip: str = AWAY) -> Result:
    return api.post("/api/auth/login", json={"email": email, "password": password}, remote_addr=ip)


def wrong(api: Api, email: str, times: int, ip: str = AWAY) -> list[int]:
    return [sign_in(api, email, f"wrong-{number}", ip).status_code for number in range(times)]


def mails(api: Api) -> list[dict[str, Any]]:
    with psycopg.connect(api.owner_url, row_factory=dict_row) as conn:
        rows = conn.execute(
            "SELECT args FROM jobs.procrastinate_jobs WHERE task_name = 'send_mail' ORDER BY id"
        )
        return [row["args"] for row in rows]


def forget_waiting(api: Api) -> None:
    """As if the time to wait were over."""
    with psycopg.connect(api.owner_url) as conn:
        conn.execute("UPDATE auth.guesses SET locked_until = now() - interval '1 second'")


def test_after_five_wrong_passwords_the_next_must_wait(committed: Api):
    user = committed.buyer()
    assert wrong(committed, user.email, 5) == [401] * 5
    refused = sign_in(committed, user.email, PASSWORD)
    problem(refused, 429, "too_many_requests")
    assert 1 <= int(refused.headers["Retry-After"]) <= 2
    forget_waiting(committed)
    assert wrong(committed, user.email, 1) == [401]
    assert int(sign_in(committed, user.email, PASSWORD).headers["Retry-After"]) >= 1


def test_the_right_password_forgets_the_wrong_ones(committed: Api):
    user = committed.buyer()
    for _ in range(3):
        assert wrong(committed, user.email, 4) == [401] * 4
        assert sign_in(committed, user.email, PASSWORD).status_code == 200


def test_unknown_accounts_wait_as_known_ones_do(committed: Api):
    known, unknown = committed.buyer().email, "nobody@example.com"
    for email in (known, unknown):
        assert wrong(committed, email, 5) == [401] * 5
        assert sign_in(committed, email, "wrong").status_code == 429
    assert wrong(committed, unknown.upper(), 1) == [429], "case makes no other account"


def test_guesses_sent_side_by_side_are_all_counted(committed: Api):
    user = committed.buyer()
    answers: list[int] = []

    def guess(number: int) -> None:
        answers.append(sign_in(committed, user.email, f"wrong-{number}").status_code)

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {401, 429}
    assert answers.count(401) <= 5


def test_ten_wrong_ones_lock_the_account_and_tell_its_owner_once(committed: Api):
    user = committed.buyer()
    for _ in range(12):
        sign_in(committed, user.email, "wrong")
        forget_waiting(committed)
    told = [mail for mail in mails(committed) if mail["kind"] == "locked"]
    assert [mail["email"] for mail in told] == [user.email]
    sign_in(committed, user.email, "wrong")
    assert int(sign_in(committed, user.email, PASSWORD).headers["Retry-After"]) > 800


def test_nobody_can_lock_a_user_out_of_where_they_have_signed_in(committed: Api):
    user = committed.buyer()
    assert sign_in(committed, user.email, PASSWORD, HOME).status_code == 200
    wrong(committed, user.email, 6)
    assert sign_in(committed, user.email, PASSWORD, AWAY).status_code == 429
    assert sign_in(committed, user.email, PASSWORD, HOME).status_code == 200
    assert wrong(committed, user.email, 6, HOME) == [401] * 5 + [429], (
        "who sits there cannot guess either"
    )


def test_an_address_that_tries_many_accounts_is_held_up_and_noticed(
    committed: Api, caplog: pytest.LogCaptureFixture
):
    user = committed.buyer()
    assert sign_in(committed, user.email, PASSWORD, HOME).status_code == 200
    statuses = [
        sign_in(committed, f"spray{n}@example.com", "Password1!", HOME).status_code
        for n in range(35)
    ]
    assert statuses == [401] * 30 + [429] * 5
    assert [record.ip for record in caplog.records if "many accounts" in record.message] == [HOME]
    assert sign_in(committed, "other@example.com", "x", AWAY).status_code == 401
    assert sign_in(committed, user.email, PASSWORD, HOME).status_code == 200, (
        "who lives there gets in"
    )


def test_what_was_not_looked_at_is_not_counted(committed: Api):
    user = committed.buyer()
    queue = committed.app._router.find("/api/auth/login")[0].sign_in._passwords.queue
    places, queue.places = queue.places, 0  # others stand in the queue
    assert [sign_in(committed, user.email, PASSWORD).status_code for _ in range(8)] == [429] * 8
    queue.places = places
    assert sign_in(committed, user.email, PASSWORD).status_code == 200


def test_the_present_password_cannot_be_guessed_through_the_profile(api: Api):
    user = api.buyer()
    change = {"password": "another-long-password", "current_password": "wrong"}
    statuses = [api.patch("/api/users/profile", user, json=change).status_code for _ in range(6)]
    assert statuses == [422] * 5 + [429]


def test_a_password_is_hashed_anew_when_the_cost_rises(committed: Api):
    user = committed.buyer()
    raised = make_config(committed.config.database_url, committed.config.data_dir, bcrypt_cost=5)
    costlier = Api(raised, committed.db, committed.owner_url)
    stored: list[str] = []
    for client in (committed, costlier, costlier):
        assert sign_in(client, user.email, PASSWORD).status_code == 200
        with psycopg.connect(committed.owner_url) as conn:
            found = conn.execute(
                "SELECT password_hash FROM auth.credentials WHERE user_id = %s", [user.id]
            ).fetchone()
            stored.append(found[0] if found else "")
    assert [each.split("$")[2] for each in stored] == ["04", "05", "05"]
    assert stored[1] == stored[2]


def test_the_commonest_passwords_are_refused_whatever_else_is_in_them(api: Api):
    from zxcvbn.matching import RANKED_DICTIONARIES

    long_ones = itertools.islice(
        (word for word in RANKED_DICTIONARIES["passwords"] if len(word) >= 8), 0, None, 150
    )
    for word in long_ones:
        body = {"name": "Sari", "email": "s@example.com", "password": word.upper()}
        problem(api.post("/api/auth/register", json=body), 422, "weak_password")


def test_the_door_counts_for_the_application_alone(api: Api, config: Any):
    """What begins a guess cannot be had without counting it."""
    user: User = api.buyer()
    database = Database(config)
    with database.signing_in() as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("SELECT password_hash FROM auth.credentials WHERE user_id = %s", [user.id])
    database.close()


# Addresses that many people share ---------------------------------------------------------------


def test_who_mistypes_and_then_signs_in_is_not_held_against_the_address(committed: Api):
    people = [committed.buyer() for _ in range(32)]
    for person in people[:31]:
        assert sign_in(committed, person.email, "mistyped").status_code == 401
        assert sign_in(committed, person.email, PASSWORD).status_code == 200
    assert sign_in(committed, people[31].email, PASSWORD).status_code == 200
    with psycopg.connect(committed.owner_url) as conn:
        left = conn.execute("SELECT count(*) FROM auth.sprayed").fetchone()
    assert left == (0,)


def test_thirty_who_mistype_do_not_lock_out_the_next(committed: Api):
    """They never come back: the address is held up, and held up is not shut."""
    people = [committed.buyer() for _ in range(31)]
    for person in people[:30]:
        assert sign_in(committed, person.email, "mistyped").status_code == 401
    assert sign_in(committed, people[0].email, "mistyped").status_code == 429, "it is held up"
    assert sign_in(committed, people[30].email, PASSWORD).status_code == 200


def test_a_flood_of_wrong_ones_from_one_address_stays_bounded(committed: Api):
    """After thirty accounts five more are looked at, then four a minute."""
    statuses = [
        sign_in(committed, f"flood{number}@example.com", "Password1!").status_code
        for number in range(60)
    ]
    assert statuses == [401] * 30 + [429] * 30
    with psycopg.connect(committed.owner_url) as conn:
        looked_at = conn.execute("SELECT count(*) FROM auth.guesses").fetchone()
    assert looked_at == (35,)


def test_an_attempt_is_settled_once(committed: Api):
    user = committed.buyer()
    with psycopg.connect(committed.owner_url) as conn:
        ticket = conn.execute(
            "SELECT ticket FROM auth.begin_attempt(%s, %s)", [user.email, AWAY]
        ).fetchone()
        settle = "SELECT outcome FROM auth.settle_attempt(%s, %s)"
        assert ticket is not None
        assert conn.execute(settle, [ticket[0], "wrong"]).fetchone() == ("wrong",)
        assert conn.execute(settle, [ticket[0], None]).fetchone() == ("unread",)
        kept = conn.execute("SELECT tries FROM auth.guesses").fetchall()
    assert kept == [(1,)], "it cannot be taken back afterwards"


def test_thirty_two_people_with_the_right_password_at_once_all_get_in(committed: Api):
    people = [committed.buyer() for _ in range(32)]
    answers: list[int] = []

    def enter(person: User) -> None:
        answers.append(sign_in(committed, person.email, PASSWORD, HOME).status_code)

    threads = [threading.Thread(target=enter, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 32
