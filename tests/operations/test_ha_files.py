"""What deploy/ha and deploy/pgbouncer ship is read by its own programs. Skipped where one is not
installed.
"""

import contextlib
import importlib.util
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from conftest import Api
from psycopg.conninfo import conninfo_to_dict
from system.ha import hosts, programs, shipped

from marketplace.postgres.database import Database
from marketplace.postgres.embedded import account as server_account

LOGIN = "marketplace_pooled"
PASSWORD = "kopi-susu-tanpa-gula-7"


@pytest.mark.skipif(programs.find("haproxy") is None, reason="haproxy is not installed")
def test_haproxy_takes_its_file_without_a_word():
    command = [
        str(programs.find("haproxy")),
        "-c",
        "-f",
        str(shipped.DEPLOY / "ha" / "haproxy.cfg"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if "WARNING" in line or "ALERT" in line]


@pytest.mark.skipif(
    importlib.util.find_spec("patroni") is None, reason="patroni is not installed (make ready-ha)"
)
def test_patroni_takes_its_file(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as etcd:
        at = shipped.Address(*programs.ports(2))
        (tmp_path / "node1").mkdir()
        bin_dir = programs.binaries(tmp_path, None)
        text = shipped.patroni(tmp_path, "node1", at, etcd.getsockname()[1], bin_dir, "secret")
        file = tmp_path / "patroni.yml"
        file.write_text(text.replace("connect_address: 127.0.0.1:", "connect_address: 10.0.0.11:"))
        command = [sys.executable, "-m", "patroni", "--validate-config", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "didn't pass" not in done.stdout + done.stderr


def test_patroni_keeps_the_rule_of_its_times():
    """Its own documentation has it: a primary must be able to miss one look and still renew its
    lock.
    """
    text = (shipped.DEPLOY / "ha" / "patroni.yml").read_text()
    times = dict(
        line.split(": ")
        for line in map(str.strip, text.splitlines())
        if line.startswith(("ttl: ", "loop_wait: ", "retry_timeout: "))
    )
    assert int(times["loop_wait"]) + 2 * int(times["retry_timeout"]) <= int(times["ttl"])


@pytest.fixture
def login(committed: Api) -> Iterator[str]:
    """A login of the API's own, as sql/admin says."""
    with psycopg.connect(committed.owner_url, autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {LOGIN} LOGIN PASSWORD '{PASSWORD}' IN ROLE marketplace_app")
        try:
            for line in hosts.settings():
                with contextlib.suppress(
                    psycopg.errors.InsufficientPrivilege
                ):  # superusers' settings
                    conn.execute(
                        line.replace("marketplace_api", LOGIN)
                        if "marketplace_api" in line
                        else "SELECT 1"
                    )
            yield LOGIN
        finally:
            conn.execute(f"DROP ROLE {LOGIN}")


@pytest.fixture
def pooler(committed: Api, login: str, tmp_path: Path) -> Iterator[str]:
    """PgBouncer with our file before the test's database: the URL of the login through it."""
    to = conninfo_to_dict(committed.owner_url)
    at = Path(str(to.get("host", "")))
    account = server_account.account_for(at) if at.is_dir() else None
    folder = programs.short_folder(account)
    port = programs.ports(1)[0]
    text = shipped.pgbouncer(folder, port, int(to.get("port") or 5432))
    text = text.replace("marketplace = host=127.0.0.1", f"marketplace = host={at}")
    text = text.replace("dbname=marketplace", f"dbname={to['dbname']}")
    for name, content in (("pgbouncer.ini", text), ("userlist.txt", f'"{login}" "{PASSWORD}"\n')):
        (folder / name).write_text(content)
        (folder / name).chmod(0o644)
    command = [str(programs.find("pgbouncer")), "-q", str(folder / "pgbouncer.ini")]
    process = programs.start(command, tmp_path / "start.log", account)
    try:
        _wait(port, tmp_path / "start.log")
        yield f"postgresql://{login}:{PASSWORD}@127.0.0.1:{port}/marketplace"
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


def _wait(port: int, log: Path) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@pytest.mark.skipif(programs.find("pgbouncer") is None, reason="pgbouncer is not installed")
def test_pgbouncer_with_our_file_serves_the_application(committed: Api, pooler: str):
    seller = committed.seller()
    config = replace(committed.config, database_url=pooler, database_pooler="transaction")
    api = Api(config, Database(config), committed.owner_url)
    try:
        for number in range(
            12
        ):  # more often than a server would be asked before a statement is prepared
            made = api.post("/api/products", seller, json={"name": f"Kopi {number}", "price": "5"})
            assert made.status_code == 201, made.text
            assert api.get(f"/api/products/{made.json['id']}").json["price"] == "5.00"
        assert len(api.get("/api/products", seller).json["products"]) == 12
    finally:
        api.db.close()
