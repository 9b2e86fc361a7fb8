"""A newcomer's first hour: wrong settings and odd places are answered in words, never by a traceback."""

import functools
import logging
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import Api

from marketplace.config.settings import ROOT
from marketplace.telemetry import text_lines
from marketplace.telemetry.json_lines import JsonFormatter
from tools import bootstrap


def command(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command with these settings alone; its standard input is no terminal."""
    kept = {name: value for name, value in os.environ.items() if "DATABASE_URL" not in name}
    return subprocess.run(
        [sys.executable, "-m", "marketplace", *arguments],
        cwd=ROOT,
        env={**kept, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr + done.stdout
    for word in words:
        assert word in done.stderr, done.stderr


@pytest.mark.parametrize(
    "name",
    ["DATABASE_URL", "MIGRATE_DATABASE_URL", "WORKER_DATABASE_URL", "DATABASE_REPLICA_URL"],
)
def test_an_address_of_another_database_is_refused_by_its_name(tmp_path: Path, name: str):
    given = {"DATABASE_URL": "postgresql://shop@127.0.0.1:1/shop", name: "mysql://user:secret@db/x"}
    done = command("run", DATA_DIR=str(tmp_path), **given)
    refused(done, f"{name} must be postgresql://", "mysql://")
    assert "secret" not in done.stderr


@pytest.mark.parametrize("name", ["run", "migrate", "psql"])
def test_a_database_that_is_away_is_named_with_host_and_port(tmp_path: Path, name: str):
    url = "postgresql://shop@127.0.0.1:1/shop?connect_timeout=2"
    done = command(name, DATABASE_URL=url, DATA_DIR=str(tmp_path))
    refused(done, "DATABASE_URL", "127.0.0.1", "port 1")


@pytest.mark.parametrize("name", ["DATA_DIR", "UPLOADS_DIR"])
@pytest.mark.parametrize("folder", ["/etc/passwd", "/etc/passwd/in", "/proc/nowhere/in"])
def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, name: str, folder: str):
    given = {"DATA_DIR": str(tmp_path), name: folder}
    refused(command("run", **given), f"{name} must be a folder", folder)


def test_a_data_folder_that_cannot_be_made_is_named_where_the_key_is_given():
    done = command("migrate", DATA_DIR="/etc/passwd", SECRET_KEY="k" * 40)
    refused(done, "cannot use /etc/passwd")


@pytest.mark.parametrize("number", ["viele", "0", "-1", "1.5", "99999"])
def test_a_number_of_workers_is_a_number(tmp_path: Path, number: str):
    done = command("run", DATA_DIR=str(tmp_path), WEB_CONCURRENCY=number)
    refused(done, "WEB_CONCURRENCY must be a whole number", number)


def test_an_address_of_another_machine_is_answered_with_bind(tmp_path: Path):
    refused(command("run", BIND="192.0.2.7", DATA_DIR=str(tmp_path)), "BIND", "192.0.2.7")
    refused(command("run", BIND="nowhere.invalid", DATA_DIR=str(tmp_path)), "BIND")


def test_a_port_that_is_taken_is_answered_with_another_port(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = command("run", PORT=port, DATA_DIR=str(tmp_path))
    refused(done, "PORT=", port)


def test_an_admin_is_not_asked_for_a_password_where_there_is_no_terminal(committed: Api):
    arguments = ("create-admin", "--email", "a@example.com", "--name", "A")
    refused(command(*arguments, DATABASE_URL=committed.owner_url), "--password-file")


@pytest.mark.skipif(not shutil.which("setpriv") or os.getuid() != 0, reason="needs root")
def test_data_of_root_are_named_to_somebody_else(tmp_path: Path):
    closed = tmp_path / "data"
    closed.mkdir(mode=0o700)
    (closed / "secret").write_text("x" * 64)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o005 != 0o005:  # never one that is open already: /dev/shm
            folder.chmod(0o755)
    done = subprocess.run(
        [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            sys.executable,
            "-c",
            GUEST,
        ],
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(closed), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "ModuleNotFoundError" in done.stderr or "can't open" in done.stderr:
        pytest.skip("another user cannot read this Python")
    refused(done, str(closed), "chown")


GUEST = (
    "import sys; from marketplace.__main__ import main; sys.exit(main(['openapi', '/dev/null']))"
)


def test_an_interrupted_first_start_says_so(tmp_path: Path):
    (tmp_path / "tools").mkdir()
    script = shutil.copy(ROOT / "tools" / "bootstrap.py", tmp_path / "tools")
    process = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that put the suite in the background has its children ignore Ctrl-C.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Making .venv")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert err.strip() == "Interrupted; the next `make` goes on from here."


def test_psql_is_of_the_servers_version_or_newer(committed: Api):
    done = command("psql", "-l", DATABASE_URL=committed.owner_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "marketplace" in done.stdout


def test_the_host_itself_leads_to_the_page(api: Api):
    answer = api.client.simulate_get("/")
    assert answer.status_code == 302
    assert answer.headers["Location"].endswith("docs")


def test_json_ends_in_a_newline_once(api: Api):
    for path in ("/api/products", "/api/nowhere", "/api/openapi.json", "/healthz"):
        body = api.client.simulate_get(path).content
        assert body.endswith(b"}\n")
        assert not body.endswith(b"\n\n")


@pytest.mark.parametrize(
    ("origin", "may_read"),
    [
        ("http://localhost:5173", True),
        ("http://127.0.0.1:3000", True),
        ("http://[::1]:3000", True),
        ("https://localhost", True),
        ("http://localhost.shop.example", False),
        ("http://localhost:5173.shop.example", False),
        ("null", False),
    ],
)
def test_pages_of_this_machine_may_read_in_development_alone(api: Api, origin: str, may_read: bool):
    served = {**api.config.__dict__, "environment": "production", "public_url": "https://a.example"}
    production = Api(type(api.config)(**served), api.db, api.owner_url)
    sent = {"Origin": origin}
    answer = api.client.simulate_get("/api/products", headers=sent)
    assert answer.headers.get("Access-Control-Allow-Origin") == (origin if may_read else None)
    answer = production.client.simulate_get("/api/products", headers=sent)
    assert "Access-Control-Allow-Origin" not in answer.headers


def record(**extra: object) -> logging.LogRecord:
    made = logging.LogRecord("marketplace.access", logging.INFO, "f", 1, "request", None, None)
    made.__dict__.update(extra)
    return made


def test_a_line_for_people_says_call_status_and_time():
    line = text_lines.TextFormatter().format(
        record(method="GET", route="/api/products", status=200, ms=8.6)
    )
    assert line[8:] == " GET /api/products 200 9 ms"


def test_a_line_for_people_cannot_be_forged():
    made = record()
    made.msg, made.levelno, made.levelname = "a\nb\x1b[2J\u202e", logging.WARNING, "WARNING"
    line = text_lines.TextFormatter().format(made)
    assert line[8:] == " WARNING a\\nb\\x1b[2J\\u202e"


def test_the_form_of_the_log_follows_the_terminal_unless_it_is_chosen(
    monkeypatch: pytest.MonkeyPatch,
):
    primary, secondary = pty.openpty()
    with os.fdopen(secondary, "w") as terminal, os.fdopen(primary):
        monkeypatch.setattr("sys.stderr", terminal)
        monkeypatch.delenv("LOG_FORMAT", raising=False)
        assert isinstance(text_lines.formatter(), text_lines.TextFormatter)
        monkeypatch.setenv("LOG_FORMAT", "json")
        assert isinstance(text_lines.formatter(), JsonFormatter)
    monkeypatch.setattr("sys.stderr", SimpleNamespace(isatty=lambda: False))
    monkeypatch.delenv("LOG_FORMAT")
    assert isinstance(text_lines.formatter(), JsonFormatter)
    monkeypatch.setenv("LOG_FORMAT", "text")
    assert isinstance(text_lines.formatter(), text_lines.TextFormatter)


def test_the_document_says_where_a_token_comes_from(api: Api):
    schemes = api.get("/api/openapi.json").json["components"]["securitySchemes"]
    assert "/api/auth/login" in schemes["bearer"]["description"]


def test_a_half_made_environment_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = tmp_path / ".venv"
    monkeypatch.setattr(bootstrap, "PYTHON", made / "bin" / "python")
    monkeypatch.setattr(bootstrap, "STAMP", made / "installed")
    assert not bootstrap.is_whole()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made)], check=True)
    assert not bootstrap.is_whole()
    (made / "installed").write_text("")
    assert bootstrap.is_whole()


def test_an_index_that_cannot_be_reached_is_said():
    log = "WARNING: Retrying ... NameResolutionError(...)\nERROR: No matching distribution found"
    with pytest.raises(bootstrap.FailedError, match="the package index cannot be reached"):
        bootstrap.refuse("requirements.txt", log)
