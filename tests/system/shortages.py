"""What PostgreSQL and the machine may run short of, each as a block in which it is so; for
chaos.py.
"""

import contextlib
import io
import json
import os
import secrets
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import psycopg
from conftest import multipart
from PIL import Image
from support.behind_nginx import Site
from support.breakable import Breakable, filled

from system.attack import PASSWORD, Client


class Scene(NamedTuple):
    """Where it is played: the server, the system, and the port that steers the wire between
    them, if any.
    """

    server: Breakable
    at: Site
    control: str


class Shortage(NamedTuple):
    """`broken` is the block; `disks` are folders (below that of the system) on small disks, in
    megabytes.
    """

    broken: Callable[[Scene], AbstractContextManager[None]] | None
    disks: Mapping[str, float] = MappingProxyType({})
    settings: Mapping[str, str] = MappingProxyType({})


def end_ours(server: Breakable) -> int:
    """End all connections of the API and the worker; how many there were."""
    ours = "application_name LIKE 'marketplace%%' AND pid <> pg_backend_pid()"
    return len(server.tell(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}"))  # noqa: S608


@contextmanager
def stopped(scene: Scene) -> Iterator[None]:
    scene.server.control("stop", "-m", "fast")
    yield
    scene.server.control("start")


@contextmanager
def frozen(scene: Scene) -> Iterator[None]:
    scene.server.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        scene.server.signal(signal.SIGCONT)


@contextmanager
def cut_off(scene: Scene) -> Iterator[None]:
    say(scene.control, "blackhole")
    yield
    say(scene.control, "ok")


@contextmanager
def no_connections(scene: Scene) -> Iterator[None]:
    """Others have taken them all."""
    with ExitStack() as held:
        for _ in range(50):
            end_ours(scene.server)
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    held.enter_context(psycopg.connect(scene.server.url, application_name="greedy"))
            if not end_ours(scene.server):
                break
        yield


@contextmanager
def setting(scene: Scene, name: str, value: str) -> Iterator[None]:
    """As a setting of the whole server."""
    local = "SET synchronous_commit = local"
    with psycopg.connect(scene.server.admin, autocommit=True) as conn:
        conn.execute(local)
        conn.execute(f"ALTER SYSTEM SET {name} = '{value}'")  # type: ignore[call-overload]
        conn.execute("SELECT pg_reload_conf()")
        yield
        conn.execute(f"ALTER SYSTEM RESET {name}")  # type: ignore[call-overload]
        conn.execute("SELECT pg_reload_conf()")


@contextmanager
def other_passwords(scene: Scene) -> Iterator[None]:
    hba = scene.server.cluster / "pg_hba.conf"
    before = hba.read_text()
    hba.write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    scene.server.tell("SELECT pg_reload_conf()")
    time.sleep(0.2)
    end_ours(scene.server)
    yield
    hba.write_text(before)
    scene.server.tell("SELECT pg_reload_conf()")


@contextmanager
def full(scene: Scene, disk: str) -> Iterator[None]:
    with filled(scene.at.folder / disk):
        yield


@contextmanager
def full_log(scene: Scene) -> Iterator[None]:
    """The write-ahead log has no room for another file: PostgreSQL ends itself, and is started
    when there is.
    """
    with filled(scene.at.folder / "wal"), contextlib.suppress(psycopg.Error):
        for _ in range(20):
            scene.server.tell("SELECT pg_switch_wal(), pg_logical_emit_message(true, 'x', 'y')")
    with filled(scene.at.folder / "wal"):
        yield
    time.sleep(0.5)
    with contextlib.suppress(Exception):
        scene.server.control("start")


@contextmanager
def full_and_reloaded(scene: Scene, disk: str) -> Iterator[None]:
    """A full disk, on which workers also begin."""
    with filled(scene.at.folder / disk):
        os.kill(int((scene.at.folder / "gunicorn.pid").read_text()), signal.SIGHUP)
        yield


class Reader:
    """Who reads the API's log from a pipe, or does not."""

    def __init__(self, fifo: Path) -> None:
        os.mkfifo(fifo)
        self._handle = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self._reading = threading.Event()
        self._reading.set()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            self._reading.wait()
            with contextlib.suppress(BlockingIOError):
                while os.read(self._handle, 65536):
                    pass
            time.sleep(0.02)

    @contextmanager
    def asleep(self, scene: Scene) -> Iterator[None]:
        """Nobody reads."""
        self._reading.clear()
        yield
        self._reading.set()


class Seller:
    """Somebody who looks at a product, and works on it, while things are broken; all of it
    answers the status.
    """

    def __init__(self, at: Site) -> None:
        self._at = at
        client = Client(at.base)
        body = {"name": "Sari", "email": "sari@t.example", "password": PASSWORD, "role": "seller"}
        client.call("POST", "/api/auth/register", body)
        self._token = client.sign_in("sari@t.example")
        client.call("POST", "/api/stores", {"name": "Toko Sari"}, self._token)
        product = {"name": "Teh", "price": "1000", "stock": 1}
        self._product = (
            f"/api/products/{client.call('POST', '/api/products', product, self._token)['id']}"
        )

    def read(self) -> int:
        time.sleep(0.5)
        return self._call("GET", self._product)[0]

    def write(self) -> int:
        return self._call("PATCH", self._product, {"price": "2000"})[0]

    def upload(self) -> int:
        picture = io.BytesIO()
        Image.frombytes("RGB", (64, 64), secrets.token_bytes(64 * 64 * 3)).save(picture, "PNG")
        body, kind = multipart([("images", "a.png", picture.getvalue())], {})
        return self._call("POST", f"{self._product}/images", body, kind)[0]

    def renamed(self) -> float:
        """Seconds until the worker has written a store's new name into its products; 60 where it
        has not.
        """
        began, name = time.monotonic(), f"Toko {secrets.token_hex(4)}"
        while (
            self._call("PATCH", "/api/stores/mine", {"name": name})[0] != 200
            and time.monotonic() - began < 60
        ):
            time.sleep(0.05)
        while (
            name.encode() not in self._call("GET", self._product)[1]
            and time.monotonic() - began < 60
        ):
            time.sleep(0.05)
        return time.monotonic() - began

    def _call(
        self, method: str, path: str, body: Any = None, kind: str = "application/json"
    ) -> tuple[int, bytes]:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {"Content-Type": kind, "Authorization": f"Bearer {self._token}"}
        request = urllib.request.Request(self._at.base + path, data, headers, method=method)  # noqa: S310 - our own
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return 0, b""


def say(control: str, words: str) -> None:
    """Tell the wire what to do."""
    host, _, port = control.rpartition(":")
    with socket.create_connection((host, int(port))) as wire:
        wire.sendall(f"{words}\n".encode())
        wire.recv(9)


SHORTAGES: dict[str, Shortage] = {
    "stopped": Shortage(stopped),
    "frozen": Shortage(frozen),
    "cut-off": Shortage(cut_off),
    "no-connections": Shortage(no_connections, settings={"max_connections": "24"}),
    "read-only": Shortage(lambda scene: setting(scene, "default_transaction_read_only", "on")),
    "commits-hang": Shortage(lambda scene: setting(scene, "synchronous_standby_names", "nobody")),
    "other-passwords": Shortage(other_passwords),
    "disk-full": Shortage(lambda scene: full(scene, "pg"), {"pg": 300}, {"max_wal_size": "64MB"}),
    "wal-full": Shortage(full_log, {"wal": 120}, {"max_wal_size": "48MB", "min_wal_size": "32MB"}),
    "uploads-full": Shortage(lambda scene: full(scene, "uploads"), {"uploads": 2}),
    "data-full": Shortage(lambda scene: full_and_reloaded(scene, "data"), {"data": 16}),
    "log-stuck": Shortage(lambda scene: contextlib.nullcontext()),
}
