"""doctor: looks at this host's configuration and says what is wrong, in words of what to do.

Ends with 1 where something is wrong that makes the service unsafe or stops it; what is only unwise is said and passes.
"""

import argparse
import os
import shutil
import smtplib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import dict_row

from marketplace import config as configuration
from marketplace import cores, migrations
from marketplace.config import Config
from marketplace.db import Conn
from marketplace.queries import doctor, imports
from marketplace.storage import StorageUnavailableError, of_private, of_uploads

GIGABYTE = 1024**3
#: Seconds the clocks may differ: tokens are dated by this machine's, sessions end by the server's.
SKEW = 5
SERVERS = (15, 18)
SECRETS = ("SECRET_KEY", "DATABASE_URL", "MIGRATE_DATABASE_URL", "WORKER_DATABASE_URL", "SMTP_URL")
GROUPS = {"application": "marketplace_app", "worker": "marketplace_worker"}


class Finding(NamedTuple):
    """One thing that was looked at: `ok`, `unwise` or `wrong`."""

    state: str
    words: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(args: argparse.Namespace) -> int:
    """Print every finding; 1 if one is wrong."""
    config = configuration.load()
    found = [finding for look in LOOKS for finding in look(config)]
    for state, words in found:
        print(f"{state:7} {words}")
    wrong = sum(finding.state == "wrong" for finding in found)
    print(f"{len(found)} things looked at, {wrong} wrong, {sum(each.state == 'unwise' for each in found)} unwise")
    return 1 if wrong else 0


def environment(config: Config) -> Iterator[Finding]:
    """What the settings say by themselves."""
    if not config.production:
        yield Finding("unwise", "MARKETPLACE_ENV is development: secrets are made up, /uploads/ is served by Python")
    if config.public_url.startswith("http://") and config.production:
        yield Finding("wrong", "PUBLIC_URL is http: tokens and passwords would travel in the open")
    if not config.trusted_proxies:
        yield Finding(
            "wrong" if config.production else "unwise",
            "TRUSTED_PROXIES is empty: behind nginx everybody would be counted as one address (unix for its socket)",
        )
    if "*" in config.cors_origins:
        yield Finding("unwise", "CORS_ORIGINS is *: any web page may call the API with a token it has been given")
    if not config.rate_limits:
        yield Finding("unwise", "RATE_LIMITS is off")
    if config.bcrypt_cost < 10:
        state = "wrong" if config.production else "unwise"
        yield Finding(state, f"BCRYPT_COST={config.bcrypt_cost} is quickly guessed")
    yield Finding("ok", f"settings of {config.environment}")


def folders(config: Config) -> Iterator[Finding]:
    """Where files go: there, writable, room left, and nobody else's business."""
    for name, folder in (("DATA_DIR", config.data_dir), ("UPLOADS_DIR", config.uploads_dir)):
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            yield Finding("wrong", f"{name} {folder} is not a folder this user may write to")
            continue
        free = shutil.disk_usage(folder).free
        state = "ok" if free > 5 * GIGABYTE else "unwise" if free > GIGABYTE else "wrong"
        yield Finding(state, f"{name} {folder}: {free / GIGABYTE:.0f} GB free")
    for file in _secrets(config):
        if file.exists() and file.stat().st_mode & 0o077:
            yield Finding("wrong", f"{file} can be read by others: chmod 600 {file}")


def _secrets(config: Config) -> Iterator[Path]:
    yield config.data_dir / "secret"
    yield from (Path(os.environ[f"{name}_FILE"]) for name in SECRETS if os.environ.get(f"{name}_FILE"))


def databases(config: Config) -> Iterator[Finding]:
    """Each login: that it comes in, and is no more than it has to be."""
    logins = {
        "DATABASE_URL": (config.database_url, "application"),
        "WORKER_DATABASE_URL": (config.worker_database_url, "worker"),
        "MIGRATE_DATABASE_URL": (config.migrate_database_url, "owner"),
    }
    for name, (url, role) in logins.items():
        try:
            with _connected(url) as conn:
                yield from _login(config, name, role, conn)
                if name == "MIGRATE_DATABASE_URL":
                    waiting = migrations.pending(conn)
                    state, words = ("wrong", f"{len(waiting)} migrations wait") if waiting else ("ok", "all migrations")
                    yield Finding(state, f"{words}: python -m marketplace migrate" if waiting else words)
        except psycopg.Error as error:
            yield Finding("wrong", f"{name}: {str(error).strip().splitlines()[0]}")


def _connected(url: str) -> Conn:
    return psycopg.connect(url, autocommit=True, connect_timeout=5, row_factory=dict_row)


def _login(config: Config, name: str, role: str, conn: Conn) -> Iterator[Finding]:
    login = doctor.login(conn)
    strict = "wrong" if config.production else "unwise"
    if role == "owner":
        state = "ok" if login["owner"] else "wrong"
        yield Finding(state, f"{name}: {login['name']} {'owns' if login['owner'] else 'does not own'} the tables")
    elif not login[role]:
        yield Finding("wrong", f"{name}: {login['name']} is no member of {GROUPS[role]} (sql/admin/roles.sql)")
    elif login["almighty"]:
        yield Finding(strict, f"{name}: {login['name']} is a superuser or bypasses policies: one wall less")
    elif login["owner"]:
        yield Finding(
            "unwise", f"{name}: {login['name']} owns the tables; a login of its own stops injected statements too"
        )
    else:
        yield Finding("ok", f"{name}: {login['name']}")


def server(config: Config) -> Iterator[Finding]:
    """The server itself: version, what keeps data safe, clock, room for connections, somebody at work."""
    try:
        with _connected(config.database_url) as conn:
            before = time.time()
            facts = doctor.server(conn)
            skew = float(facts["now"]) - (before + time.time()) / 2
        with _connected(config.worker_database_url) as conn:
            alive = imports.worker_alive(conn)
    except psycopg.Error:
        return  # said already
    major = facts["version"] // 10000
    known = SERVERS[0] <= major <= SERVERS[1]
    yield Finding("ok" if known else "wrong", f"PostgreSQL {facts['version_name']}" + ("" if known else ": 15 to 18"))
    if facts["replica"]:
        yield Finding("wrong", "DATABASE_URL is a replica: nothing can be written")
    for setting in ("fsync", "full_page_writes"):
        if not facts[setting]:
            yield Finding("wrong", f"{setting} is off: a crash loses or spoils data")
    if facts["synchronous_commit"] == "off":
        yield Finding("wrong", "synchronous_commit is off: what was acknowledged may be lost")
    if facts["encoding"] != "UTF8":
        yield Finding("wrong", f"the database's encoding is {facts['encoding']}, not UTF8")
    yield Finding("ok" if abs(skew) < SKEW else "wrong", f"clocks differ by {skew:+.1f} s")
    yield _connections(config, facts["max_connections"] - 3)
    yield Finding("ok" if alive else "unwise", "a worker is at work" if alive else "no worker is at work")


def _connections(config: Config, room: int) -> Finding:
    """Whether there are enough for API and worker, and for the API's old and new workers while it is reloaded."""
    api = cores.workers(config.pool_size) * config.pool_size
    wanted = api + config.pool_size + 4
    words = f"{wanted} connections from this host, {wanted + api} during a reload, of {room} (max_connections)"
    return Finding("wrong" if wanted > room else "unwise" if wanted + api > room else "ok", words)


def elsewhere(config: Config) -> Iterator[Finding]:
    """What else is called: a mail server, a bucket."""
    if config.smtp_url:
        parts = urlsplit(config.smtp_url)
        kind: Callable[..., smtplib.SMTP] = smtplib.SMTP_SSL if parts.scheme == "smtps" else smtplib.SMTP
        try:
            with kind(parts.hostname or "", parts.port or (465 if parts.scheme == "smtps" else 587), timeout=5) as smtp:
                smtp.noop()
            yield Finding("ok", f"SMTP_URL: {parts.hostname} answers")
        except (OSError, smtplib.SMTPException) as error:
            yield Finding("wrong", f"SMTP_URL: {parts.hostname}: {error or type(error).__name__}")
    for name, bucket, storage in (
        ("S3_BUCKET", config.s3_bucket, of_uploads),
        ("S3_PRIVATE_BUCKET", config.s3_private_bucket, of_private),
    ):
        if bucket:
            key = f"doctor/{socket.gethostname().lower().replace('_', '-')[:40] or 'host'}.txt"
            try:
                files = storage(config)
                files.put(key, b"written by doctor")
                files.delete(key)
                yield Finding("ok", f"{name} {bucket} can be written to")
            except StorageUnavailableError as error:
                yield Finding("wrong", f"{name} {bucket}: {str(error)[:200]}")


LOOKS: tuple[Callable[[Config], Iterator[Finding]], ...] = (environment, folders, databases, server, elsewhere)
