"""Follows the chapter "Install on a server" of docs/operations.md in a fresh Debian: `make test-install`.

    .venv/bin/python tests/install_trial.py --base /var/tmp/marketplace-debian    (made by debootstrap the first time)

Needs root, debootstrap, unshare and chroot. Of each block it runs what stands there; only the values of the first are
the trial's, and systemctl is a stand-in (install_trial_systemctl.py), since nothing boots in a chroot. Processes,
mounts and ports are in namespaces of their own and gone at the end; packages are fetched through this machine's
configuration of apt and pip. Ends with 1 at the first command that fails, or where the result is not as it should be.
"""

import argparse
import ctypes
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from install_trial_checks import checks

ROOT = Path(__file__).resolve().parent.parent
CHAPTER = "Install on a server"
MAIL = 2525
PASSWORD = "kopi-susu-tanpa-gula-7"
#: What an operator would write there.
VALUES = {
    "SITE": "toko.example", "CODE": "/root/code", "SMTP": f"smtp://127.0.0.1:{MAIL}", "ADMIN": "admin@toko.example",
}  # fmt: skip
ONLINE = re.compile(r"^(?:DEBIAN_FRONTEND=\S+ )?(?:apt-get|git clone|\S*pip install)", re.MULTILINE)
NAMES = re.compile(r"(?:^|(?<=[ )]))([A-Za-z_]+)=", re.MULTILINE)
NEWNET = 0x40000000


def main() -> int:
    """Make the Debian, enter namespaces, follow the chapter, look at what came of it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--base", type=Path, default=Path("/var/tmp/marketplace-debian"), help="a Debian to be copied")
    options.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.inside:
        return follow(args.inside)
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        print("The trial needs root and debootstrap (apt-get install debootstrap).")
        return 2
    if not (args.base / "bin" / "bash").exists():
        subprocess.run(["debootstrap", "bookworm", str(args.base)], check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory(prefix="marketplace-install-", dir=args.base.parent) as name:
        root = Path(name, "debian")
        subprocess.run(["cp", "-a", "--reflink=auto", str(args.base), str(root)], check=True)
        inside = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, __file__]
        return subprocess.run([*inside, "--inside", str(root)]).returncode


def follow(root: Path) -> int:
    """Inside the namespaces: every block, then the checks."""
    outside = os.open("/proc/self/ns/net", os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).unshare(NEWNET):
        raise OSError(ctypes.get_errno(), "no network namespace")
    for words in ("link set lo up", "addr add 192.0.2.1/32 dev lo"):
        subprocess.run(["ip", *words.split()], check=True)
    rig(root)
    started = time.monotonic()
    mailer = [sys.executable, "-m", "aiosmtpd", "-n", "-l", f"127.0.0.1:{MAIL}"]
    with (root / "var/log/mails.log").open("wb") as log:
        subprocess.Popen(mailer, stdout=log, stderr=subprocess.STDOUT)
    for number, block in enumerate(blocks(), 1):
        before = time.monotonic()
        status = run(root, block, outside if ONLINE.search(block) else None)
        print(f"-- block {number}: {time.monotonic() - before:.0f} s", flush=True)
        if status:
            print(f"block {number} failed:\n{block}")
            show_logs(root)
            return 1
        if "apt-get install" in block:
            for service in ("postgresql", "nginx"):  # as Debian does where something has booted
                enter(root, ["service", service, "start"])
    print(f"-- all blocks: {time.monotonic() - started:.0f} s", flush=True)
    failed = [words for words, well in checks(root, VALUES) if not report(words, well)]
    for heading, block in runbook():
        well = enter(root, ["bash", "-ec", block]) == 0
        failed += [heading] if not report(f'the block of the runbook under "{heading}"', well) else []
    again = [words for words, well in checks(root, VALUES, "again") if not report(words, well)]
    failed += again
    if failed:
        show_logs(root)
    return 1 if failed else 0


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
        found += [(heading, block) for block in re.findall(r"^```sh\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)]
    return found


def rig(root: Path) -> None:
    """What is this machine's affair and no part of the chapter: mounts, where packages come from, names, the code."""
    for name in ("proc", "sys", "dev"):
        subprocess.run(["mount", "--rbind", f"/{name}", str(root / name)], check=True)
    sources = root / "etc/apt/sources.list.d"
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    for file in Path("/etc/apt/sources.list.d").glob("debian*"):
        shutil.copy(file, sources)
    shutil.copytree("/usr/share/keyrings", root / "usr/share/keyrings", dirs_exist_ok=True)
    shutil.copytree("/usr/local/share/ca-certificates", root / "usr/local/share/ca-certificates", dirs_exist_ok=True)
    (root / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", root / "etc/ssl/certs/ca-certificates.crt")
    rig_pip(root)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    with Path("/etc/hosts").open() as file:
        (root / "etc/hosts").write_text(f"127.0.0.1 localhost {VALUES['SITE']}\n::1 localhost\n{file.read()}")
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")  # what is installed is not started on this machine's ports
    policy.chmod(0o755)
    stand_in = root / "usr/local/sbin/systemctl"
    shutil.copy(ROOT / "tests/install_trial_systemctl.py", stand_in)
    stand_in.chmod(0o755)
    copy_code(root / VALUES["CODE"].lstrip("/"))


def rig_pip(root: Path) -> None:
    """pip's own configuration as one file, and the folders of packages it names."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    lines = ["[global]"]
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        words = value.strip("'\"").replace("\\n", " ").split()
        lines.append(f"{key.rpartition('.')[2]} = {' '.join(words)}")
        for folder in (Path(word.removeprefix("file://")) for word in words):
            if folder.is_absolute() and folder.is_dir():
                folder = folder.parent if folder.name == "simple" else folder  # the files lie beside the index
                (root / folder.relative_to("/")).mkdir(parents=True, exist_ok=True)
                subprocess.run(["mount", "--rbind", str(folder), str(root / folder.relative_to("/"))], check=True)
            elif folder.is_absolute() and folder.is_file():
                (root / folder.relative_to("/")).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(folder, root / folder.relative_to("/"))
    (root / "etc/pip.conf").write_text("\n".join(dict.fromkeys(lines)) + "\n")


def copy_code(to: Path) -> None:
    """This checkout, with what is not committed yet, as a repository."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, files):
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, to / name)
    who = ["-c", "user.name=trial", "-c", "user.email=trial@toko.example"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "All"]):
        subprocess.run(["git", *words], cwd=to, check=True)


def run(root: Path, block: str, network: int | None) -> int:
    """One block, in what the ones before have left of a shell: its variables, its folder, its umask."""
    names = " ".join(sorted({name for each in blocks() for name in NAMES.findall(each)}))
    keep = f'{{ declare -p {names} 2>/dev/null; echo "cd $(pwd)"; umask -p; }} > /root/.shell || true\n'
    (root / "root/.block").write_text(f"set -e\nif [ -e /root/.shell ]; then . /root/.shell; fi\n{block}\n{keep}")
    typed = f"{PASSWORD}\n{PASSWORD}\n" if "create-admin" in block else ""
    return enter(root, ["bash", "/root/.block"], network=network, typed=typed)


def enter(root: Path, words: list[str], *, network: int | None = None, typed: str = "") -> int:
    """Run a command in the Debian; `network` is the namespace that reaches where packages are."""
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    command = ["chroot", str(root), "/usr/bin/env", "-i", f"PATH={path}", "HOME=/root", "TERM=dumb", *words]
    passed: tuple[int, ...] = ()
    if network is not None:
        command, passed = ["nsenter", f"--net=/proc/self/fd/{network}", *command], (network,)
    done = subprocess.run(command, input=typed, text=True, pass_fds=passed, start_new_session=True)
    return done.returncode


def report(words: str, well: bool) -> bool:
    """Say it."""
    print(f"{'ok  ' if well else 'FAIL'} {words}", flush=True)
    return well


def show_logs(root: Path) -> None:
    """The ends of the logs."""
    for file in [*root.glob("var/log/marketplace*.log"), *root.glob("var/log/nginx/*.log")]:
        print(f"== {shlex.quote(file.name)}\n{file.read_text()[-1500:]}")


if __name__ == "__main__":
    sys.exit(main())
