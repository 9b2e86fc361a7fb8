"""The image and compose.yaml, as far as they can be judged without an engine: paths, commands,
settings, secrets.

What the Dockerfile copies is copied, and does its work; what PostgreSQL's image would run once is
run on a server.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg.conninfo import make_conninfo

from marketplace.config.settings import ROOT
from marketplace.postgres.embedded import server as embedded_server

DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("migrate", "api", "worker")
HOME = "/srv/marketplace/app"


def copied() -> dict[str, str]:
    """What the last stage takes from the checkout, and where it lies in the image."""
    found = {}
    for words in re.findall(
        r"^COPY (?!--from)(.*)$", DOCKERFILE.rpartition("\nFROM ")[2], re.MULTILINE
    ):
        *sources, to = words.split()
        found |= {source: Path(source).name if to == "./" else to for source in sources}
    return found


def commands() -> list[list[str]]:
    """Every command of the image and of our services."""
    images = [
        json.loads(each)
        for each in re.findall(r"^(?:.*--\S+ )?CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    ]
    return [*images, *(SERVICES[name]["command"] for name in OURS if "command" in SERVICES[name])]


def test_everything_the_image_copies_is_there_and_let_through():
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    stages = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    for source in {word for words in stages for word in words.split()}:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignored, f".dockerignore keeps {source} out"
    assert "*" in ignored, "nothing else goes to the engine"


def test_packages_are_held_against_their_hashes_and_nobody_is_root():
    assert "--require-hashes" in DOCKERFILE
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)


def test_every_command_exists():
    for words in commands():
        assert words[0] == "python"
        if words[1] != "-m":
            assert words[1] in copied().values()
        elif words[2] == "marketplace":
            assert (ROOT / "marketplace" / "commands" / f"{words[3]}.py").exists()
        else:
            assert words[2] == "gunicorn"
            assert words[4] in copied().values()


def test_every_path_and_secret_of_compose_exists():
    for name, service in SERVICES.items():
        for volume in service["volumes"]:
            source, target, *_ = volume.split(":")
            if source.startswith(".") and "secrets" not in source:
                assert (DEPLOY / source).exists(), source
            elif not source.startswith("."):
                assert source in COMPOSE["volumes"]
            assert Path(target).is_absolute()
        for secret in service.get("secrets", []):
            assert secret in COMPOSE["secrets"], f"{name}: {secret}"


def test_every_setting_of_compose_is_one_and_every_secret_it_names_is_given():
    source = (ROOT / "marketplace" / "config" / "settings.py").read_text() + (
        ROOT / "gunicorn.conf.py"
    ).read_text()
    for name in OURS:
        for key, value in SERVICES[name]["environment"].items():
            assert f'"{key.removesuffix("_FILE")}"' in source, key
            if key.endswith("_FILE"):
                assert Path(value).name in SERVICES[name]["secrets"], f"{name}: {value}"
        if name != "migrate":
            assert "migrate_database_url" not in SERVICES[name]["secrets"], (
                "the owner's login is not for services"
            )


def test_services_are_given_the_time_they_need_to_stop():
    for name in ("api", "worker"):
        unit = (DEPLOY / "systemd" / f"marketplace-{name}.service").read_text()
        assert f"TimeoutStopSec={SERVICES[name]['stop_grace_period'].rstrip('s')}\n" in unit


def test_nginx_finds_everything_where_its_configuration_says():
    text = "".join(file.read_text() for file in (DEPLOY / "nginx").glob("*.conf"))
    targets = {volume.split(":")[1] for volume in SERVICES["nginx"]["volumes"]}
    for path in (
        "/etc/nginx/marketplace",
        "/srv/marketplace/uploads",
        "/run/marketplace",
        "/etc/ssl/marketplace",
    ):
        assert path in text
        assert path in targets
    assert SERVICES["api"]["environment"]["GUNICORN_BIND"] in text


@pytest.mark.skipif(not shutil.which("hadolint"), reason="hadolint is not installed")
def test_hadolint_has_nothing_to_say():
    done = subprocess.run(["hadolint", DEPLOY / "Dockerfile"], capture_output=True, text=True)
    assert done.stdout + done.stderr == ""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What would be in the image, but for Python."""
    folder = tmp_path_factory.mktemp("image")
    for source, to in copied().items():
        (shutil.copytree if (ROOT / source).is_dir() else shutil.copy)(ROOT / source, folder / to)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A server that compose-database.sh has been run on; addresses of the logins."""
    folder = tmp_path_factory.mktemp("database")
    folder.chmod(0o755)
    logins = {"migrate_database_url": "owner", "database_url": "api", "worker_database_url": "jobs"}
    for name, login in logins.items():
        (folder / name).write_text(
            f"postgresql://marketplace_{login}:secret-{login}@db/marketplace\n"
        )
    script = (DEPLOY / "compose-database.sh").read_text()
    script = script.replace("/run/secrets", str(folder)).replace(HOME, str(ROOT))
    server = embedded_server.start(folder / "pg")
    try:
        superuser = server.dsn("postgres", "postgres")
        host = dict(part.split("=", 1) for part in superuser.split())
        env = {
            "PATH": f"{server.bin('.')}:{os.environ['PATH']}",
            "PGHOST": host["host"],
            "PGPORT": host["port"],
        }
        subprocess.run(["sh", "-c", script], env=env, check=True, timeout=60)
        with psycopg.connect(superuser) as conn:
            conn.execute("SELECT 1")
        yield {login: make_conninfo(superuser, user=f"marketplace_{login}", dbname="marketplace") for login in
               logins.values()}  # fmt: skip
    finally:
        server.stop()


def test_what_the_image_has_migrates_serves_and_is_well(
    image: Path, made: dict[str, str], tmp_path: Path
):
    env = {
        "PATH": os.environ["PATH"], "DATABASE_URL": made["api"], "WORKER_DATABASE_URL": made["jobs"],
        "MIGRATE_DATABASE_URL": made["owner"], "DATA_DIR": str(tmp_path / "data"), "SECRET_KEY": "k" * 40,
        "UPLOADS_DIR": str(tmp_path / "uploads"), "GUNICORN_BIND": f"unix:{tmp_path}/api.sock", "WEB_CONCURRENCY": "1",
    }  # fmt: skip
    migrate, *rest = [words[1:] for words in commands() if "migrate" in words]
    assert rest == []
    subprocess.run(
        [sys.executable, *migrate], cwd=image, env=env, check=True, stdout=subprocess.DEVNULL
    )
    (serve,) = (words[1:] for words in commands() if "gunicorn" in words)
    (look,) = (words[1:] for words in commands() if "healthcheck.py" in words)

    def well() -> bool:
        return (
            subprocess.run(
                [sys.executable, *look], cwd=image, env=env, stderr=subprocess.DEVNULL
            ).returncode
            == 0
        )

    assert not well()
    process = subprocess.Popen(
        [sys.executable, *serve], cwd=image, env=env, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 20
        while not well():
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
