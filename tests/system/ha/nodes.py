"""The database's side: etcd, and PostgreSQL nodes under Patroni, each to be killed, frozen and
started again.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from marketplace.postgres.embedded.account import Account
from system.ha import programs, shipped
from system.ha.shipped import Address

PASSWORD = "ha-of-one-machine"


class Node:
    """A PostgreSQL server and its Patroni: what would be a machine of its own."""

    def __init__(self, name: str, folder: Path, account: Account | None) -> None:
        self.name = name
        self.folder = folder
        self.account = account
        self.at = Address(*programs.ports(2))
        self.config = folder / "patroni.yml"
        self._patroni: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start Patroni, which starts PostgreSQL."""
        python, env = programs.python(self.account) or ([sys.executable], {})
        command = [*python, "-m", "patroni", str(self.config)]
        self._patroni = programs.start(command, self.folder / "patroni.log", self.account, **env)

    def stop(self) -> None:
        """Ask Patroni to stop, and PostgreSQL with it."""
        if self._patroni is not None and self._patroni.poll() is None:
            self._patroni.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._patroni.wait(30)
        self.kill()

    def kill(self) -> None:
        """The power goes: SIGKILL for all of it, Patroni first."""
        self._signal(signal.SIGKILL)
        if self._patroni is not None:
            self._patroni.wait()

    def freeze(self) -> None:
        """The machine stands still: its connections stay, and nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on as if nothing had been."""
        self._signal(signal.SIGCONT)

    def role(self) -> str:
        """What Patroni says: primary, replica, or nothing while it does not answer."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.at.patroni}/patroni", timeout=2
            ) as answer:
                said = json.load(answer)
        except (OSError, ValueError):
            return ""
        return str(said.get("role", "")) if said.get("state") == "running" else ""

    def synchronous(self) -> bool:
        """Whether it may take over: Patroni's own word, which it gives later than PostgreSQL."""
        url = f"http://127.0.0.1:{self.at.patroni}/synchronous"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
        return False

    def connect(self, database: str = "postgres") -> "psycopg.Connection[Any]":
        """The superuser's connection, on the machine itself."""
        url = make_conninfo(
            host=str(self.folder),
            port=self.at.postgres,
            user="postgres",
            dbname=database,
            password=f"{PASSWORD}-superuser",
            connect_timeout=5,
        )
        return psycopg.connect(url, autocommit=True)

    def server(self) -> psutil.Process | None:
        """PostgreSQL's first process, if it lives."""
        with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
            pid = int((self.folder / "data" / "postmaster.pid").read_text().split("\n")[0])
            server = psutil.Process(pid)
            return server if Path(server.cwd()) == self.folder / "data" else None
        return None

    def _signal(self, number: signal.Signals) -> None:
        processes = (
            [psutil.Process(self._patroni.pid)]
            if self._patroni and self._patroni.poll() is None
            else []
        )
        server = self.server()
        if server is not None:
            processes += [server, *server.children(recursive=True)]
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)


class Cluster:
    """etcd and two nodes; `primary` and `replica` are found anew whenever they are asked for."""

    def __init__(self, folder: Path, account: Account | None) -> None:
        self.folder = folder
        self.account = account
        self.etcd_port, peer = programs.ports(2)
        self._etcd_env = shipped.etcd(folder, self.etcd_port, peer)
        self._etcd: subprocess.Popen[bytes] | None = None
        bin_dir = programs.binaries(folder, account)
        self.nodes = [Node(name, self.own(folder / name), account) for name in ("node1", "node2")]
        for node in self.nodes:
            text = shipped.patroni(folder, node.name, node.at, self.etcd_port, bin_dir, PASSWORD)
            self.write(node.config, text)

    def own(self, folder: Path) -> Path:
        """Make a folder that belongs to the account."""
        folder.mkdir(mode=0o700, exist_ok=True)
        if self.account:
            os.chown(folder, self.account.uid, self.account.gid)
        return folder

    def write(self, file: Path, text: str) -> Path:
        """Write a file for the account's eyes."""
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8")
        if self.account:
            os.chown(file, self.account.uid, self.account.gid)
        return file

    def start(self) -> None:
        """Bring all up: one node makes the cluster, the other copies it."""
        command = [programs.find("etcd") or "etcd"]
        self._etcd = programs.start(
            command, self.folder / "etcd.log", self.account, **self._etcd_env
        )
        first, second = self.nodes
        first.start()
        until("a primary", lambda: first.role() in PRIMARY, 90, self.logs)
        second.start()
        self.settle()

    def settle(self, seconds: float = 120) -> None:
        """Wait until there is a primary with a replica that is synchronous."""
        until("a primary with a synchronous replica", self._settled, seconds, self.logs)

    def stop(self) -> None:
        """Take all of it down."""
        for node in self.nodes:
            node.thaw()
        for node in sorted(self.nodes, key=lambda node: node.role() in PRIMARY):
            node.stop()
        if self._etcd is not None:
            self._etcd.terminate()
            self._etcd.wait(20)

    @property
    def primary(self) -> Node:
        """The node that is primary now."""
        until(
            "a primary", lambda: any(node.role() in PRIMARY for node in self.nodes), 60, self.logs
        )
        return next(node for node in self.nodes if node.role() in PRIMARY)

    @property
    def replica(self) -> Node:
        """The node that is not."""
        primary = self.primary
        return next(node for node in self.nodes if node is not primary)

    def switch_over(self) -> None:
        """`patronictl switchover`, as an operator would."""
        primary, replica = self.primary, self.replica
        words = [
            "switchover",
            "marketplace",
            "--leader",
            primary.name,
            "--candidate",
            replica.name,
            "--force",
        ]
        ctl = "from patroni.ctl import ctl; ctl()"
        python, env = programs.python(self.account) or ([sys.executable], {})
        done = programs.run(
            [*python, "-c", ctl, "-c", str(primary.config), *words], self.account, **env
        )
        if done.returncode:
            raise SystemExit(f"patronictl switchover: {done.stdout}{done.stderr}")

    def logs(self) -> str:
        """The last words of all."""
        files = sorted(self.folder.glob("**/*.log"))
        return "\n".join(
            f"--- {file}\n{file.read_text(errors='replace')[-1500:]}" for file in files
        )

    def _settled(self) -> bool:
        roles = [node.role() for node in self.nodes]
        if sorted(role in PRIMARY for role in roles) != [False, True] or "" in roles:
            return False
        return any(node.synchronous() for node in self.nodes)


PRIMARY = ("primary", "master")


def until(what: str, holds: Callable[[], bool], seconds: float, logs: Callable[[], str]) -> None:
    """Wait until something holds; ends with the logs where it does not come about."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {seconds:.0f} s\n{logs()}")
        time.sleep(0.2)
