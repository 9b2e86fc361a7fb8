"""A small application under gunicorn with the worker of the project: its responses say how many
there were before, and one can be held up.
"""

import contextlib
import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
#: Seconds after which a client gives up, less than gunicorn gives to a step of a thread.
PATIENCE = 20
_served = itertools.count(1)


def app(environ: dict[str, Any], start: Callable[..., object]) -> list[bytes]:
    """Count the requests; `/hold` waits for the file of that name."""
    if environ["PATH_INFO"] == "/hold":
        Path(os.environ["HELD"] + ".seen").touch()
        while not Path(os.environ["HELD"]).exists():
            time.sleep(0.01)
    body = str(next(_served)).encode()
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


class Held:
    """A gunicorn of one worker, which settings of gunicorn may change, until `close`."""

    def __init__(self, folder: Path, *lines: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.held = folder / "held"
        config = folder / "gunicorn.py"
        config.write_text(
            "worker_class = 'marketplace.server.patient.PatientWorker'\n"
            "control_socket_disable = True\nkeepalive = 75\ngraceful_timeout = 20\n"
            + "\n".join(lines)
        )
        command = ("-m", "gunicorn", "-c", str(config), "-b", f"127.0.0.1:{self.port}")
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command, "support.held:app"],
                cwd=ROOT / "tests",
                env={**os.environ, "PYTHONPATH": str(ROOT), "HELD": str(self.held)},
                stdout=log,
                stderr=log,
            )
        for _ in range(300):
            with contextlib.suppress(OSError), self.client() as one:
                assert one.get() == (1, True)
                return
            time.sleep(0.05)
        raise AssertionError((folder / "log").read_text())

    def client(self) -> "Client":
        return Client(self.port)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """One thread is held by a request until the end of the block."""
        with self.client() as client:
            self.wait_for(client)
            yield
            self.held.touch()
            client.answer()

    def wait_for(self, client: "Client") -> None:
        """Send a request that holds a thread until the file is there; once a server."""
        client.send("/hold")
        while not Path(f"{self.held}.seen").exists():
            time.sleep(0.01)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class Client:
    """One connection of a client."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.file = self.sock.makefile("rb")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.sock.close()

    def send(self, path: str = "/", times: int = 1, more: bytes = b"", head: str = "") -> None:
        """Send a request so many times, and what else there is, all at once."""
        self.sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode() * times + more)

    def answer(self) -> tuple[int, bool]:
        """The number in a response, and whether the connection is kept."""
        status = self.file.readline()
        assert status.startswith(b"HTTP/1.1 200"), status
        head = {}
        while line := self.file.readline().strip().lower():
            name, _, value = line.partition(b": ")
            head[name] = value
        return int(self.file.read(int(head[b"content-length"]))), head[b"connection"] != b"close"

    def get(self) -> tuple[int, bool]:
        self.send()
        return self.answer()

    def closed(self) -> bool:
        """Whether the server closes the connection, without another word."""
        with contextlib.suppress(ConnectionResetError):
            return self.sock.recv(1) == b""
        return True
