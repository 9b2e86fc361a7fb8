"""Makes the virtual environment .venv and installs what requirements*.txt pin; does nothing when it is up to date.

    python3 tools/bootstrap.py          what runs
    python3 tools/bootstrap.py dev      and what checks
    python3 tools/bootstrap.py fuzz     and what fuzzes the API; `clients`: makes clients of it; `bench`: measures it
    python3 tools/bootstrap.py ha       and what keeps several PostgreSQL servers together; `release`: builds packages

Needs the standard library alone. It reads on any Python 3.6 or newer, so that it can look for a suitable one. Where the
venv module or pip is missing, as on a bare Debian, it tries the ways round that; else it names what to install.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed"  # one line for each file of requirements that is in, by its SHA-256
VERSIONS = ((3, 13), (3, 12), (3, 11), (3, 10))
EMBEDDED = "requirements-embedded.txt"
#: Messages of pip and uv when nothing responds.
UNREACHABLE = (
    "Failed to establish a new connection", "NewConnectionError", "NameResolutionError", "Temporary failure in name",
    "Network is unreachable", "ConnectTimeoutError", "ProxyError", "dns error", "error sending request", "No route to host",
    "No matching distribution found",
)


class FailedError(Exception):
    """Cannot go on; the message says what to do."""


def main() -> int:
    """Bring .venv up to date. Return 0, or 1 after a line that says what to do; 130 after Ctrl-C."""
    lock = os.open(str(ROOT), os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `make run` and `make test` at once: one makes it, the other waits
        if not is_whole():
            if not os.access(str(ROOT), os.W_OK):
                raise FailedError(f"Cannot write to {ROOT}: .venv is made there. Run this as the folder's owner.")
            make_venv()
        for name in wanted(sys.argv[1:]):
            if digest(name) not in installed():
                install(name)
    except FailedError as error:
        print(str(error), file=sys.stderr)
        return 1
    except OSError as error:  # .venv was made by another user, the disk is full
        print(f".venv cannot be made or changed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the next `make` goes on from here.", file=sys.stderr)
        return 130
    finally:
        os.close(lock)
    return 0


def is_whole() -> bool:
    """Return whether .venv exists and is complete: an interrupted start leaves one without pip."""
    return PYTHON.exists() and (STAMP.exists() or succeeds([str(PYTHON), "-m", "pip", "--version"]))


def wanted(groups: "list[str]") -> "list[str]":
    """Return the files of requirements to install; without DATABASE_URL there is a PostgreSQL among
    them.
    """
    embedded = not (os.environ.get("DATABASE_URL") or os.environ.get("DATABASE_URL_FILE"))
    first = [] if "dev" in groups else ["requirements.txt"]  # requirements-dev.txt has all of it
    return [*first, *(f"requirements-{group}.txt" for group in groups), *([EMBEDDED] if embedded else [])]


def digest(name: str) -> str:
    """Return the SHA-256 of a file of the project."""
    return hashlib.sha256((ROOT / name).read_bytes()).hexdigest()


def installed() -> "list[str]":
    """Return digests of the installed files."""
    return STAMP.read_text(encoding="ascii").split() if STAMP.exists() else []


def make_venv() -> None:
    """Make .venv: as usual, without pip, with uv, or after apt-get has installed
    what is missing.
    """
    python = suitable_python()
    uv = shutil.which("uv")
    if python is None:
        if uv and succeeds([uv, "venv", "--quiet", "--python", "3.13", str(VENV)]):
            return
        raise FailedError(
            "Python 3.10 to 3.13 is needed; this is {}.{}. Install python3.13 and run the same again.".format(
                *sys.version_info[:2])
        )
    print(f"Making .venv with {python} ...", flush=True)
    usual = [python, "-m", "venv", "--clear", str(VENV)]
    if succeeds(usual):
        return
    if has_pip(python) and succeeds([*usual, "--without-pip"]):
        return
    if uv and succeeds([uv, "venv", "--quiet", "--clear", "--python", python, str(VENV)]):
        return
    shutil.rmtree(str(VENV), ignore_errors=True)
    package = f"python{version_of(python)}-venv"
    if os.getuid() == 0 and shutil.which("apt-get"):
        print(f"Python's venv module is incomplete; installing {package} with apt-get ...", flush=True)
        succeeds(["apt-get", "update", "-qq"])
        if succeeds(["apt-get", "install", "-y", "-qq", package]) and succeeds(usual):
            return
    raise FailedError(
        f"Python's venv module is incomplete here. Run `sudo apt-get install {package}` (Debian, Ubuntu),"
        " or install python3-pip or uv, and then the same again."
    )


def suitable_python() -> "str | None":
    """Return the Python that runs this, if it is recent enough and not too new; else the newest
    that is.
    """
    if sys.version_info[:2] in VERSIONS:
        return sys.executable
    for version in VERSIONS:
        found = shutil.which("python{}.{}".format(*version))
        if found and version_of(found) == "{}.{}".format(*version):
            return found
    return None


def version_of(python: str) -> str:
    """Return its version as "3.11", or nothing if it does not run (a shim of pyenv)."""
    code = "import sys; print('{}.{}'.format(*sys.version_info[:2]))"
    done = subprocess.run([python, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return done.stdout.decode().strip()


def has_pip(python: str) -> bool:
    """Return whether it has a pip that can install for another Python (22.3 or newer)."""
    return succeeds([python, "-m", "pip", "--python", python, "--version"])


def succeeds(command: "list[str]") -> bool:
    """Run quietly; return whether it succeeded."""
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


def install(name: str) -> None:
    """Install one file of requirements, by hash, with signs of progress, and note it."""
    started = time.time()
    print(f"Installing {name} ", end="", flush=True)
    log = VENV / "install.log"
    with log.open("wb") as out:
        command = [*installer(), "--require-hashes", "-r", name]
        process = subprocess.Popen(command, cwd=str(ROOT), stdout=out, stderr=out)
        try:
            while process.poll() is None:
                if time.time() - started > 1:
                    print(".", end="", flush=True)
                try:
                    process.wait(1)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if process.poll() is None:  # Ctrl-C
                process.terminate()
                process.wait()
    print(f" {time.time() - started:.0f} s", flush=True)
    if process.returncode:
        refuse(name, log.read_text(encoding="utf-8", errors="replace"))
        return  # there is another PostgreSQL; try the wheel again next time
    known = [digest(name)]
    if name == "requirements-dev.txt":
        known.append(digest("requirements.txt"))  # all of it is in the other, with the same pins
    STAMP.write_text("\n".join([*installed(), *known]) + "\n", encoding="ascii")


def installer() -> "list[str]":
    """Return the command that installs into .venv: its own pip, or another that does it from
    outside.
    """
    options = ["--quiet", "--disable-pip-version-check", "--no-input"]
    if succeeds([str(PYTHON), "-m", "pip", "--version"]):
        return [str(PYTHON), "-m", "pip", "install", *options]
    python = suitable_python()
    if python and has_pip(python):
        return [python, "-m", "pip", "--python", str(PYTHON), "install", *options]
    uv = shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", str(PYTHON)]
    raise FailedError("There is no pip. Install python3-pip (or uv), and then the same again.")


def refuse(name: str, log: str) -> None:
    """Say why the installation failed; only for the embedded PostgreSQL may there be another."""
    if any(sign in log for sign in UNREACHABLE):
        raise FailedError(
            f"{name} cannot be installed: the package index cannot be reached, or lacks a pinned version. Look at the network, or name"
            " a proxy (HTTPS_PROXY) or an index of your own (PIP_INDEX_URL), and run the same again."
        )
    reason = next((line for line in log.splitlines()[::-1] if "ERROR" in line or "error" in line), log.strip()[-300:])
    if name != EMBEDDED:
        raise FailedError(f"{name} cannot be installed: {reason}")
    if not list(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        raise FailedError(
            f"There is no embedded PostgreSQL for this system ({reason});"
            " set DATABASE_URL to a PostgreSQL 15 or newer."
        )
    print("No embedded PostgreSQL for this system; the installed one is taken.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
