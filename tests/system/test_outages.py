"""PostgreSQL or the machine has run short of something: who asks is told to come again, and
nothing is half done.
"""

import logging
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import Api
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import PoolTimeout
from support.images import photo
from support.responses import problem
from support.wire import behind_a_wire

from marketplace.postgres.breaker import CircuitBreaker, CircuitOpenError
from marketplace.postgres.database import Database
from marketplace.telemetry.stderr import PatientHandler


@contextmanager
def limited(api: Api, change: str) -> Iterator[None]:
    """A setting of the test's own database, for connections made from now on."""
    name = conninfo_to_dict(api.owner_url)["dbname"]
    url = make_conninfo(api.owner_url, options="-c default_transaction_read_only=off")
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f'ALTER DATABASE "{name}" {change}')  # type: ignore[call-overload]
        yield


@contextmanager
def another(api: Api, **changes: Any) -> Iterator[Api]:
    """The same API with a pool of its own."""
    config = replace(api.config, **changes)
    database = Database(config)
    try:
        yield Api(config, database, api.owner_url)
    finally:
        database.close()


@pytest.mark.alone
def test_a_primary_that_has_become_read_only_is_a_503_and_its_connections_are_let_go(
    committed: Api,
):
    seller = committed.seller()
    product = committed.product(seller)
    with another(committed, pool_size=2) as api:
        with limited(api, "SET default_transaction_read_only = on"):
            problem(
                api.post("/api/products", seller, json={"name": "Kopi", "price": "1"}),
                503,
                "unavailable",
            )
            for user in (None, seller):
                assert api.get(f"/api/products/{product['id']}", user).status_code == 200
        with limited(api, "RESET default_transaction_read_only"):
            pass
        deadline = time.monotonic() + 2
        while (
            api.post("/api/products", seller, json={"name": "Kopi", "price": "1"}).status_code
            != 201
        ):
            assert time.monotonic() < deadline, "still connected to the one that was read-only"


@pytest.mark.alone
def test_when_others_have_all_connections_it_is_a_503_within_five_seconds_and_passes(
    committed: Api,
):
    with psycopg.connect(committed.owner_url) as conn:
        if conn.execute(
            "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchone() == (True,):
            pytest.skip("a superuser always gets a connection")
    committed.db.close()
    with another(committed, pool_size=2) as api:
        with limited(api, "CONNECTION LIMIT 1"):
            started = time.monotonic()
            problem(api.get("/api/products"), 503, "unavailable")
            assert time.monotonic() - started < 5
        with limited(api, "CONNECTION LIMIT -1"):
            pass
        deadline = time.monotonic() + 2
        while api.get("/api/products").status_code != 200:
            assert time.monotonic() < deadline


@pytest.mark.parametrize(
    "away",
    [
        {"host": "no-such-host.invalid", "port": 5432},
        {"host": "127.0.0.1", "port": 1},
        {"user": "nobody-of-that-name"},
    ],
    ids=["no address", "nobody listens", "login refused"],
)
def test_why_there_is_no_connection_is_in_the_log_and_not_in_the_answer(
    committed: Api, away: dict[str, Any], caplog: pytest.LogCaptureFixture
):
    url = make_conninfo(committed.config.database_url, **away)
    with another(committed, database_url=url) as api, caplog.at_level(logging.ERROR, "marketplace"):
        answer = api.get("/api/products")
        problem(answer, 503, "unavailable")
        assert "nobody-of-that-name" not in answer.text
        assert "5432" not in answer.text
    said = [
        record for record in caplog.records if record.message == "cannot connect to the database"
    ]
    assert said
    assert len(said[0].error) > 10  # type: ignore[attr-defined]


@pytest.mark.parametrize("limit", ["lock_timeout", "statement_timeout"])
def test_a_lock_that_is_held_for_long_and_a_statement_that_takes_too_long_are_503s(
    committed: Api, limit: str
):
    seller = committed.seller()
    product = committed.product(seller)
    with another(committed) as api, psycopg.connect(committed.owner_url) as holder:
        api.db._settings[limit] = "200ms"
        holder.execute("SELECT FROM products FOR UPDATE")
        problem(
            api.patch(f"/api/products/{product['id']}", seller, json={"price": "2"}),
            503,
            "unavailable",
        )


def test_a_backend_that_is_ended_before_its_commit_is_a_503_and_the_key_makes_it_one_write(
    committed: Api,
):
    seller = committed.seller()
    body, key = {"name": "Kopi", "price": "1000"}, {"Idempotency-Key": "ended-before-commit"}
    with another(committed) as api:
        commit = api.db._commit

        def ended(conn: Any) -> None:
            with psycopg.connect(committed.owner_url, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", [conn.info.backend_pid])
            commit(conn)

        api.db._commit = ended  # type: ignore[method-assign]
        problem(api.post("/api/products", seller, json=body, headers=key), 503, "unavailable")
        api.db._commit = commit  # type: ignore[method-assign]
        assert api.post("/api/products", seller, json=body, headers=key).status_code == 201
    assert committed.get("/api/stores/mine/products", seller).json["total_items"] == 1


@pytest.mark.alone
def test_when_the_database_is_silent_one_request_waits_for_it_and_the_others_are_answered_at_once(
    committed: Api,
):
    with behind_a_wire(committed, 3.0) as (api, wire):
        assert api.get("/api/products").status_code == 200
        wire.silent.set()
        statuses, times = [], []

        def ask() -> None:
            begun = time.monotonic()
            statuses.append(api.get("/api/products").status_code)
            times.append(time.monotonic() - begun)

        first = [
            threading.Thread(target=ask) for _ in range(6)
        ]  # four connections, and two who wait for one
        for thread in first:
            thread.start()
        time.sleep(1.8)
        begun = time.monotonic()
        for _ in range(10):
            assert api.get("/healthz").status_code == 200
        many = [threading.Thread(target=ask) for _ in range(20)]
        for thread in many:
            thread.start()
        for thread in many:
            thread.join()
        assert time.monotonic() - begun < 1.5, "each has waited its time"
        for thread in first:
            thread.join()
        assert set(statuses) == {503}
        assert max(times) < 5


def test_the_gate_lets_one_try_and_opens_for_all_when_that_one_gets_a_connection():
    gate = CircuitBreaker(0.01)
    with pytest.raises(psycopg.OperationalError), gate.waiting():
        raise psycopg.OperationalError("broken, which says nothing of the others")
    with gate.waiting() as seconds:
        assert seconds == 0.01
    with pytest.raises(PoolTimeout), gate.waiting():
        raise PoolTimeout("none")
    with gate.waiting(), pytest.raises(CircuitOpenError), gate.waiting():
        pass
    with gate.waiting(), gate.waiting():
        pass


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """This process may write no file larger than that: what a full disk is to a writer."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_picture_that_finds_no_room_is_a_503_and_leaves_nothing_behind(committed: Api):
    seller = committed.seller()
    product = committed.product(seller)
    files = [("images", "kopi.jpg", photo(1))]
    with small_files(100):
        problem(
            committed.upload(f"/api/products/{product['id']}/images", seller, files),
            503,
            "unavailable",
        )
    assert [path for path in committed.config.uploads_dir.rglob("*") if path.is_file()] == []
    assert committed.get(f"/api/products/{product['id']}").json["images"] == []
    assert (
        committed.upload(f"/api/products/{product['id']}/images", seller, files).status_code == 201
    )


def counting(folder: Path, code: str) -> str:
    """What another process says that counts in a folder."""
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_process_that_starts_on_a_full_disk_counts_for_itself(tmp_path: Path):
    said = counting(tmp_path, """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
from marketplace.telemetry import metrics
metrics.count_request("GET", "/x", 200, 0.1, 0.1)
print(metrics.FOLDER, metrics.text(None).decode())
""")  # fmt: skip
    assert said.startswith("None")
    assert 'route="/x"' in said


def test_a_worker_that_is_forked_while_the_disk_is_full_counts_when_there_is_room(tmp_path: Path):
    said = counting(tmp_path, """
import os, resource
from marketplace.telemetry import metrics
if os.fork():
    os.wait()
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    metrics.count_request("GET", "/lost", 200, 0.1, 0.1)
    metrics.pool(lambda: {"requests_wait_ms": 1})
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    metrics.count_request("GET", "/counted", 200, 0.1, 0.1)
    print(metrics.text(None).decode())
""")  # fmt: skip
    assert 'requests_total{method="GET",route="/counted",status="200"} 1.0' in said


def test_files_of_counts_take_their_room_at_once(tmp_path: Path):
    counting(
        tmp_path,
        "from marketplace.telemetry import metrics; metrics.count_request('GET', '/x', 200, 0.1, 0.1)",
    )
    for file in tmp_path.glob("*.db"):
        assert file.stat().st_blocks * 512 >= file.stat().st_size, f"{file.name} has holes"


@pytest.mark.alone
def test_a_log_that_nobody_reads_stops_nobody(monkeypatch: pytest.MonkeyPatch):
    read, write = os.pipe()
    with os.fdopen(write, "w", buffering=1) as pipe:
        monkeypatch.setattr(sys, "stderr", pipe)
        handler = PatientHandler()
        line = logging.LogRecord("marketplace", logging.INFO, __file__, 0, "x" * 1000, None, None)
        started = time.monotonic()
        for _ in range(1000):
            handler.handle(line)
        assert time.monotonic() - started < 2
        before = len(os.read(read, 1_000_000))
        assert before > 30_000
        handler.handle(line)
        after = os.read(read, 1_000_000).decode()
        assert "lines were lost" in after
        assert "x" * 1000 in after
    os.close(read)


def test_a_line_that_is_longer_than_the_room_for_it_stops_nobody(monkeypatch: pytest.MonkeyPatch):
    read, write = os.pipe()
    with os.fdopen(write, "w", buffering=1) as pipe:
        monkeypatch.setattr(sys, "stderr", pipe)
        handler = PatientHandler()
        line, traceback = (
            logging.LogRecord("marketplace", logging.INFO, __file__, 0, text, None, None)
            for text in ("x" * 4000, "y" * 20_000)
        )

        def log() -> None:
            for _ in range(13):
                handler.handle(line)
            handler.handle(traceback)

        writing = threading.Thread(target=log, daemon=True)
        writing.start()
        writing.join(5)
        assert not writing.is_alive()
        assert os.read(read, 1_000_000).decode().endswith("y"), (
            "as much of it as there was room for"
        )
        handler.handle(line)
        _, lost, whole, _ = os.read(read, 1_000_000).decode().split("\n")
        assert "1 lines were lost" in lost
        assert whole == "x" * 4000
    os.close(read)
