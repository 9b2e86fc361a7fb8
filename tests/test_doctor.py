"""What the doctor says of a host that is well, and of one that is not."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from conftest import Api, created, database
from psycopg.conninfo import make_conninfo

from marketplace import checkups
from marketplace.checkups import Finding
from marketplace.commands import doctor
from marketplace.config import Config

Look = Callable[[Config], Iterator[Finding]]


def states(look: Look, config: Config, word: str) -> list[str]:
    return [finding.state for finding in look(config) if word in finding.words]


@pytest.fixture
def well(committed: Api) -> Config:
    config = replace(committed.config, trusted_proxies=("unix",), bcrypt_cost=12, pool_size=2)
    for folder in (config.data_dir, config.uploads_dir):
        folder.mkdir(parents=True, exist_ok=True)
    (config.data_dir / "secret").write_text("x" * 40)
    (config.data_dir / "secret").chmod(0o600)
    return config


def test_of_a_host_that_is_well_nothing_is_wrong(well: Config):
    found = [finding for look in doctor.LOOKS for finding in look(well)]
    wrong = [words.split()[0] for state, words in found if state == "wrong"]
    assert set(wrong) <= {"fsync", "full_page_writes", "synchronous_commit"}, "off in tests, which may lose data"
    assert any(words.startswith("PostgreSQL 1") for _, words in found)
    assert any("all migrations" in words for _, words in found)
    assert states(doctor.server, well, "no worker") == ["unwise"]
    assert states(doctor.databases, well, "owns the tables; a login") == ["unwise", "unwise"]


def test_settings_that_are_unsafe_are_wrong_in_production(well: Config):
    bad = replace(
        well, environment="production", public_url="http://shop.example", trusted_proxies=(), bcrypt_cost=6,
        cors_origins=("*",), rate_limits={},
    )  # fmt: skip
    for word, state in {"PUBLIC_URL": "wrong", "TRUSTED_PROXIES": "wrong", "BCRYPT_COST": "wrong"}.items():
        assert states(checkups.environment, bad, word) == [state]
    assert states(checkups.environment, bad, "CORS_ORIGINS") == ["unwise"]
    assert states(checkups.environment, bad, "RATE_LIMITS") == ["unwise"]


def test_folders_must_be_there_and_secrets_be_secret(well: Config, tmp_path: Path):
    (well.data_dir / "secret").chmod(0o644)
    assert states(checkups.folders, well, "can be read by others") == ["wrong"]
    assert states(checkups.folders, replace(well, uploads_dir=tmp_path / "nowhere"), "UPLOADS_DIR") == ["wrong"]


def test_a_database_that_is_away_or_behind_is_wrong(well: Config, owner_url: str):
    away = replace(well, database_url="host=127.0.0.1 port=9 dbname=x")
    assert "wrong" in states(doctor.databases, away, "DATABASE_URL: ")
    assert list(doctor.server(away)) == []
    with created(owner_url, "marketplace_doctor_empty") as url:
        empty = replace(well, database_url=url, worker_database_url=url, migrate_database_url=url)
        assert states(doctor.databases, empty, "migrations wait") == ["wrong"]


def test_logins_that_are_too_much_or_too_little(well: Config, owner_url: str):
    name = "marketplace_doctor_login"
    with psycopg.connect(owner_url, autocommit=True) as conn:
        conn.execute(f"DROP ROLE IF EXISTS {name}")
        conn.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
        try:
            url = make_conninfo(database(well.database_url, conn.info.dbname), user=name, password="x")
            url = make_conninfo(url, dbname=psycopg.conninfo.conninfo_to_dict(well.database_url)["dbname"])
            config = replace(well, database_url=url)
            assert states(doctor.databases, config, "is no member of marketplace_app") == ["wrong"]
            conn.execute(f"GRANT marketplace_app TO {name}")
            assert states(doctor.databases, config, f"DATABASE_URL: {name}") == ["ok"]
        finally:
            conn.execute(f"DROP ROLE {name}")


def test_a_mail_server_that_does_not_answer_is_wrong(well: Config):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert states(checkups.mail, replace(well, smtp_url=f"smtp://127.0.0.1:{port}"), "SMTP_URL") == ["wrong"]


def test_the_command_counts_and_judges(
    well: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(doctor.configuration, "load", lambda: well)
    monkeypatch.setattr(doctor, "LOOKS", (lambda config: iter([Finding("ok", "one"), Finding("unwise", "two")]),))
    assert doctor.run(doctor.argparse.Namespace()) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 things looked at, 0 wrong, 1 unwise"
    monkeypatch.setattr(doctor, "LOOKS", (lambda config: iter([Finding("wrong", "three")]),))
    assert doctor.run(doctor.argparse.Namespace()) == 1
