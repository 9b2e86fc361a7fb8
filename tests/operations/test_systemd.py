"""The shipped units, judged by systemd itself. Skipped where it is not installed."""

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import created

from marketplace.config.settings import ROOT

UNITS = ROOT / "deploy" / "systemd"
ANALYZE = shutil.which("systemd-analyze")
ACTIVATE = shutil.which("systemd-socket-activate")
pytestmark = pytest.mark.skipif(ANALYZE is None, reason="systemd is not installed")
#: systemd calls what is below 2 "OK"; a service that talks to a network cannot be much lower.
EXPOSURE = 2.0


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units with the paths of this checkout: systemd wants to see the programs."""
    for file in UNITS.iterdir():
        text = file.read_text().replace("/srv/marketplace/app/.venv/bin/python", sys.executable)
        (tmp_path / file.name).write_text(text.replace("/srv/marketplace/app", str(ROOT)))
    return tmp_path


def analyzed(*words: str | Path) -> str:
    assert ANALYZE is not None
    done = subprocess.run([ANALYZE, *words], capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


def test_systemd_takes_every_unit_without_a_word(units: Path):
    said = analyzed("verify", "--man=no", *sorted(units.iterdir()))
    about_ours = [
        line for line in said.splitlines() if "marketplace" in line and "User" not in line
    ]
    assert about_ours == [], said


@pytest.mark.parametrize("name", sorted(file.name for file in UNITS.glob("*.service")))
def test_services_may_do_little_more_than_they_need(units: Path, name: str):
    said = analyzed("security", "--offline=true", "--no-pager", units / name)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    if found is None:
        pytest.skip("this systemd does not judge files")
    assert float(found[1]) <= EXPOSURE, said


def test_every_program_a_unit_starts_is_there():
    for file in UNITS.glob("*.service"):
        (command,) = re.findall(r"^ExecStart=(.*)$", file.read_text(), re.MULTILINE)
        words = command.split()
        assert words[0] == "/srv/marketplace/app/.venv/bin/python"
        assert words[1:3] in (["-m", "gunicorn"], ["-m", "marketplace"])


@pytest.mark.skipif(ACTIVATE is None, reason="systemd-socket-activate is not installed")
def test_the_api_takes_the_socket_systemd_opens_and_tells_it_when_it_is_ready(
    owner_url: str, template: str, tmp_path: Path
):
    (command,) = re.findall(
        r"^ExecStart=(.*)$", (UNITS / "marketplace-api.service").read_text(), re.MULTILINE
    )
    words = command.replace("/srv/marketplace/app/.venv/bin/python", sys.executable).split()
    words = [
        word.replace("/srv/marketplace/app/gunicorn.conf.py", "gunicorn.conf.py") for word in words
    ]
    listening, told = tmp_path / "api.sock", tmp_path / "notify.sock"
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(told))
    notify.settimeout(20)
    with created(owner_url, f"{template}_socket", template) as url:
        settings = {
            "DATABASE_URL": url, "DATA_DIR": str(tmp_path / "data"), "UPLOADS_DIR": str(tmp_path / "uploads"),
            "SECRET_KEY": "k" * 40, "WEB_CONCURRENCY": "1", "NOTIFY_SOCKET": str(told), "PATH": os.environ["PATH"],
        }  # fmt: skip
        passed = [word for name, value in settings.items() for word in ("-E", f"{name}={value}")]
        assert ACTIVATE is not None
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                [ACTIVATE, "-l", str(listening), *passed, *words], cwd=ROOT, env={**os.environ, **settings},
                stdout=log, stderr=log,
            )  # fmt: skip
        try:
            for _ in range(100):
                if listening.exists():
                    break
                time.sleep(0.05)
            conn = http.client.HTTPConnection("localhost", timeout=20)
            conn.sock = socket.socket(socket.AF_UNIX)
            conn.sock.connect(str(listening))
            conn.request("GET", "/healthz")
            assert conn.getresponse().status == 200, (tmp_path / "log").read_text()
            assert b"READY=1" in notify.recv(4096)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            notify.close()
