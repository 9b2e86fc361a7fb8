"""A PostgreSQL that says nothing: frozen, or behind a network that swallows. Its own time limits
do not help then.
"""

import os
import signal
import time
from dataclasses import replace

import psycopg
import pytest
from conftest import Api
from support.responses import problem
from support.wire import behind_a_wire

from marketplace.postgres.database import Database
from marketplace.postgres.pool import (
    Connection,
    SilentError,
    be_patient,
    begin_waiting,
    end_waiting,
)


@pytest.mark.alone
def test_nobody_waits_longer_than_five_seconds_and_all_is_well_when_it_speaks_again(committed: Api):
    seller = committed.seller()
    with behind_a_wire(committed) as (api, wire):
        for path, user in (("/api/products", None), ("/api/users/profile", seller)):
            assert api.get(path, user).status_code == 200
        wire.silent.set()
        started = time.monotonic()
        for path, user in (
            ("/api/products", None),
            ("/api/users/profile", seller),
            ("/api/products", None),
        ):
            begun = time.monotonic()
            answer = api.get(path, user)
            problem(answer, 503, "unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
            assert time.monotonic() - begun < 5
        assert time.monotonic() - started < 12, (
            "only the first has to wait for an answer, the others for a connection"
        )
        wire.silent.clear()
        spoke = time.monotonic()
        while api.get("/api/users/profile", seller).status_code != 200:
            assert time.monotonic() - spoke < 2.5
            time.sleep(0.05)


def test_a_write_whose_answer_never_came_is_a_503_and_can_be_sent_again(committed: Api):
    seller = committed.seller()
    body, key = {"name": "Kopi", "price": "1000"}, {"Idempotency-Key": "silent-key-1"}
    with behind_a_wire(committed, 1.0) as (api, wire):
        assert api.get("/api/users/profile", seller).status_code == 200
        wire.silent.set()
        problem(api.post("/api/products", seller, json=body, headers=key), 503, "unavailable")
        wire.silent.clear()
    assert committed.post("/api/products", seller, json=body, headers=key).status_code == 201
    assert committed.get("/api/stores/mine/products", seller).json["total_items"] == 1


@pytest.mark.alone
def test_a_backend_that_is_frozen_is_left_alone(committed: Api):
    database = Database(committed.config)
    database._pool.patience = 1.0
    with database.primary() as conn:
        pid = conn.info.backend_pid
        try:
            os.kill(pid, signal.SIGSTOP)
        except (PermissionError, ProcessLookupError):
            pytest.skip("PostgreSQL is another user's, or another machine's")
        started = time.monotonic()
        try:
            with pytest.raises(SilentError):
                conn.execute("SELECT 1")
        finally:
            os.kill(pid, signal.SIGCONT)
        assert 0.9 < time.monotonic() - started < 2
    database.close()


def test_what_may_take_longer_is_waited_for_longer(committed: Api):
    database = Database(committed.config)
    database._pool.patience = 0.5
    with database.working() as conn:
        be_patient(conn, 10)
        conn.execute("SELECT pg_sleep(1)")
    with database.primary() as conn, pytest.raises(SilentError):
        conn.execute("SELECT pg_sleep(1)")  # and the next transaction is as impatient as ever
    database.close()


def test_patience_with_a_statement_ends_with_it_also_where_it_fails(committed: Api):
    database = Database(replace(committed.config, pool_size=1))

    def move() -> None:
        with database.signing_in() as conn:
            be_patient(conn, 65)
            conn.execute("SELECT 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        move()
    with database.primary() as conn:
        assert isinstance(conn, Connection)
        assert conn.patience == database._pool.patience
    database.close()


def test_a_request_that_has_used_up_its_time_costs_nobody_else_a_connection(committed: Api):
    database = Database(replace(committed.config, pool_size=2))
    database._pool.patience = 1.0
    with database.primary() as one, database.primary() as other:
        pids = {one.info.backend_pid, other.info.backend_pid}

    def linger() -> None:
        with database.primary() as conn:
            pids.discard(conn.info.backend_pid)
            for _ in range(2):
                conn.execute("SELECT pg_sleep(0.7)")

    begin_waiting()
    with pytest.raises(SilentError):
        linger()
    end_waiting()
    with database.primary() as conn:
        assert conn.info.backend_pid in pids, "it was slow, and the server was not silent"
    database.close()
