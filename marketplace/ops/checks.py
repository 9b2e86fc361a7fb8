"""The doctor's health checks beside the database: settings, folders, sockets, and what others see
of this host.
"""

import contextlib
import grp
import os
import pwd
import shutil
import smtplib
import socket
import ssl
import stat
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import urlsplit

from marketplace.config.settings import Config
from marketplace.files.storage import StorageUnavailableError
from marketplace.files.stores import of_private, of_uploads
from marketplace.integrations import http
from marketplace.integrations.addresses import Guard, Refused
from marketplace.ops.backups import last
from marketplace.ops.findings import Finding

GIGABYTE = 1024**3
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - gunicorn's workers give signs of life there
SECRETS = (
    "SECRET_KEY",
    "DATABASE_URL",
    "MIGRATE_DATABASE_URL",
    "WORKER_DATABASE_URL",
    "SMTP_URL",
    "MIDTRANS_SERVER_KEY",
)
#: The greatest age of a nightly backup, in hours.
BACKUP_HOURS = 26
#: Users that nginx's workers run as, by distribution.
NGINX_USERS = ("www-data", "nginx")
#: Days that a certificate should have left: automatic renewal comes thirty days before its end.
CERTIFICATE_DAYS = 14
SECONDS = 5.0
#: OpenSSL's reasons for refusing a certificate that are normal in a trial installation.
UNTRUSTED = (18, 19, 20, 21)


def environment(config: Config) -> Iterator[Finding]:
    """Check the settings by themselves."""
    if not config.production:
        yield Finding(
            "warning",
            "MARKETPLACE_ENV is development: secrets are made up, /uploads/ is served by Python",
        )
    if config.public_url.startswith("http://") and config.production:
        yield Finding("wrong", "PUBLIC_URL is http: tokens and passwords would travel in the open")
    if not config.trusted_proxies:
        yield Finding(
            "wrong" if config.production else "warning",
            "TRUSTED_PROXIES is empty: behind nginx everybody would be counted as one address "
            "(unix for its socket)",
        )
    if any(block.endswith("/0") for block in config.trusted_proxies):
        yield Finding("wrong", "TRUSTED_PROXIES trusts everybody: clients choose their address")
    if "*" in config.cors_origins:
        yield Finding(
            "warning",
            "CORS_ORIGINS is *: any web page may call the API with a token it has been given",
        )
    if not config.rate_limits:
        yield Finding("warning", "RATE_LIMITS is off")
    if config.bcrypt_cost < 10:
        state = "wrong" if config.production else "warning"
        yield Finding(state, f"BCRYPT_COST={config.bcrypt_cost} is quickly guessed")
    yield Finding("ok", f"settings of {config.environment}")


def folders(config: Config) -> Iterator[Finding]:
    """Check the folders of files: there, writable, with room left, and closed to others."""
    for name, folder in (("DATA_DIR", config.data_dir), ("UPLOADS_DIR", config.uploads_dir)):
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            yield Finding("wrong", f"{name} {folder} is not a folder this user may write to")
            continue
        free = shutil.disk_usage(folder).free
        state = "ok" if free > 5 * GIGABYTE else "warning" if free > GIGABYTE else "wrong"
        yield Finding(state, f"{name} {folder}: {free / GIGABYTE:.0f} GB free")
    if SHARED_MEMORY.is_dir() and not os.access(SHARED_MEMORY, os.W_OK | os.X_OK):
        yield Finding(
            "wrong",
            f"{SHARED_MEMORY} cannot be written to: gunicorn's workers would be taken for dead",
        )
    for file in _secrets(config):
        with contextlib.suppress(OSError):  # missing, or in a folder that this user may not read
            mode = file.stat().st_mode
            if (
                mode & 0o027
            ):  # the group may read: root owns the file, and the service is in its group
                yield Finding("wrong", f"{file} can be {_by_others(mode)}: chmod 640 {file}")


def _by_others(mode: int) -> str:
    return "read by others" if mode & 0o007 else "written by its group"


def _secrets(config: Config) -> Iterator[Path]:
    yield config.data_dir / "secret"
    yield from (
        Path(os.environ[f"{name}_FILE"]) for name in SECRETS if os.environ.get(f"{name}_FILE")
    )


def listening(config: Config) -> Iterator[Finding]:
    """Check the Unix socket that nginx connects to, if there is one."""
    address = os.environ.get("GUNICORN_BIND") or ""
    if not address.startswith("unix:"):
        return
    path = Path(address.removeprefix("unix:"))
    try:
        found = path.stat()
    except OSError as error:
        yield Finding(
            "wrong", f"GUNICORN_BIND {path}: {error.strerror}; is marketplace-api.socket started?"
        )
        return
    users = [user for user in NGINX_USERS if _there(user)]
    if users and not any(_may_write(user, found) for user in users):
        yield Finding(
            "wrong",
            f"{path}: {' or '.join(users)} may not connect (SocketGroup, SocketMode of the unit)",
        )
        return
    yield Finding("ok" if stat.S_ISSOCK(found.st_mode) else "wrong", f"{path}: nginx's way in")


def _there(user: str) -> bool:
    with contextlib.suppress(KeyError):
        return bool(pwd.getpwnam(user))
    return False


def _may_write(user: str, found: os.stat_result) -> bool:
    known = pwd.getpwnam(user)
    groups = {known.pw_gid, *(group.gr_gid for group in grp.getgrall() if user in group.gr_mem)}
    if found.st_uid == known.pw_uid:
        return bool(found.st_mode & stat.S_IWUSR)
    return bool(found.st_mode & (stat.S_IWGRP if found.st_gid in groups else stat.S_IWOTH))


def mail(config: Config) -> Iterator[Finding]:
    """Check whether the mail server responds."""
    if not config.smtp_url:
        return
    parts = urlsplit(config.smtp_url)
    secure = parts.scheme == "smtps"
    kind: Callable[..., smtplib.SMTP] = smtplib.SMTP_SSL if secure else smtplib.SMTP
    try:
        with kind(
            parts.hostname or "", parts.port or (465 if secure else 587), timeout=SECONDS
        ) as smtp:
            smtp.noop()
        yield Finding("ok", f"SMTP_URL: {parts.hostname} responds")
    except (OSError, smtplib.SMTPException) as error:
        yield Finding("wrong", f"SMTP_URL: {parts.hostname}: {error or type(error).__name__}")


def certificate(config: Config) -> Iterator[Finding]:
    """Check PUBLIC_URL as a phone sees it: its certificate, and how long it lasts."""
    parts = urlsplit(config.public_url)
    if parts.scheme != "https":
        return
    address = (parts.hostname or "", parts.port or 443)
    try:
        with (
            socket.create_connection(address, SECONDS) as raw,
            ssl.create_default_context().wrap_socket(raw, server_hostname=parts.hostname) as tls,
        ):
            ends = str((tls.getpeercert() or {})["notAfter"])
    except ssl.SSLCertVerificationError as error:
        state = "warning" if error.verify_code in UNTRUSTED else "wrong"
        yield Finding(state, f"PUBLIC_URL: its certificate is refused: {error.verify_message}")
    except OSError as error:
        yield Finding("warning", f"PUBLIC_URL cannot be reached from here: {error}")
    else:
        left = datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), timezone.utc) - datetime.now(
            timezone.utc
        )
        state = "ok" if left.days >= CERTIFICATE_DAYS else "wrong"
        yield Finding(state, f"PUBLIC_URL: its certificate lasts {left.days} days")


def uploads(config: Config) -> Iterator[Finding]:
    """Check that a file stored among the uploads, or in a bucket, can be fetched as phones fetch
    images.
    """
    key = f"doctor/{socket.gethostname().lower().replace('_', '-')[:40] or 'host'}.txt"
    if config.s3_private_bucket:
        try:
            private = of_private(config)
            private.put(key, b"written by doctor")
            private.delete(key)
            yield Finding("ok", f"S3_PRIVATE_BUCKET {config.s3_private_bucket} can be written to")
        except StorageUnavailableError as error:
            yield Finding(
                "wrong", f"S3_PRIVATE_BUCKET {config.s3_private_bucket}: {str(error)[:200]}"
            )
    if not config.s3_bucket and not config.uploads_dir.is_dir():
        return  # reported already, and the doctor does not make it
    where = (
        f"S3_BUCKET {config.s3_bucket}" if config.s3_bucket else f"UPLOADS_DIR {config.uploads_dir}"
    )
    try:
        files = of_uploads(config)
        files.put(key, b"written by doctor")
        try:
            if config.s3_bucket:
                yield Finding("ok", f"{where} can be written to")
            if config.uploads_urls:
                yield _fetched(f"{config.uploads_urls[0]}{key}")
        finally:
            files.delete(key)
    except (StorageUnavailableError, OSError) as error:
        yield Finding("wrong", f"{where}: {str(error)[:200]}")


def _fetched(url: str) -> Finding:
    """Check whether the stored file can be fetched; the certificate is another finding."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = (
        False,
        ssl.CERT_NONE,
    )  # nothing is sent, and the response is known
    try:
        answer = http.request(
            "GET",
            url,
            guard=Guard.configured(url),
            provider="uploads",
            call="doctor",
            deadline=SECONDS,
            context=context,
        )
    except Refused as error:
        return Finding("wrong", f"uploads are not served: {url}: {error}")
    except http.TooLarge:
        return Finding("wrong", f"uploads are not served at {url}")
    except http.Silent as error:
        if error.status is not None:
            return Finding("wrong", f"uploads are not served: {error.status} at {url}")
        words = f"whether uploads are served cannot be seen from here: {error.__cause__}"
        return Finding("warning", words.strip())
    if answer.status != 200:
        return Finding("wrong", f"uploads are not served: {answer.status} at {url}")
    right = answer.body == b"written by doctor"
    return Finding(
        "ok" if right else "wrong", f"uploads are {'' if right else 'not '}served at {url}"
    )


def backups(config: Config) -> Iterator[Finding]:
    """Check the age of the last successful backup of this host."""
    ended = last(config.data_dir)
    if ended is None:
        yield Finding("warning", "no backup was ever made here (docs/operations.md, Backup)")
        return
    hours = (time.time() - ended) / 3600
    yield Finding(
        "ok" if hours <= BACKUP_HOURS else "wrong", f"the newest backup is {hours:.0f} hours old"
    )


CHECKS: tuple[Callable[[Config], Iterator[Finding]], ...] = (
    environment,
    folders,
    listening,
    mail,
    certificate,
    uploads,
    backups,
)
