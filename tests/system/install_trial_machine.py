"""A Debian in a folder, booted: systemd, units, the journal, a network of its own."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

#: Where the mail server of the trial listens, in the machine's network.
MAIL = 2525
#: Another machine, as the trial sees it, and one that is blocked by the runbook.
OUTSIDE, BLOCKED = "192.0.2.1", "203.0.113.7"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NEWNET = 0x40000000


class Machine:
    """Booted at the begin of the block, powered off at its end. This process is in its network
    meanwhile.
    """

    def __init__(self, root: Path, bound: Sequence[Path]) -> None:
        self.root = root
        self._outside = os.open("/proc/self/ns/net", os.O_RDONLY)
        options = [
            "--quiet",
            "--boot",
            "--private-network",
            "--register=no",
            "--keep-unit",
            "--resolv-conf=off",
        ]
        options += [f"--bind-ro={folder}" for folder in dict.fromkeys(bound)]
        with (root.parent / "console").open("ab") as console:
            self._process = subprocess.Popen(
                ["systemd-nspawn", "--directory", str(root), *options], stdin=subprocess.DEVNULL, stdout=console,
                stderr=console,
            )  # fmt: skip
        self._leader = 0

    def __enter__(self) -> "Machine":
        self._leader = self._init()
        with Path(f"/proc/{self._leader}/ns/net").open() as network:
            _into(network.fileno())
        for words in (
            "link set lo up",
            f"addr add {OUTSIDE}/32 dev lo",
            f"addr add {BLOCKED}/32 dev lo",
        ):
            subprocess.run(["ip", *words.split()], check=True)
        with (self.root / "var/log/mails.log").open("ab") as log:
            mailer = [sys.executable, "-m", "aiosmtpd", "-n", "-l", f"127.0.0.1:{MAIL}"]
            self._mailer = subprocess.Popen(mailer, stdout=log, stderr=subprocess.STDOUT)
        self.enter(["systemctl", "is-system-running", "--wait"])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._mailer.kill()
        self._mailer.wait()
        self._process.send_signal(signal.SIGTERM)  # a power button
        self._process.wait(120)
        _into(self._outside)
        os.close(self._outside)

    def _init(self) -> int:
        """The process of the machine's init, once it is systemd."""
        for _ in range(300):
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
            for pid in children.read_text().split() if children.exists() else []:
                if Path(f"/proc/{pid}/comm").read_text() == "systemd\n":
                    time.sleep(1)
                    return int(pid)
            time.sleep(0.1)
        raise TimeoutError((self.root.parent / "console").read_text()[-2000:])

    def enter(
        self, words: Sequence[str], *, online: bool = False, typed: str = "", quiet: bool = False
    ) -> int:
        """Run a command in the machine, as root; `online` in this machine's network instead. Its
        exit status.
        """
        inside = [
            "nsenter",
            f"--target={self._leader}",
            "--mount",
            "--uts",
            "--ipc",
            "--pid",
            "--root",
            "--wd",
        ]
        if online:
            inside.append(f"--net=/proc/self/fd/{self._outside}")
        command = [*inside, "/usr/bin/env", "-i", f"PATH={PATH}", "HOME=/root", "TERM=dumb", *words]
        return subprocess.run(
            command, input=typed, text=True, start_new_session=True, pass_fds=(self._outside,),
            stdout=subprocess.DEVNULL if quiet else None, stderr=subprocess.DEVNULL if quiet else None,
        ).returncode  # fmt: skip


def _into(network: int) -> None:
    """Have this thread, and what it starts, in another network."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(network, _NEWNET):
        raise OSError(ctypes.get_errno(), "no way into the network")
