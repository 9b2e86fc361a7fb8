"""The image, built by buildah without an engine: its programs migrate, serve, work and are well.

Needs root and buildah, and the base that `make image` makes once; else it skips. A build by docker
and compose.yaml stay untried.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import created
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support.server import KEY

from marketplace.config.settings import ROOT

pytestmark = pytest.mark.alone  # it builds: seconds of both cores
BASE = "localhost/debian-python:trixie"
TAG = "localhost/marketplace-tried"


def buildah(*words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["buildah", *words], capture_output=True, text=True, check=False, **more)


@pytest.fixture(scope="module")
def image() -> str:
    """The image of this checkout. Layers that have not changed are kept from the last time."""
    if os.geteuid() != 0 or not shutil.which("buildah"):
        pytest.skip("needs root and buildah (apt-get install buildah debootstrap)")
    if buildah("inspect", "--type", "image", BASE).returncode != 0:
        pytest.skip(f"{BASE} is not here: make image")
    command = [sys.executable, "deploy/image.py", "--with", "buildah", "--tag", TAG, "--layers"]
    done = subprocess.run(
        [*command, *packages()], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return TAG


def packages() -> list[str]:
    """Options that show the build this machine's configuration of pip, and the folders it names."""
    command = [sys.executable, "-m", "pip", "config", "debug"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    there = [line.split(",")[0].strip() for line in listed.splitlines() if "exists: True" in line]
    folders = [
        word.removeprefix("file://").strip("'\"")
        for name in there
        for word in Path(name).read_text().split()
        if word.removeprefix("file://").startswith("/")
    ]
    wanted = [Path(name) for name in (*there, *folders)]
    mounts = sorted(
        {path.parent if path.name == "simple" else path for path in wanted if path.exists()}
    )
    return [f"--volume={path}:{path}:ro" for path in mounts]


@contextmanager
def over_tcp(url: str) -> Iterator[str]:
    """The address of a database for users who cannot reach the folder of its socket."""
    known = conninfo_to_dict(url)
    file = f"{known['host']}/.s.PGSQL.{known.get('port') or 5432}"

    def pump(source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)

    def serve() -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:  # closed
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(file)
            for pair in ((client, server), (server, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, daemon=True).start()
    try:
        port = str(listening.getsockname()[1])
        yield make_conninfo(
            url, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable"
        )
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


@pytest.fixture
def run(
    image: str, owner_url: str, template: str, tmp_path: Path
) -> Iterator[Callable[..., list[str]]]:
    """A container, and the command line that runs something in it, with a database of its own."""
    container = buildah("from", "--pull-never", image).stdout.strip()
    assert container
    with created(owner_url, f"{template}_image", template) as url, over_tcp(url) as address:
        settings = {
            "DATABASE_URL": address, "SECRET_KEY": KEY, "PUBLIC_URL": "https://shop.example", "SMTP_URL": "smtp://127.0.0.1:1",
            "GUNICORN_BIND": f"unix:/run/marketplace/{template}.sock", "WEB_CONCURRENCY": "1",
        }  # fmt: skip
        options = ["--isolation=chroot", "--user=10001:10001"]
        options += [f"--env={name}={value}" for name, value in settings.items()]
        yield lambda *words: ["buildah", "run", *options, container, "--", *words]
    buildah("rm", container)


def words_of(image: str) -> tuple[list[str], list[str]]:
    """What the image starts, and how it checks its health."""
    found = json.loads(buildah("inspect", "--type", "image", image).stdout)
    health = next(
        line
        for line in (ROOT / "deploy" / "Dockerfile").read_text().splitlines()
        if "HEALTHCHECK" in line
    )
    return found["OCIv1"]["config"]["Cmd"], json.loads(health.partition(" CMD ")[2])


def test_the_image_migrates_serves_works_and_is_well(
    image: str, run: Callable[..., list[str]], tmp_path: Path
):
    serve, look = words_of(image)

    def well() -> bool:
        return subprocess.run(run(*look), capture_output=True, check=False).returncode == 0

    migrated = subprocess.run(
        run("marketplace", "migrate"), capture_output=True, text=True, check=False
    )
    assert (migrated.returncode, migrated.stdout) == (0, "The database is up to date.\n"), (
        migrated.stderr
    )
    assert not well()
    user = subprocess.run(run("id", "-u"), capture_output=True, text=True, check=True).stdout
    assert user == "10001\n"
    processes = []
    try:
        for name, words in (("api", serve), ("worker", ["marketplace", "worker"])):
            with (tmp_path / name).open("wb") as log:
                processes.append(subprocess.Popen(run(*words), stdout=log, stderr=log))
        deadline = time.monotonic() + 40
        while not well():
            assert time.monotonic() < deadline, (tmp_path / "api").read_text()[-2000:]
            time.sleep(0.5)
        assert [process.poll() for process in processes] == [None, None], (
            tmp_path / "worker"
        ).read_text()
        (address,) = (each.split("=", 2)[2] for each in run() if "DATABASE_URL" in each)
        with psycopg.connect(address) as conn:
            beats = conn.execute("SELECT count(*) FROM jobs.procrastinate_workers").fetchone()
        assert beats != (0,), "the worker has no queue"
    finally:
        for process in processes:
            process.terminate()
            process.wait(40)
