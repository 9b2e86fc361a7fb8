"""Follows the chapter "Install on a server" of docs/operations.md in a fresh Debian: `make
test-install`.

    PYTHONPATH=.:tests .venv/bin/python tests/system/install_trial.py [--base FOLDER] [RELEASE ...]

In Debian 12 and 13 (bookworm and trixie), or in those named. FOLDER-RELEASE has a Debian, which
debootstrap makes the first time.
Needs root, debootstrap and systemd-nspawn (Debian: systemd-container). A copy of the Debian is
booted in a container with a network of its own, which leads nowhere. Of each block it runs what
stands there; only the values of the first are the trial's. Packages are fetched through this
machine's network and its configuration of apt and pip. Then it looks at what came of it, runs the
blocks of deploy/RUNBOOK.md, boots the machine again, and looks once more. Ends with 1 at the first
command that fails, or where the result is not as it should be.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from system.install_trial_checks import checks
from system.install_trial_machine import MAIL, Machine

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = "Install on a server"
RELEASES = ("bookworm", "trixie")
PASSWORD = "kopi-susu-tanpa-gula-7"
#: What an operator would write there.
VALUES = {
    "SITE": "toko.example", "CODE": "/opt/code", "SMTP": f"smtp://127.0.0.1:{MAIL}", "ADMIN": "admin@toko.example",
}  # fmt: skip
#: Runs a command at a terminal, and types a password at each of its prompts.
TYPIST = """
import os, pty, sys
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
said = b""
while True:
    try:
        data = os.read(terminal, 1024)
    except OSError:
        break
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
    said += data
    if said.rstrip().endswith(b":"):
        said = b""
        os.write(terminal, sys.argv[1].encode() + b"\\n")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
ONLINE = re.compile(r"^(?:DEBIAN_FRONTEND=\S+ )?(?:apt-get|git clone|\S*pip install)", re.MULTILINE)
NAMES = re.compile(r"(?:^|(?<=[ )]))([A-Za-z_]+)=", re.MULTILINE)


def main() -> int:
    """Make the Debian, boot it, follow the chapter, look at what came of it."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--base",
        type=Path,
        default=Path("/var/tmp/marketplace-debian"),
        help="the start of the name of a Debian to be copied",
    )
    options.add_argument("release", nargs="*", default=RELEASES, help="of Debian")
    args = options.parse_args()
    if os.geteuid() != 0 or not shutil.which("debootstrap") or not shutil.which("systemd-nspawn"):
        print(
            "The trial needs root, debootstrap and systemd-nspawn (apt-get install debootstrap "
            "systemd-container)."
        )
        return 2
    well = [trial(Path(f"{args.base}-{release}"), release) for release in args.release]
    return 0 if all(well) else 1


def trial(base: Path, release: str) -> bool:
    """Follow the chapter in one release; whether all is well."""
    print(f"== Debian {release}", flush=True)
    if not (base / "bin" / "bash").exists():
        subprocess.run(["debootstrap", release, str(base)], check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory(prefix="marketplace-install-", dir=base.parent) as name:
        root = Path(name, "debian")
        subprocess.run(["cp", "-a", "--reflink=auto", str(base), str(root)], check=True)
        bound = rig(root, release)
        with Machine(root, bound) as machine:
            well = follow(machine) and tried(machine)
        with Machine(root, bound) as machine:
            again = [report(*each) for each in checks(machine, VALUES, "tomorrow")]
            return all(again) and well


def follow(machine: Machine) -> bool:
    """Every block of the chapter; whether all went well."""
    started = time.monotonic()
    for number, block in enumerate(blocks(), 1):
        before = time.monotonic()
        status = run(machine, block, online=bool(ONLINE.search(block)))
        print(f"-- block {number}: {time.monotonic() - before:.0f} s", flush=True)
        if status:
            print(f"block {number} failed:\n{block}", flush=True)
            machine.enter(["journalctl", "-b", "--no-pager", "-n", "40"])
            return False
    print(f"-- all blocks: {time.monotonic() - started:.0f} s", flush=True)
    return True


def tried(machine: Machine) -> bool:
    """The checks, the blocks of the runbook, and the checks again; whether all is well."""
    well = [report(*each) for each in checks(machine, VALUES, "sari")]
    for heading, block in runbook():
        status = machine.enter(["bash", "-ec", block])
        well.append(report(f'the block of the runbook under "{heading}"', status == 0))
    well += [report(*each) for each in checks(machine, VALUES, "again")]
    return all(well)


def blocks() -> list[str]:
    """The shell blocks of the chapter, with the trial's values in the first."""
    text = (ROOT / "docs" / "operations.md").read_text()
    chapter = text.split(f"## {CHAPTER}\n", 1)[1].split("\n## ", 1)[0]
    found = re.findall(r"^```sh\n(.*?)^```$", chapter, re.MULTILINE | re.DOTALL)
    for name, value in VALUES.items():
        found[0], times = re.subn(rf"^{name}=\S+", f"{name}={value}", found[0], flags=re.MULTILINE)
        assert times == 1, f"the first block has no {name}"
    return found


def runbook() -> list[tuple[str, str]]:
    """The shell blocks of the runbook, each with its heading."""
    found = []
    for part in (ROOT / "deploy" / "RUNBOOK.md").read_text().split("\n## ")[1:]:
        heading = part.partition("\n")[0]
        found += [
            (heading, block)
            for block in re.findall(r"^```sh\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)
        ]
    return found


def rig(root: Path, release: str) -> list[Path]:
    """What is this machine's affair and no part of the chapter: where packages come from, names,
    the code.

    Answers the folders of packages that the Debian must see.
    """
    sources = root / "etc/apt/sources.list.d"
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    for file in Path("/etc/apt/sources.list.d").glob("debian*"):
        text = file.read_text()
        for known in RELEASES:  # this machine's own, with its updates
            text = re.sub(rf"\b{known}\b", release, text)
        (sources / file.name).write_text(text)
    shutil.copytree("/usr/share/keyrings", root / "usr/share/keyrings", dirs_exist_ok=True)
    shutil.copytree(
        "/usr/local/share/ca-certificates",
        root / "usr/local/share/ca-certificates",
        dirs_exist_ok=True,
    )
    (root / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", root / "etc/ssl/certs/ca-certificates.crt")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    hosts = Path("/etc/hosts").read_text()
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost {VALUES['SITE']}\n::1 localhost\n{hosts}")
    copy_code(root / VALUES["CODE"].lstrip("/"))
    return rig_pip(root)


def rig_pip(root: Path) -> list[Path]:
    """pip's own configuration as one file; the folders of packages it names."""
    bound = []
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    lines = ["[global]"]
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        words = value.strip("'\"").replace("\\n", " ").split()
        lines.append(f"{key.rpartition('.')[2]} = {' '.join(words)}")
        for folder in (Path(word.removeprefix("file://")) for word in words):
            if folder.is_absolute() and folder.is_dir():
                folder = (
                    folder.parent if folder.name == "simple" else folder
                )  # the files lie beside the index
                bound.append(folder)
            elif folder.is_absolute() and folder.is_file():
                (root / folder.relative_to("/")).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(folder, root / folder.relative_to("/"))
    (root / "etc/pip.conf").write_text("\n".join(dict.fromkeys(lines)) + "\n")
    return bound


def copy_code(to: Path) -> None:
    """This checkout, with what is not committed yet, as a repository."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(
        listed, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, files):
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, to / name)
    who = ["-c", "user.name=trial", "-c", "user.email=trial@toko.example"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "All"]):
        subprocess.run(["git", *words], cwd=to, check=True)


def run(machine: Machine, block: str, *, online: bool) -> int:
    """One block, in what the ones before have left of a shell: its variables, its folder, its
    umask.
    """
    names = " ".join(sorted({name for each in blocks() for name in NAMES.findall(each)}))
    keep = (
        f'{{ declare -p {names} 2>/dev/null; echo "cd $(pwd)"; umask -p; }} > /opt/.shell || true\n'
    )
    text = f"set -e\nif [ -e /opt/.shell ]; then . /opt/.shell; fi\n{block}\n{keep}"
    (machine.root / "opt/.block").write_text(text)
    if "create-admin" not in block:
        return machine.enter(["bash", "/opt/.block"], online=online)
    (machine.root / "opt/.typist").write_text(TYPIST)
    return machine.enter(
        ["python3", "/opt/.typist", PASSWORD, "bash", "/opt/.block"], online=online
    )


def report(words: str, well: bool) -> bool:
    """Say it."""
    print(f"{'ok  ' if well else 'FAIL'} {words}", flush=True)
    return well


if __name__ == "__main__":
    sys.exit(main())
