"""Compares installed packages with their pins, and looks for known vulnerabilities: `make audit`.

Ends with 1 if a package is not pinned with a hash, is another version than the pinned one, or has a
known vulnerability. If no advisory service can be reached it says that none responded: pip-audit by
itself would call that clean.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)[^\n]*", re.MULTILINE)
#: Packages that make the virtual environment, and are not the project's.
OURS = {"pip", "setuptools", "wheel"}
UNREACHED = (
    "could not be audited",
    "ConnectionError",
    "Failed to upgrade",
    "Max retries",
    "NameResolutionError",
)


def main() -> int:
    """Report and judge."""
    options = argparse.ArgumentParser(prog="make audit", description=__doc__)
    options.add_argument(
        "--strict", action="store_true", help="fail where no advisory service can be reached"
    )
    strict = options.parse_args().strict
    wrong = unpinned(ROOT)
    for line in wrong:
        print(line)
    print(
        f"{len(list(distributions()))} packages are installed; {len(wrong)} not as pinned with a "
        "hash"
    )
    asked, clean, said = advisories(ROOT / "requirements.txt")
    if not asked:
        print(
            "No advisory service can be reached from here: known vulnerabilities were NOT looked "
            "up."
        )
    print(said)
    return 1 if wrong or (asked and not clean) or (strict and not asked) else 0


def unpinned(root: Path) -> list[str]:
    """Return installed packages that no requirements*.txt pins with a hash at their version."""
    pins: dict[str, set[str]] = {}
    for file in sorted(root.glob("requirements*.txt")):
        for name, version in pinned(file.read_text(encoding="utf-8")).items():
            pins.setdefault(name, set()).update(version)
    return [
        f"{name} {found.version} is not pinned: "
        f"{', '.join(sorted(pins.get(name, set()))) or 'nowhere'}"
        for found in distributions()
        if (name := _folded(found.metadata["Name"])) not in OURS
        and found.version not in pins.get(name, set())
    ]


def pinned(text: str) -> Mapping[str, set[str]]:
    """Return versions by name, of pins that have a hash."""
    found: dict[str, set[str]] = {}
    for pin in PIN.finditer(text.replace("\\\n", " ")):
        if "--hash=" in pin[0]:
            found.setdefault(_folded(pin[1]), set()).add(pin[2])
    return found


def advisories(file: Path) -> tuple[bool, bool, str]:
    """Return whether a service responded, whether it knows of nothing, and its words."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--strict",
        "--no-deps",
        "--disable-pip",
        "--progress-spinner",
        "off",
    ]
    done = subprocess.run([*command, "-r", file], capture_output=True, text=True, timeout=120)
    said = done.stdout + done.stderr
    return not any(words in said for words in UNREACHED), done.returncode == 0, said.strip()[-2000:]


def _folded(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
