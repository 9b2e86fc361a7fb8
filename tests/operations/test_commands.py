"""python -m marketplace NAME, each in a process of its own, on a database of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Api
from support.commands import command, environment

from marketplace.__main__ import MODULES
from marketplace.config import settings
from marketplace.config.settings import ROOT, Config


def test_without_a_name_the_commands_are_listed(tmp_path: Path):
    done = command("", tmp_path)
    assert done.returncode == 0
    for name in (
        "run",
        "worker",
        "migrate",
        "psql",
        "explain",
        "check-sql",
        "create-admin",
        "demo-reset",
    ):
        assert f"\n  {name} " in done.stdout
    assert command("", tmp_path, "nonsense").returncode == 2


def test_every_command_explains_itself(tmp_path: Path):
    names = {module: name for name, module in MODULES.items()}
    for file in (ROOT / "marketplace" / "commands").glob("[a-z]*.py"):
        name = names.get(file.stem, file.stem.replace("_", "-"))
        done = command("", tmp_path, name, "--help")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("usage: python -m marketplace ")


def test_migrate_says_when_there_is_nothing_to_do(committed: Api, tmp_path: Path):
    assert (
        command(committed.owner_url, tmp_path, "migrate").stdout == "The database is up to date.\n"
    )


def test_check_sql_understands_every_statement(committed: Api, tmp_path: Path):
    done = command(committed.owner_url, tmp_path, "check-sql")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("all understood.\n")


def test_explain_measures_with_values_and_plans_without(committed: Api, tmp_path: Path):
    url = committed.owner_url
    assert "actual time" in command(url, tmp_path, "explain", "stores.find", "store_id=1").stdout
    assert "$1" in command(url, tmp_path, "explain", "stores.find").stdout
    assert (
        "takes store_id, not nonsense"
        in command(url, tmp_path, "explain", "stores.find", "nonsense=1").stderr
    )
    assert "there are stores.find" in command(url, tmp_path, "explain", "stores.nonsense").stderr
    done = command(url, tmp_path, "explain", "stores.find", "store_id=x")
    assert done.returncode == 1
    assert "invalid input syntax" in done.stderr


def test_a_database_that_is_away_is_one_line(tmp_path: Path):
    for name in ("migrate", "check-sql"):
        done = command("host=/nowhere dbname=x", tmp_path, name)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "Traceback" not in done.stderr


class Running:
    """`run` in a process of its own."""

    def __init__(self, url: str, folder: Path, port: int) -> None:
        self.port = port
        env = environment(url, folder, PORT=str(port), WEB_CONCURRENCY="1", PYTHONUNBUFFERED="1")
        self.errors = folder / "stderr"
        with self.errors.open("a") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "marketplace", "run"],
                cwd=ROOT,
                env=env,
                text=True,
                stdout=subprocess.PIPE,
                stderr=out,
                start_new_session=True,
            )

    def until_up(self) -> None:
        for line in self.process.stdout:
            if "Marketplace is up" in line:
                return
        raise AssertionError(self.errors.read_text()[-3000:])

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}/readyz", timeout=5
            ) as answer:
                return answer.status == 200
        except OSError:
            return False

    def gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                    return True
            time.sleep(0.1)
        return False


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def start(committed: Api, tmp_path: Path, port: int) -> Iterator[list[Running]]:
    """Two of them, the second not started before the test says so."""
    started: list[Running] = []
    yield started
    for each in started:
        if each.process.poll() is None:
            each.process.send_signal(signal.SIGTERM)
            each.process.communicate(timeout=60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_serves_until_a_signal_stops_all_of_it(
    committed: Api, tmp_path: Path, port: int, start: list[Running], number: signal.Signals
):
    running = Running(committed.owner_url, tmp_path, port)
    start.append(running)
    running.until_up()
    assert running.ready()
    running.process.send_signal(number)
    assert running.process.wait(60) == 0
    assert running.gone_within(1)


def test_a_port_in_use_is_one_line_before_anything_starts(tmp_path: Path, port: int):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        env = environment("", tmp_path, PORT=str(port))
        done = subprocess.run(
            [sys.executable, "-m", "marketplace", "run"],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == (
        f"Cannot listen on 127.0.0.1 port {port} (Address already in use);"
        " stop what is there, or choose another: make run PORT=8001.\n"
    )
    assert not (tmp_path / "data" / "pg").exists()


def test_after_kill_9_the_next_run_just_works(
    committed: Api, tmp_path: Path, port: int, start: list[Running]
):
    killed = Running(committed.owner_url, tmp_path, port)
    killed.until_up()
    killed.process.kill()
    killed.process.communicate()
    running = Running(committed.owner_url, tmp_path, port)
    start.append(running)
    running.until_up()
    assert running.ready()


def test_when_the_api_dies_everything_stops(
    committed: Api, tmp_path: Path, port: int, start: list[Running]
):
    running = Running(committed.owner_url, tmp_path, port)
    start.append(running)
    for line in running.process.stdout:
        if "kill -HUP" in line:
            os.kill(int(line.split()[-1]), signal.SIGKILL)
            break
    assert running.process.wait(60) == 1


def test_the_address_of_the_api_is_one_a_browser_takes(tmp_path: Path):
    from marketplace.commands import run

    def address(host: str) -> str:
        config: Config = settings.load({"DATA_DIR": str(tmp_path)}, host=host, port=1)
        return run._address(config)

    assert address("0.0.0.0") == "http://127.0.0.1:1"  # noqa: S104 - not bound
    assert address("::") == "http://[::1]:1"
    assert address("fe80::1") == "http://[fe80::1]:1"
    assert address("127.0.0.1") == "http://127.0.0.1:1"
