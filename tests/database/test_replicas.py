"""A real standby that public reads go to, and a client who reads what it has written."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import cast

import psycopg
import pytest
from conftest import Api, make_config
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row
from support.behind_nginx import database

from marketplace.postgres import replicas
from marketplace.postgres.database import Database
from marketplace.postgres.embedded import account as server_account
from marketplace.postgres.embedded import server as embedded_server

NAME = "Consistency-Token"


class Pair:
    """A primary and a standby of it, and the API on both."""

    def __init__(self, api: Api, standby: str, postmaster: int) -> None:
        self.api = api
        self.standby = standby
        self.postmaster = postmaster

    def pause(self) -> None:
        """The standby falls behind."""
        with psycopg.connect(self.standby, autocommit=True) as conn:
            conn.execute("SELECT pg_wal_replay_pause()")
            while conn.execute("SELECT pg_get_wal_replay_pause_state()").fetchone() != ("paused",):
                time.sleep(0.01)

    def resume(self) -> None:
        """And catches up with all that was written so far."""
        with psycopg.connect(self.api.owner_url) as conn:
            (reached,) = conn.execute("SELECT pg_current_wal_insert_lsn()").fetchone() or (None,)
        with psycopg.connect(self.standby, autocommit=True) as conn:
            conn.execute("SELECT pg_wal_replay_resume()")
            while conn.execute(
                "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [reached]
            ).fetchone() != (True,):
                time.sleep(0.01)

    def last_read(self) -> datetime:
        """When the standby was last asked for anything but how far it is."""
        with psycopg.connect(self.standby, autocommit=True) as conn:
            row = conn.execute(
                "SELECT coalesce(max(query_start), 'epoch') FROM pg_stat_activity"
                " WHERE application_name = 'marketplace' AND query NOT LIKE "
                "'%pg_last_wal_replay_lsn%'"
            ).fetchone()
        assert row is not None
        return cast(datetime, row[0])


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    with database(folder) as url:
        server = embedded_server.start(folder / "pg")
        account = server_account.account_for(server._cluster)
        copy = server._cluster.with_name("standby")  # where the server's user may go
        copy.mkdir(mode=0o700)
        if account is not None:
            os.chown(copy, account.uid, account.gid)
        running = server_account.running_as(account)
        source = make_conninfo(url, user="postgres", dbname="")
        base = [
            str(server.bin("pg_basebackup")),
            "-d",
            source,
            "-D",
            str(copy),
            "-R",
            "-c",
            "fast",
            "--no-sync",
        ]
        subprocess.run(base, check=True, capture_output=True, **running)
        (copy / ".s.PGSQL.5432.lock").unlink(
            missing_ok=True
        )  # the primary's, whose socket lies among its data
        start = [
            str(server.bin("postgres")),
            "-D",
            str(copy),
            "-c",
            f"unix_socket_directories={copy}",
        ]
        with (folder / "standby.log").open("wb") as log:
            process = subprocess.Popen(
                [*start, "-c", "listen_addresses="], stdout=log, stderr=log, **running
            )
        try:
            standby = make_conninfo(url, host=str(copy), user="postgres")
            _wait(standby, folder / "standby.log")
            config = replace(make_config(url, folder, pool_size=4), database_replica_url=standby)
            db = Database(config)
            yield Pair(Api(config, db, url), standby, process.pid)
            db.close()
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(20)
            shutil.rmtree(copy)
            server.stop()


def _wait(url: str, log: Path) -> None:
    for _ in range(200):
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.05)
    raise AssertionError(log.read_text())


@pytest.fixture
def behind(pair: Pair) -> Iterator[Pair]:
    """The pair, whose standby has caught up with the test before and falls behind from now on."""
    pair.api.get("/healthz")
    yield pair
    pair.resume()


def test_who_sends_the_token_back_reads_what_they_wrote(behind: Pair):
    api = behind.api
    seller = api.seller()
    product = api.product(seller)
    behind.resume()
    behind.pause()
    path = f"/api/products/{product['id']}"
    changed = api.patch(path, seller, json={"price": "99000"})
    token = {NAME: changed.headers[NAME]}

    assert api.get(path).json["price"] == "85000.00", (
        "the standby was not asked, and this test shows nothing"
    )
    for user in (None, seller):
        assert api.get(path, user, headers=token).json["price"] == "99000.00"
        assert (
            api.get("/api/products", user, headers=token).json["products"][0]["price"] == "99000.00"
        )

    behind.resume()
    before = behind.last_read()
    assert api.get(path, headers=token).json["price"] == "99000.00"
    assert behind.last_read() > before, "once the standby has come so far, it is asked again"


def test_every_write_carries_a_token_and_nothing_else_does(pair: Pair):
    api = pair.api
    seller = api.seller()
    made = api.post("/api/products", seller, json={"name": "Teh", "price": "1000"})
    path = f"/api/products/{made.json['id']}"
    positions = [replicas.position(made.headers[NAME])]
    for method, body in (
        ("PUT", {"name": "Teh", "price": "2000"}),
        ("PATCH", {"price": "1"}),
        ("DELETE", None),
    ):
        answer = (
            api.request(method, path, seller, json=body)
            if body
            else api.request(method, path, seller)
        )
        positions.append(replicas.position(answer.headers[NAME]))
    assert positions == sorted(set(positions)), "each reaches further than the one before"
    for path in ("/api/products", "/api/users/profile", "/api/users/activities", "/healthz"):
        assert NAME not in api.get(path, seller).headers
    assert NAME not in api.post("/api/products", seller, json={}).headers


def test_a_token_that_cannot_be_read_is_answered_by_the_primary(behind: Pair):
    seller = behind.api.seller()
    product = behind.api.product(seller)
    behind.resume()
    behind.pause()
    path = f"/api/products/{product['id']}"
    behind.api.patch(path, seller, json={"price": "99000"})
    assert behind.api.get(path).json["price"] == "85000.00"
    for token in ("", "0/16B3748", "ffffffffffffffff", "f" * 17, "-1", "１", "x" * 5000):
        answer = behind.api.get(path, headers={NAME: token.encode().decode("latin-1")})
        assert answer.json["price"] == "99000.00", token


def test_one_that_is_too_far_behind_is_passed_over_for_everybody(behind: Pair):
    seller = behind.api.seller()
    product = behind.api.product(seller)
    behind.resume()
    behind.pause()
    path = f"/api/products/{product['id']}"
    config = replace(behind.api.config, replica_max_lag_seconds=1)
    db = Database(config)
    strict = Api(config, db, behind.api.owner_url)
    time.sleep(1.1)
    strict.patch(path, seller, json={"price": "99000"})
    assert strict.get(path).json["price"] == "99000.00"
    assert behind.api.get(path).json["price"] == "85000.00", (
        "half a minute is near enough by itself"
    )
    db.close()


def test_what_watches_over_the_service_asks_the_primary(behind: Pair):
    behind.pause()
    with psycopg.connect(behind.api.owner_url, row_factory=dict_row, autocommit=True) as conn:
        conn.execute("UPDATE schema_migrations SET version = -version WHERE version = 1")
        try:
            assert behind.api.get("/readyz").status_code == 503
        finally:
            conn.execute("UPDATE schema_migrations SET version = 1 WHERE version = -1")
    assert behind.api.get("/readyz").status_code == 200


def test_the_feed_of_a_standby_hands_out_all_that_was_written(pair: Pair):
    seller = pair.api.seller()
    cursor = pair.api.get("/api/changes?types=products").json["next_cursor"]
    made = pair.api.post("/api/products", seller, json={"name": "Teh", "price": "1000"})
    answer = pair.api.get(
        f"/api/changes?types=products&cursor={cursor}", headers={NAME: made.headers[NAME]}
    )
    assert [change["id"] for change in answer.json["changes"]] == [made.json["id"]]
    pair.resume()
    again = pair.api.get(
        f"/api/changes?types=products&cursor={cursor}", headers={NAME: made.headers[NAME]}
    )
    assert again.json["changes"] == answer.json["changes"]


def test_every_public_read_can_be_made_by_a_standby(pair: Pair):
    seller = pair.api.seller()
    product = pair.api.product(seller)
    pair.resume()
    db = Database(replace(pair.api.config, database_url="host=/nowhere user=nobody"))
    alone = Api(replace(pair.api.config, cors_origins=()), db, pair.api.owner_url)
    for path in (
        "/api/products", "/api/products?search=kopi", "/api/products?search=kpoi", "/api/products?count=exact",
        "/api/products?min_price=1&facets=category,brand,price,in_stock", "/api/products/suggest?q=ko",
        f"/api/products/{product['id']}", "/api/categories", "/api/brands", f"/api/stores/{seller.store_id}",
        "/api/changes",
    ):  # fmt: skip
        answer = alone.client.simulate_get(path)
        assert answer.status_code == 200, f"{path}: {answer.text}"
    signed_in = {"Authorization": f"Bearer {seller.token}"}
    assert alone.client.simulate_get("/api/users/profile", headers=signed_in).status_code == 503
    db.close()


def test_a_replica_that_is_frozen_or_gone_is_passed_over(pair: Pair):
    """The last of those that need it."""
    api = pair.api
    product = api.product(api.seller())
    token = {
        NAME: api.patch(f"/api/products/{product['id']}", api.admin(), json={"price": "5"}).headers[
            NAME
        ]
    }
    path = f"/api/products/{product['id']}"
    pair.resume()
    assert api.get(path).status_code == 200
    db = Database(replace(api.config, database_replica_url="host=127.0.0.1 port=9 user=nobody"))
    without = Api(api.config, db, api.owner_url)
    for _ in range(3):
        assert without.get(path, headers=token).json["price"] == "5.00"
    db.close()
    os.kill(pair.postmaster, signal.SIGSTOP)  # no new connections; those there are still served
    try:
        with psycopg.connect(pair.api.owner_url) as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)
        for _ in range(3):
            assert api.get(path, headers=token).json["price"] == "5.00"
    finally:
        os.kill(pair.postmaster, signal.SIGCONT)
    os.kill(pair.postmaster, signal.SIGINT)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        answer = api.get(path, headers=token)
        assert answer.status_code in (200, 503), (
            "a read that was under way may be lost, and says so"
        )
        if not _there(pair.standby):
            break
    for _ in range(3):
        assert api.get(path, headers=token).json["price"] == "5.00"


def _there(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_replica_that_others_are_using_is_asked_again_as_soon_as_they_have_done(committed: Api):
    url = committed.config.database_url
    database = Database(replace(committed.config, pool_size=1, database_replica_url=url))
    with database.read(0) as one:
        replica = one.info.backend_pid
        for _ in range(2):
            with database.read(0) as other:
                assert other.info.backend_pid != replica, "the primary stands in"
    with database.read(0) as one:
        assert one.info.backend_pid == replica, "it was busy, not away"
    database.close()
