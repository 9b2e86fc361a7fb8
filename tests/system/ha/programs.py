"""The programs of other makers that it takes, and as whom they run."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from marketplace.postgres.embedded import account as server_account
from marketplace.postgres.embedded import server
from marketplace.postgres.embedded.account import Account

PACKAGES = {"etcd": "etcd-server", "haproxy": "haproxy", "pgbouncer": "pgbouncer"}
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


def find(name: str) -> str | None:
    """The path of a program, also where only root looks."""
    return shutil.which(name, path=_PATH)


def missing() -> list[str]:
    """Names of the Debian packages to install."""
    return [package for name, package in PACKAGES.items() if find(name) is None]


def binaries(folder: Path, account: Account | None) -> Path:
    """PostgreSQL's programs, where the account can run them."""
    return server_account.reachable(server._binaries(folder / "none"), account)


def start(
    command: list[str], log: Path, account: Account | None, **env: str
) -> "subprocess.Popen[bytes]":
    """Start a program in a session of its own, as the account; what it says goes to the log."""
    options = server_account.running_as(account)
    options["env"] = {**options["env"], **env}
    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            **options,
        )


def run(
    command: list[str], account: Account | None, **env: str
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end, as the account."""
    options: dict[str, Any] = server_account.running_as(account)
    options["env"] = {**options["env"], **env}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, **options
    )


def python(account: Account | None) -> tuple[list[str], dict[str, str]] | None:
    """A Python in which the account can run Patroni, and what its environment needs; None where
    there is none.

    Root's own Python may be where nobody else gets in; then it is the system's of the same version,
    with our packages.
    """
    packages = Path(psycopg.__file__).parent.parent
    system = f"/usr/bin/python3.{sys.version_info.minor}"
    alone = [system, "-S"]  # without the packages that Debian has for it
    for command, env in (([sys.executable], {}), (alone, {"PYTHONPATH": str(packages)})):
        with contextlib.suppress(OSError):
            if (
                run(
                    [*command, "-c", "import patroni.dcs.etcd3, psycopg"], account, **env
                ).returncode
                == 0
            ):
                return command, env
    return None


def ports(number: int) -> list[int]:
    """As many free ports of the loopback, all at once so that they differ."""
    probes = [socket.socket() for _ in range(number)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def short_folder(account: Account | None) -> Path:
    """A new folder for the account, where everybody gets in (a test's own may be closed to it)."""
    folder = Path(tempfile.mkdtemp(prefix="marketplace-ha."))
    folder.chmod(0o755)
    if account:
        os.chown(folder, account.uid, account.gid)
    return folder
