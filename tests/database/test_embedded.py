"""The embedded server, started for real in folders of all kinds."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from marketplace.config.settings import ROOT
from marketplace.postgres.embedded import account as server_account
from marketplace.postgres.embedded import lock_files
from marketplace.postgres.embedded import server as embedded_server

START = """
import sys
from pathlib import Path
from marketplace.postgres.embedded import server as embedded
server = embedded.start(Path(sys.argv[1]), fsync=False)
print(server.started_here, flush=True)
sys.stdin.readline()
server.stop()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that every user can get into (pytest's own are closed), and its data go
    with it.
    """
    made = Path(tempfile.mkdtemp(prefix="marketplace-test-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def ask(server: embedded_server.Server, question: str) -> object:
    with psycopg.connect(server.dsn("postgres", "postgres")) as conn:
        row = conn.execute(question).fetchone()
    assert row is not None
    return row[0]


def starter(folder: Path) -> subprocess.Popen:
    """Another process that starts the server, says whether it was the one, and stops at a line."""
    return subprocess.Popen(
        [sys.executable, "-c", START, str(folder)],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


@pytest.mark.parametrize(
    "name", ["plain", "with a space", 'it\'s, "odd"', "long" * 40, "toko-é-店"]
)
def test_it_starts_in_any_folder_and_stops(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LANG", "xx_XX.UTF-8")
    monkeypatch.setenv("LC_ALL", "id_ID.nonsense")
    monkeypatch.setenv("PGPORT", "1")
    server = embedded_server.start(folder / name, fsync=False)
    try:
        assert server.started_here
        assert ask(server, "SHOW server_encoding") == "UTF8"
        assert ask(server, "SHOW timezone") == "UTC"
        assert ask(server, "SHOW listen_addresses") == ""
        assert ask(server, "SHOW jit") == "off"
        assert ask(server, "SELECT lower('É')") == "é"
        assert server.bin("pg_dump").exists()
        assert Path(str(ask(server, "SHOW unix_socket_directories"))).stat().st_mode & 0o077 == 0
    finally:
        server.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.dsn("postgres", "postgres"))
    server.stop()


def test_what_was_committed_is_there_after_a_restart(folder: Path):
    server = embedded_server.start(folder, fsync=False)
    with psycopg.connect(server.dsn("postgres", "postgres")) as conn:
        conn.execute("CREATE TABLE kept (n int)")
    server.stop()
    server = embedded_server.start(folder, fsync=False)
    assert ask(server, "SELECT count(*) FROM kept") == 0
    server.stop()


def test_after_kill_9_the_next_start_recovers(folder: Path):
    server = embedded_server.start(folder)
    with psycopg.connect(server.dsn("postgres", "postgres")) as conn:
        conn.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    pid = lock_files.running(server._cluster)
    assert pid is not None
    os.kill(
        pid, signal.SIGKILL
    )  # and it stays as a zombie: its parent, this process, does not wait for it
    again = embedded_server.start(folder)
    assert again.started_here
    assert ask(again, "SELECT count(*) FROM kept") == 1000
    again.stop()
    server.stop()


def test_a_lock_file_that_names_a_stranger_stops_nobody(folder: Path):
    server = embedded_server.start(folder, fsync=False)
    cluster, pid = server._cluster, lock_files.running(server._cluster)
    owner = cluster.stat()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    server._process.wait()
    stranger = subprocess.Popen(
        ["sleep", "100"],
        **server_account.running_as(
            server_account.Account(owner.st_uid, owner.st_gid, "") if os.getuid() == 0 else None
        ),
    )
    try:
        for file in (cluster / "postmaster.pid", server._socket / ".s.PGSQL.5432.lock"):
            file.write_text(file.read_text().replace(str(pid), str(stranger.pid), 1))
        again = embedded_server.start(folder, fsync=False)
        assert again.started_here
        again.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
        server.stop()


def test_simultaneous_starts_give_one_server_and_the_last_one_stops_it(folder: Path):
    processes = [starter(folder) for _ in range(3)]
    answers = [process.stdout.readline().strip() for process in processes]
    assert sorted(answers) == ["False", "False", "True"]
    here = embedded_server.start(folder, fsync=False)
    assert not here.started_here
    for process in processes:
        process.communicate("stop\n", timeout=30)
        assert ask(here, "SELECT 1") == 1
    here.stop()
    assert lock_files.running(here._cluster) is None


def test_a_starter_that_was_killed_leaves_a_server_that_is_taken_over(folder: Path):
    process = starter(folder)
    assert process.stdout.readline() == "True\n"
    process.kill()
    process.communicate()
    here = embedded_server.start(folder, fsync=False)
    assert not here.started_here
    here.stop()
    assert lock_files.running(here._cluster) is None


def test_a_server_whose_socket_was_deleted_is_restarted(folder: Path):
    server = embedded_server.start(folder, fsync=False)
    (server._socket / ".s.PGSQL.5432").unlink()
    again = embedded_server.start(folder, fsync=False)
    assert ask(again, "SELECT 1") == 1
    again.stop()
    server.stop()


def test_a_folder_of_another_major_version_is_refused_in_one_line(folder: Path):
    (folder / "pg").mkdir()
    (folder / "pg" / "PG_VERSION").write_text("9\n")
    with pytest.raises(embedded_server.EmbeddedError, match=r"was made by PostgreSQL 9[^\n]*\Z"):
        embedded_server.start(folder)


@pytest.mark.skipif(os.getuid() != 0, reason="only root runs the server as somebody else")
def test_root_runs_it_as_another_user_and_opens_no_folder(tmp_path: Path):
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    server = embedded_server.start(closed / "data", fsync=False)
    try:
        assert closed.stat().st_mode & 0o777 == 0o700
        assert server._cluster.stat().st_uid != 0
        assert not server._cluster.is_relative_to(closed)
        assert (closed / "data" / "pg.location").read_text().startswith(str(server._cluster))
        again = embedded_server.start(closed / "data", fsync=False)
        assert not again.started_here
        again.stop()
    finally:
        server.stop()
        subprocess.run(["rm", "-rf", str(server._cluster.parent)], check=True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make another user's folder")
def test_programs_that_the_servers_user_cannot_reach_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        server_account, "HOME", Path("/var/tmp") / f"marketplace-test-{os.getpid()}"
    )
    account = server_account.account_for(tmp_path / "none")
    original = next(iter(embedded_server.candidates()))
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = original.parent.parent
    for folder in package.parent.glob(f"{package.name}*"):
        (closed / folder.name).symlink_to(folder)
    try:
        copy = server_account.reachable(closed / package.name / "pginstall" / "bin", account)
        assert copy.is_relative_to(server_account.HOME)
        done = subprocess.run(
            [str(copy / "initdb"), "-V"], check=False, **server_account.running_as(account)
        )
        assert done.returncode == 0
        assert (
            server_account.reachable(closed / package.name / "pginstall" / "bin", account) == copy
        )
    finally:
        subprocess.run(["rm", "-rf", str(server_account.HOME)], check=True)
