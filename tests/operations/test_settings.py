"""Settings work, or the start is refused in words that name the variable."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from marketplace.config import settings
from marketplace.config.env import ConfigError
from marketplace.config.settings import ROOT

WRONG = [
    ("SMTP_URL", "smtp://user:pa#ss@127.0.0.1:587"),
    ("SMTP_URL", "smtp://user:pa/ss@127.0.0.1:587"),
    ("SMTP_URL", "smtp://user:pa?ss@127.0.0.1:587"),
    ("SMTP_URL", "smtp://user:pa@ss@127.0.0.1:587"),
    ("SMTP_URL", "smtp://user:pa ss@127.0.0.1:587"),
    ("SMTP_URL", "smtp://127.0.0.1:mail"),
    ("SMTP_URL", "smtp://127.0.0.1:0"),
    ("SMTP_URL", "smtp://127.0.0.1:70000"),
    ("SMTP_URL", "smtp://user@mail.example"),
    ("SMTP_URL", "smtp://"),
    ("SMTP_URL", "mail.example:587"),
    ("CURRENCY", "JPY"),
    ("CURRENCY", "KWD"),
    ("CURRENCY", "idr"),
    ("CURRENCY", "RUPIAH"),
    ("BIND", "0.0.0.0:80"),
    ("BIND", "http://localhost"),
    ("BIND", "300.1.1.1"),
    ("BIND", "[::1]:80"),
    ("PUBLIC_URL", "shop.example"),
    ("PUBLIC_URL", "https://shop.example?x=1"),
    ("PUBLIC_URL", "https://user@shop.example"),
    ("PUBLIC_URL", "https://:80"),
    ("UPLOADS_URL", "ftp://cdn.example"),
    ("S3_ENDPOINT_URL", "s3.example"),
    ("APP_URL", "shop"),
    ("APP_URL", "https://app.example/#/"),
    ("DATABASE_URL", "mysql://x"),
    ("DATABASE_URL", "shop"),
    ("MIGRATE_DATABASE_URL", "sqlite:///x"),
    ("MAIL_FROM", "Toko"),
    ("MAIL_FROM", "Toko <no-reply@shop.example>\nBcc: x@example.com"),
    ("LOG_LEVEL", "LOUD"),
    ("DRAIN_SECONDS", "soon"),
    ("DRAIN_SECONDS", "61"),
    ("TRUSTED_PROXIES", "nginx"),
    ("IMPORT_NEW_CATEGORIES", "many"),
    ("IMPORT_NEW_CATEGORIES", "-1"),
]


def load(folder: Path, **env: str) -> settings.Config:
    return settings.load({"DATA_DIR": str(folder), **env})


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_can_never_work_is_refused_by_name(tmp_path: Path, name: str, value: str):
    with pytest.raises(ConfigError, match=name) as refused:
        load(tmp_path, **{name: value})
    assert "pa#ss" not in str(refused.value)
    assert "pa/ss" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_URL", "smtp://user:pa%23ss@127.0.0.1:587"),
        ("SMTP_URL", "smtps://mail.example"),
        ("SMTP_URL", "smtp://[::1]:25/"),
        ("CURRENCY", "EUR"),
        ("BIND", "0.0.0.0"),  # noqa: S104 - not bound
        ("BIND", "localhost"),
        ("APP_URL", "shop://open"),
        ("PUBLIC_URL", "https://shop.example:8443/"),
        ("DATABASE_URL", "host=/run/postgresql dbname=shop"),
        ("DATABASE_URL", "postgres://shop@db/shop"),
        ("LOG_LEVEL", "debug"),
        ("DRAIN_SECONDS", "2.5"),
    ],
)
def test_what_works_is_taken(tmp_path: Path, name: str, value: str):
    load(tmp_path, **{name: value})


def test_an_ipv6_address_loses_its_brackets(tmp_path: Path):
    assert load(tmp_path, BIND="[::1]").host == "::1"
    assert load(tmp_path, BIND="::").host == "::"


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        ("::1", "[::1]:8123"), ("[::]", "[::]:8123"), ("127.0.0.1", "127.0.0.1:8123"),
        ("localhost", "localhost:8123"),
    ],
)  # fmt: skip
def test_gunicorn_listens_at_any_kind_of_address(tmp_path: Path, bind: str, expected: str):
    program = (
        "import importlib.util as u; s = u.spec_from_file_location('c', 'gunicorn.conf.py');"
        "m = u.module_from_spec(s); s.loader.exec_module(m); print(m.bind)"
    )
    env = {"BIND": bind, "PORT": "8123", "DATA_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert done.stdout.strip() == expected, done.stderr
    assert importlib.util.find_spec("gunicorn") is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", (20, 200)), ("yes", (20, 200)), ("no", (0, 0)), ("5", (5, 50)), ("7/9", (7, 9))],
)
def test_new_categories_are_numbers(tmp_path: Path, text: str, expected: tuple[int, int]):
    config = load(tmp_path, IMPORT_NEW_CATEGORIES=text)
    assert (config.import_new_categories, config.import_new_categories_store) == expected


@pytest.mark.parametrize("folder", [".", "private", ".."])
def test_private_files_are_not_served(tmp_path: Path, folder: str):
    with pytest.raises(ConfigError, match="UPLOADS_DIR"):
        load(tmp_path / "data", UPLOADS_DIR=str(tmp_path / "data" / folder))
