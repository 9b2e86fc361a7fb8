"""The audit of packages finds what is not pinned."""

from pathlib import Path

from marketplace.config.settings import ROOT
from tools import audit


def test_everything_installed_here_is_pinned_with_a_hash():
    assert audit.unpinned(ROOT) == []


def test_what_is_pinned_otherwise_or_without_a_hash_is_named(tmp_path: Path):
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert "falcon==" in text
    (tmp_path / "requirements.txt").write_text(
        "falcon==0.1 \\\n    --hash=sha256:00\ngunicorn==1.0\n"
    )
    wrong = audit.unpinned(tmp_path)
    assert any(line.startswith("falcon ") and line.endswith("is not pinned: 0.1") for line in wrong)
    assert any(line.startswith("gunicorn ") and line.endswith("nowhere") for line in wrong)
