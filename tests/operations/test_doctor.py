"""What the doctor says of a host that is well, and of one that is not."""

import argparse
import contextlib
import functools
import http.server
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest
from conftest import Api, created, database
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from psycopg.conninfo import make_conninfo

from marketplace.commands import doctor
from marketplace.config.settings import Config
from marketplace.ops import checks, payment_checks
from marketplace.ops.findings import Finding

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
    found = [finding for check in doctor.CHECKS for finding in check(well)]
    wrong = [words.split()[0] for state, words in found if state == "wrong"]
    assert set(wrong) <= {"fsync", "full_page_writes", "synchronous_commit"}, (
        "off in tests, which may lose data"
    )
    assert any(words.startswith("PostgreSQL 1") for _, words in found)
    assert any("all migrations" in words for _, words in found)
    assert states(doctor.server, well, "no worker") == ["warning"]
    assert states(doctor.databases, well, "owns the tables; a login") == ["warning", "warning"]


def test_settings_that_are_unsafe_are_wrong_in_production(well: Config):
    bad = replace(
        well, environment="production", public_url="http://shop.example", trusted_proxies=(), bcrypt_cost=6,
        cors_origins=("*",), rate_limits={},
    )  # fmt: skip
    for word, state in {
        "PUBLIC_URL": "wrong",
        "TRUSTED_PROXIES": "wrong",
        "BCRYPT_COST": "wrong",
    }.items():
        assert states(checks.environment, bad, word) == [state]
    assert states(checks.environment, bad, "CORS_ORIGINS") == ["warning"]
    assert states(checks.environment, bad, "RATE_LIMITS") == ["warning"]


def test_what_a_payment_provider_lacks_is_said(well: Config):
    key = {
        "midtrans_server_key": "SB-Mid-server-1",
        "midtrans_url": "https://api.sandbox.midtrans.com",
    }
    methods = {"payment_methods": ("midtrans", "cod")}
    sandbox = replace(
        well, environment="production", public_url="http://shop.example", **key, **methods
    )
    for word, state in {
        "sandbox": "wrong",
        "PUBLIC_URL": "wrong",
        "RETURN_URLS": "warning",
        "OPERATOR_EMAIL": "warning",
    }.items():
        assert states(payment_checks.payments, sandbox, word) == [state]
    good = replace(
        sandbox,
        public_url="https://shop.example",
        midtrans_server_key="Mid-server-1",
        midtrans_url="https://api.midtrans.com",
        return_url_schemes=("tokoku",),
        operator_email="ops@shop.example",
    )
    assert [state for state, _ in payment_checks.payments(good)] == ["ok"]
    assert states(
        payment_checks.payments, replace(well, payment_methods=("cod",)), "nobody can pay"
    ) == ["warning"]


def test_a_fee_on_top_is_said(well: Config, committed: Api):
    plain = {"order_id": "A.1", "gross_amount": "44000.00"}
    info = {"extra_info": {"gross_amount_info": {"original_amount": "40000.00"}}}
    bodies = [plain, {**plain, "metadata": info}, {**plain, "gross_amount": "x"}]
    config = replace(well, midtrans_server_key="Mid-server-1")
    with psycopg.connect(committed.owner_url) as conn:
        for number, body in enumerate(bodies):
            conn.execute(
                "INSERT INTO provider_callbacks (provider, key, subject, body)"
                " VALUES ('midtrans', %s, 'A.1', %s)",
                [str(number), json.dumps(body).encode()],
            )
    assert states(doctor.told, config, "gross amount of 1 of its newest 3") == ["warning"]
    assert list(doctor.told(well)) == []
    assert list(payment_checks.fees([json.dumps(plain).encode(), b"{"])) == []


def test_folders_must_be_there_and_secrets_be_secret(well: Config, tmp_path: Path):
    (well.data_dir / "secret").chmod(0o644)
    assert states(checks.folders, well, "can be read by others") == ["wrong"]
    assert states(
        checks.folders, replace(well, uploads_dir=tmp_path / "nowhere"), "UPLOADS_DIR"
    ) == ["wrong"]


def test_secrets_may_be_read_by_the_services_group_but_not_written(well: Config):
    secret = well.data_dir / "secret"
    secret.chmod(0o640)
    assert states(checks.folders, well, "can be") == []
    secret.chmod(0o660)
    assert states(checks.folders, well, "written by its group") == ["wrong"]


def test_the_socket_must_be_there_and_nginx_be_let_in(
    well: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "api.sock"
    monkeypatch.setenv("GUNICORN_BIND", f"unix:{path}")
    assert states(checks.listening, well, "marketplace-api.socket") == ["wrong"]
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        path.chmod(0o600)
        monkeypatch.setattr(checks, "NGINX_USERS", ("nobody",))
        assert states(checks.listening, well, "may not connect") == ["wrong"]
        path.chmod(0o666)
        assert states(checks.listening, well, "nginx's way in") == ["ok"]


@pytest.mark.parametrize(
    ("days", "trusted", "state"),
    [(60, True, "ok"), (5, True, "wrong"), (-1, True, "wrong"), (60, False, "warning")],
)
def test_certificates_that_end_soon_are_wrong(
    well: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    days: int,
    trusted: bool,
    state: str,
):
    config = replace(well, public_url=f"https://localhost:{served_with_tls(tmp_path, days)}")
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    assert states(checks.certificate, config, "PUBLIC_URL") == [state]


def served_with_tls(folder: Path, days: int) -> int:
    """A port where one handshake is made with a certificate that lasts so many days."""
    now = datetime.now(timezone.utc)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = x509.CertificateBuilder(
        name, name, key.public_key(), 1, now - timedelta(9), now + timedelta(days, 60)
    )
    made = made.add_extension(
        x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False
    )
    certificate = made.sign(key, hashes.SHA256())
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with (
            listening,
            contextlib.suppress(OSError),
            context.wrap_socket(listening.accept()[0], server_side=True),
        ):
            pass

    threading.Thread(target=serve, daemon=True).start()
    return int(listening.getsockname()[1])


def test_uploads_are_fetched_as_phones_fetch_them(well: Config):
    handler = functools.partial(Quiet, directory=str(well.uploads_dir))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        right = replace(well, uploads_url=f"http://127.0.0.1:{server.server_port}")
        assert states(checks.uploads, right, "uploads are served at") == ["ok"]
        wrong = replace(well, uploads_url=f"http://127.0.0.1:{server.server_port}/elsewhere")
        assert states(checks.uploads, wrong, "404") == ["wrong"]
        server.shutdown()
    assert states(checks.uploads, right, "cannot be seen from here") == ["warning"]
    assert not list((well.uploads_dir / "doctor").iterdir()), "nothing is left behind"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


def test_what_answers_something_else_is_told_and_nothing_is_left_behind(
    well: Config, tmp_path: Path
):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def speak() -> None:
            with listening.accept()[0] as conn:
                conn.sendall(b"SSH-2.0-other\r\n")
                conn.recv(1000)

        threading.Thread(target=speak, daemon=True).start()
        other = replace(well, uploads_url=f"http://127.0.0.1:{port}")
        assert states(checks.uploads, other, "SSH-2.0-other") == ["warning"]
    assert [path for path in well.uploads_dir.rglob("*") if path.is_file()] == []
    assert list(checks.uploads(replace(well, uploads_dir=tmp_path / "nowhere"))) == []
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("url", ["https://127.0.0.1:99999", "https://[::1"])
def test_an_address_that_is_none_is_wrong_and_the_rest_is_looked_at(
    well: Config, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(doctor.settings, "load", lambda: replace(well, public_url=url))
    assert doctor.run(argparse.Namespace()) == 1
    said = capsys.readouterr().out
    assert "wrong   certificate: a setting cannot be read" in said
    assert "all migrations" in said


def test_backups_are_missed(well: Config):
    made = well.data_dir / "last-backup"
    made.unlink(missing_ok=True)
    assert states(checks.backups, well, "no backup") == ["warning"]
    made.touch()
    assert states(checks.backups, well, "0 hours old") == ["ok"]
    os.utime(made, (0, time.time() - 30 * 3600))
    assert states(checks.backups, well, "30 hours old") == ["wrong"]
    made.unlink()


def test_what_a_dba_will_want_is_missed(well: Config):
    assert states(doctor.server, well, "no statement_timeout of its own") == ["warning"]
    limited = replace(
        well, database_url=make_conninfo(well.database_url, options="-c statement_timeout=4s")
    )
    assert states(doctor.server, limited, "no statement_timeout of its own") == []


def test_the_last_sign_of_a_worker_is_told(well: Config, committed: Api):
    with psycopg.connect(committed.owner_url) as conn:
        conn.execute(
            "INSERT INTO jobs.procrastinate_workers (last_heartbeat) VALUES (now() - interval "
            "'70 seconds')"
        )
    assert states(doctor.server, well, "is not running, its last heartbeat was 7") == ["warning"]
    with psycopg.connect(committed.owner_url) as conn:
        conn.execute("UPDATE jobs.procrastinate_workers SET last_heartbeat = now()")
    assert states(doctor.server, well, "is running") == ["ok"]


def test_a_replica_that_is_none_is_a_warning_and_one_that_is_away_wrong(well: Config):
    primary = replace(well, database_replica_url=well.database_url)
    assert states(doctor.others, primary, "is a primary") == ["warning"]
    assert states(doctor.others, primary, "0 s behind") == ["ok"]
    away = replace(well, database_replica_url="host=127.0.0.1 port=9 dbname=x")
    assert states(doctor.others, away, "DATABASE_REPLICA_URL: ") == ["wrong"]


def test_behind_a_pooler_logins_must_be_set_up_and_go_past_it(well: Config):
    pooled = replace(
        well, database_pooler="transaction", worker_database_url="", migrate_database_url=""
    )
    assert states(doctor.others, pooled, "no login a pooler may hand round") == ["wrong"]
    assert states(doctor.databases, pooled, "WORKER_DATABASE_URL is not set") == ["wrong"]
    assert states(doctor.databases, pooled, "MIGRATE_DATABASE_URL is not set") == ["warning"]


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
            url = make_conninfo(
                database(well.database_url, conn.info.dbname), user=name, password="x"
            )
            url = make_conninfo(
                url, dbname=psycopg.conninfo.conninfo_to_dict(well.database_url)["dbname"]
            )
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
    assert states(checks.mail, replace(well, smtp_url=f"smtp://127.0.0.1:{port}"), "SMTP_URL") == [
        "wrong"
    ]


def test_the_command_counts_and_judges(
    well: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(doctor.settings, "load", lambda: well)
    monkeypatch.setattr(
        doctor, "CHECKS", (lambda config: iter([Finding("ok", "one"), Finding("warning", "two")]),)
    )
    assert doctor.run(doctor.argparse.Namespace()) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 checks, 0 wrong, 1 warnings"
    monkeypatch.setattr(doctor, "CHECKS", (lambda config: iter([Finding("wrong", "three")]),))
    assert doctor.run(doctor.argparse.Namespace()) == 1
