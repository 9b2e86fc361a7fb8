"""The user that runs the embedded PostgreSQL. PostgreSQL refuses to be run by root, so for root it
is another user.

That user is `postgres` if it exists, else `nobody`; or the owner of an existing cluster. No
permission of an existing folder is changed. If the user cannot get into the data folder (a closed
home), the cluster is made in /var/lib/marketplace, and `pg.location` in the data folder names the
place. If it cannot run the programs, they are copied there (42 MB).
"""

import hashlib
import os
import pwd
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

HOME = Path("/var/lib/marketplace")


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot be started; the message is one line and says what to do."""


class Account(NamedTuple):
    """A user of the system."""

    uid: int
    gid: int
    name: str


def account_for(cluster: Path) -> Account | None:
    """Return the user that runs the server of this cluster (made or not); None: the present one."""
    owner = cluster.stat().st_uid if cluster.exists() else None
    if os.getuid() != 0:
        if owner not in (None, os.getuid()):
            raise EmbeddedError(
                f"{cluster} belongs to user {_name(owner)}: start as that user or as root, or "
                "set DATA_DIR."
            )
        return None
    if owner:
        return Account(owner, cluster.stat().st_gid, _name(owner))
    return _servant()


def _servant() -> Account:
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, name)
    raise EmbeddedError(
        "PostgreSQL may not be run by root, and there is neither a user postgres nor nobody."
    )


def _name(uid: int | None) -> str:
    try:
        return pwd.getpwuid(uid or 0).pw_name
    except KeyError:
        return str(uid)


def running_as(account: Account | None) -> dict[str, Any]:
    """Return what subprocess needs to start a program of PostgreSQL: user, folder, a plain
    environment.
    """
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LC_", "PG")) and name not in ("LANG", "LANGUAGE")
    }
    options: dict[str, Any] = {"env": env, "cwd": "/"}
    if account is not None:
        env["HOME"] = "/"
        options |= {"user": account.uid, "group": account.gid, "extra_groups": [], "umask": 0o077}
    return options


def place(data_dir: Path) -> Path:
    """Return the place of this data folder's cluster, made or not."""
    pointer = data_dir / "pg.location"
    if pointer.exists():
        return Path(pointer.read_text(encoding="utf-8").splitlines()[0])
    cluster = data_dir / "pg"
    if os.getuid() != 0 or cluster.exists() or _may(_servant(), 'cd "$1"', data_dir):
        return cluster
    folder = HOME / secrets.token_hex(6)
    folder.mkdir(mode=0o711, parents=True)
    folder.chmod(0o711)
    HOME.chmod(0o711)
    fresh = pointer.with_name(f"pg.location.{secrets.token_hex(4)}")
    fresh.write_text(
        f"{folder / 'pg'}\nThe database is there: the user it runs as cannot get in here.\n",
        encoding="utf-8",
    )
    fresh.rename(pointer)
    return folder / "pg"


def reachable(binaries: Path, account: Account | None) -> Path:
    """Return the folder of programs, or that of a copy, if the server's user cannot run the
    original.
    """
    if account is None or _may(account, '"$1" -V', binaries / "postgres"):
        return binaries
    package = binaries.parent.parent
    stamp = hashlib.sha256(
        f"{binaries}{(binaries / 'postgres').stat().st_mtime_ns}".encode()
    ).hexdigest()[:12]
    copy = HOME / f"programs-{stamp}"
    if not copy.exists():
        HOME.mkdir(mode=0o711, parents=True, exist_ok=True)
        fresh = HOME / f"programs-{secrets.token_hex(4)}.new"
        for folder in (
            package,
            package.with_name(f"{package.name}.libs"),
        ):  # found by a path relative to each other
            if folder.exists():
                shutil.copytree(folder, fresh / folder.name, symlinks=True)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        try:
            fresh.rename(copy)
        except OSError:  # another start was first
            shutil.rmtree(fresh)
    return copy / package.name / binaries.relative_to(package)


def _may(account: Account, script: str, path: Path) -> bool:
    """Return whether the user can do what a small shell script does with a path."""
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", str(path)],
        capture_output=True,
        check=False,
        **running_as(account),
    )
    return done.returncode == 0
