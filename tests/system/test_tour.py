"""An installed wheel in an empty folder: it starts, and docs/tour.md is true of it, word for word."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import Parser
from pathlib import Path

import pytest
from support import documents

from marketplace.config.settings import ROOT

pytest.importorskip("build", reason="what makes a release is not installed: make ready-release")
TOUR = ROOT / "docs" / "tour.md"
API = ROOT / "docs" / "api.md"
#: What somebody new pastes from it, one after the other.
STEPS = ("Quick start", "Buying", "Paying", "From paid to completed")
pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True, timeout=120)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def room() -> Iterator[Path]:
    """A folder that PostgreSQL's own user can read, too."""
    with tempfile.TemporaryDirectory(
        prefix="marketplace-wheel-", ignore_cleanup_errors=True
    ) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def program(wheel: Path, room: Path) -> str:
    """The command of the wheel, in an environment that has what it needs and nothing of this
    checkout.
    """
    env = room / "env"
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, str(env)], check=True)
    install = [*uv, "pip", "install", "-q", "--offline", "--no-deps", "--python", str(env)]
    subprocess.run([*install, str(wheel)], check=True)
    (packages,) = env.glob("lib/python*/site-packages")
    others = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "others.pth").write_text("\n".join(others) + "\n")
    return str(env / "bin" / "marketplace")


def environment(**settings: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if "DATABASE_URL" not in name and name not in ("DATA_DIR", "UPLOADS_DIR", "PYTHONPATH")
    }
    return {**kept, **settings}


class Shop:
    """`marketplace run` in an empty folder, and what it prints."""

    def __init__(self, program: str, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        folder.mkdir(mode=0o755)
        self.folder, self.lines = folder, list[str]()
        self.log = (folder.parent / "log").open("wb")
        self.process = subprocess.Popen(
            [program, "run"],
            cwd=folder,
            env=environment(PORT=str(self.port)),
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if "Ctrl-C" in line:
                break
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(60)
        finally:
            self.log.close()


@contextmanager
def serving(program: str, folder: Path) -> Iterator[Shop]:
    """One for the length of the block; Ctrl-C ends it."""
    shop = Shop(program, folder)
    try:
        yield shop
    finally:
        assert shop.stop() == 0


def run(program: str, folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *words],
        cwd=folder,
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_wheel_has_the_sql_and_what_the_page_is_made_of(wheel: Path):
    names = set(zipfile.ZipFile(wheel).namelist())
    for part in ("migrations", "queries", "admin"):
        wanted = {
            f"marketplace/sql/{part}/{path.name}" for path in (ROOT / "sql" / part).glob("*.sql")
        }
        assert wanted
        assert wanted <= names
    assert "marketplace/gunicorn.conf.py" in names
    assert "marketplace/static/swagger_ui/start.js" in names
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"marketplace"}


def test_the_wheel_needs_what_requirements_name(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        needed = Parser().parsestr(archive.read(name).decode()).get_all("Requires-Dist")
    for file, extra in (
        ("requirements.in", None),
        ("requirements-embedded.in", "embedded"),
        ("requirements-s3.in", "s3"),
    ):
        lines = (ROOT / file).read_text().splitlines()
        listed = {re.split(r"[<>=;#\s]", line)[0].lower() for line in lines if line[:1] not in "#"}
        named = {
            re.split(r"[<>=;\s]", each)[0].lower()
            for each in needed
            if (f"extra == '{extra}'" in each if extra else "extra ==" not in each)
        }
        assert named == listed, file


def it_starts_as_the_tour_shows(shop: Shop) -> None:
    page = TOUR.read_text()
    shown = page.split("```console\n", 1)[1].split("```", 1)[0]
    assert documents.same(shown, "".join(shop.lines)), "".join(shop.lines)
    assert (shop.folder / ".data" / "demo-logins.txt").exists()
    assert "make " not in "".join(shop.lines)


def the_first_steps_of_the_api_page_succeed(shop: Shop) -> None:
    """In a new demo shop, as its numbers are those of the page: from an account to a balance."""
    told = [block for block in documents.blocks(API) if block.is_run and block.heading in STEPS]
    assert {block.heading for block in told} == set(STEPS)
    strict = 'curl() { command curl --fail-with-body "$@"; }\n'
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail"],
        input=strict + "".join(block.commands for block in told),
        env=environment(B=f"http://127.0.0.1:{shop.port}"),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["balance"] == "179000.00", last


def every_block_does_what_it_says(shop: Shop, tmp_path: Path) -> None:
    """All blocks in one shell, as a reader pastes them."""
    told = [block for block in documents.blocks(TOUR) if block.is_run]
    assert len(told) >= 8
    script = "".join(f"{block.commands}echo '== {block.line}'\n" for block in told)
    done = subprocess.run(
        ["bash", "-e"],
        input=script,
        env=environment(B=f"http://127.0.0.1:{shop.port}", TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    parts = re.split(r"== (\d+)\n", done.stdout)
    came = dict(zip(map(int, parts[1::2]), parts[::2], strict=False))
    last = f"{parts[-1]}{done.stderr}"
    other = [
        f"line {block.line}: {came.get(block.line, last)}"
        for block in told
        if block.line not in came or not documents.same(block.output or "", came[block.line])
    ]
    assert not other, "\n".join(other)


def messages_name_the_command(program: str, shop: Shop, tmp_path: Path) -> None:
    (usage,) = run(program, tmp_path).stdout.splitlines()[:1]
    assert usage == "usage: marketplace NAME [--help] ..."
    taken = run(program, tmp_path, "run", PORT=str(shop.port))
    assert taken.returncode == 1
    assert taken.stderr.endswith("choose another: PORT=8001 marketplace run.\n")
    assert not list(tmp_path.glob(".data/pg*"))


def users_are_found_and_suspended(program: str, shop: Shop) -> None:
    found = run(program, shop.folder, "users", "find", "budi@demo")
    assert found.returncode == 0, found.stderr
    user_id, role, state, email, *_ = found.stdout.split()
    assert (role, state, email) == ("seller", "active", "budi@demo.example")
    assert " suspended " in run(program, shop.folder, "users", "suspend", email).stdout
    assert " active " in run(program, shop.folder, "users", "reinstate", user_id).stdout
    assert (
        run(program, shop.folder, "users", "role", "nobody@demo.example", "buyer").returncode == 1
    )


def what_the_last_lines_name_works(program: str, shop: Shop) -> None:
    """The commands behind the last heading, in the folder of the shop."""
    named = re.findall(r"`marketplace ([^`]+)`", TOUR.read_text().split("\n## Go on\n", 1)[1])
    shown = {
        words: subprocess.run(
            [program, *words.split()],
            cwd=shop.folder,
            env=environment(),
            input="SELECT stage FROM orders;\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        for words in named
    }
    assert set(shown) == {"psql", "backup", "users find sari"}
    assert " completed\n" in shown["psql"]
    assert list(shop.folder.glob("backups/*/manifest.json")), shown["backup"]
    assert " sari@example.com " in shown["users find sari"]


def the_sql_is_copied_out_and_used(program: str, tmp_path: Path) -> None:
    copy = tmp_path / "ours"
    made = run(program, tmp_path, "sql-copy", str(copy))
    assert made.returncode == 0, made.stderr
    assert f"SQL_DIR={copy} marketplace run" in made.stdout
    assert (copy / "gunicorn.conf.py").exists()
    again = run(program, tmp_path, "sql-copy", str(copy))
    assert (again.returncode, "not empty" in again.stderr) == (1, True)

    brands = copy / "queries" / "brands.sql"
    brands.write_text(brands.read_text().replace("FROM brands", "FROM brands /* ours */"))
    shown = run(program, tmp_path, "statement", "brands.find", SQL_DIR=str(copy))
    assert "/* ours */" in shown.stdout, shown
    assert "/* ours */" not in run(program, tmp_path, "statement", "brands.find").stdout
    brands.write_text(re.sub(r"-- name: find\n", "-- name: found\n", brands.read_text(), count=1))
    refused = run(program, tmp_path, "statement", "brands.list", SQL_DIR=str(copy))
    assert refused.returncode == 1
    assert f"SQL_DIR={copy} lacks find in queries/brands.sql" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_installed_wheel_takes_the_whole_tour(program: str, room: Path, tmp_path: Path):
    """One server for all of it: that is what costs."""
    with serving(program, room / "shop") as shop:
        it_starts_as_the_tour_shows(shop)
        the_first_steps_of_the_api_page_succeed(shop)
        every_block_does_what_it_says(shop, tmp_path)
        messages_name_the_command(program, shop, tmp_path)
        users_are_found_and_suspended(program, shop)
        what_the_last_lines_name_works(program, shop)
    the_sql_is_copied_out_and_used(program, tmp_path)
