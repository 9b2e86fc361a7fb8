"""Limits on how often: by class of call, user and address."""

import threading
from dataclasses import replace

import pytest
from conftest import Api
from support.responses import problem

from marketplace.config import rate_limits, settings
from marketplace.config.env import ConfigError


def limited(api: Api, text: str) -> Api:
    config = replace(api.config, rate_limits=rate_limits.parsed(text))
    return Api(config, api.db, api.owner_url)


def test_writes_say_what_is_left_and_are_refused_when_nothing_is(api: Api):
    tight = limited(api, "write=60/2")
    user = api.buyer()
    first, second, third = (
        tight.put("/api/users/profile", user, json={"name": "Sari"}) for _ in range(3)
    )
    assert first.headers["RateLimit-Policy"] == '"write";q=2;w=2'
    assert first.headers["RateLimit"] == '"write";r=1;t=1'
    assert second.headers["RateLimit"] == '"write";r=0;t=2'
    assert (first.status_code, second.status_code) == (200, 200)
    problem(third, 429, "too_many_requests")
    assert third.headers["Retry-After"] == "1"
    assert third.headers["RateLimit"] == '"write";r=0;t=2'
    other = api.buyer()
    assert tight.put("/api/users/profile", other, json={"name": "Budi"}).status_code == 200


def test_a_refused_write_has_not_been_read_or_done(api: Api):
    tight = limited(api, "write=1/1")
    user = api.buyer()
    assert tight.put("/api/users/profile", user, json={"name": "Sari"}).status_code == 200
    assert tight.put("/api/users/profile", user, json={"name": "Dewi"}).status_code == 429
    assert api.get("/api/users/profile", user).json["name"] == "Sari"


def test_signing_in_is_limited_by_address_however_many_accounts_it_is_for(api: Api):
    tight = limited(api, "sign-in=1/3")
    body = {"email": "nobody@example.com", "password": "x"}
    statuses = [
        tight.post(
            "/api/auth/login", json={**body, "email": f"a{n}@example.com"}, remote_addr=ip
        ).status_code
        for n, ip in enumerate(
            ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4", "2001:db8:0:1::1"]
        )
    ]
    assert statuses == [401, 401, 401, 429, 401], "a /64 is one address"


def test_reads_are_counted_by_the_worker_and_write_nothing(api: Api):
    tight = limited(api, "read=1/2,search=1/1")
    here = {"remote_addr": "203.0.113.7"}
    assert [tight.get("/api/products", **here).status_code for _ in range(3)] == [200, 200, 429]
    assert [tight.get("/api/products?search=kopi", **here).status_code for _ in range(2)] == [
        200,
        429,
    ]
    assert tight.get("/api/products", remote_addr="198.51.100.7").status_code == 200
    user = api.buyer()
    assert [tight.get("/api/users/profile", user).status_code for _ in range(3)] == [200, 200, 429]
    with api.as_owner(api.db.conn) as conn:
        kept = {row["key"] for row in conn.execute("SELECT key FROM auth.limits").fetchall()}
    assert not [key for key in kept if key.startswith(("read ", "search "))]


def test_all_workers_count_together(committed: Api):
    tight = [limited(committed, "write=1/5") for _ in range(2)]
    user = committed.buyer()
    statuses: list[int] = []

    def send(api: Api) -> None:
        statuses.append(api.put("/api/users/profile", user, json={"name": "Sari"}).status_code)

    threads = [threading.Thread(target=send, args=(tight[number % 2],)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 5 + [429] * 7


def test_who_has_no_session_uses_nobodys_limit(api: Api):
    tight = limited(api, "write=1/1")
    user = api.buyer()
    assert tight.post("/api/auth/logout", user).status_code == 204
    for _ in range(3):
        assert tight.put("/api/users/profile", user, json={"name": "Sari"}).status_code == 401


def test_limits_can_be_off(api: Api):
    free = limited(api, "off")
    answer = free.put("/api/users/profile", api.buyer(), json={"name": "Sari"})
    assert answer.status_code == 200
    assert "RateLimit" not in answer.headers


@pytest.mark.parametrize(
    "text", ["write", "write=", "write=0", "write=-1", "nothing=1/1", "write=1/x", "write=1.5"]
)
def test_a_limit_that_cannot_be_read_stops_the_start(text: str):
    with pytest.raises(ConfigError, match="RATE_LIMITS"):
        settings.load({"RATE_LIMITS": text}, secret_keys=("k" * 32,))
