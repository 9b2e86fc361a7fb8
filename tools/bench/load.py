"""A small load generator: closed loops over kept-alive connections to this machine, each in a
separate process.
"""

import multiprocessing
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

from tools.bench.servers import HOST

CLIENTS = 4
MOST = 50_000  # requests a client makes, whatever the time


class Done(NamedTuple):
    """The result of a drive: milliseconds of each request, refused responses, seconds it took."""

    times: list[float]
    refused: int
    seconds: float


class Answer(NamedTuple):
    """Status and body."""

    status: int
    body: bytes


class Connection:
    """One kept-alive connection; opened anew when the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def ask(self, request: bytes) -> Answer:
        """Send a whole request, read the whole response."""
        if self._socket is None:
            self._socket = socket.create_connection((HOST, self._port), timeout=60)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        received = bytearray()
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._more()
        head = bytes(received[:end]).lower()
        length = end + 4 + _length(head)
        while len(received) < length:
            received += self._more()
        if b"\r\nconnection: close" in head:
            self.close()
        return Answer(int(head[9:12]), bytes(received[end + 4 :]))

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _more(self) -> bytes:
        assert self._socket is not None  # noqa: S101 - for mypy
        piece = self._socket.recv(262_144)
        if not piece:
            raise ConnectionError("The server hung up in the middle of an answer.")
        return piece


class Load:
    """Some clients, each in a process that lives on between drives."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def drive(self, port: int, requests: Sequence[bytes], seconds: float) -> Done:
        """Let every client make these requests, each from another one on, again and again for so
        long.
        """
        parts = [[*requests[start:], *requests[:start]] for start in _starts(len(requests))]
        begun = time.monotonic()
        done = list(self._pool.map(loop, [port] * CLIENTS, parts, [seconds] * CLIENTS))
        took = time.monotonic() - begun
        return Done(
            [one for each in done for one in each.times], sum(each.refused for each in done), took
        )


@contextmanager
def clients() -> Iterator[Load]:
    """The clients, for the length of the block."""
    with ProcessPoolExecutor(CLIENTS, multiprocessing.get_context("spawn")) as pool:
        list(
            pool.map(time.sleep, [0.2] * CLIENTS)
        )  # all of them are up before anything is measured
        yield Load(pool)


def loop(port: int, requests: Sequence[bytes], seconds: float) -> Done:
    """One client."""
    connection = Connection(port)
    times: list[float] = []
    refused = 0
    begun = now = time.perf_counter()
    while now - begun < seconds and len(times) < MOST:
        answer = connection.ask(requests[len(times) % len(requests)])
        refused += answer.status >= 400
        before, now = now, time.perf_counter()
        times.append((now - before) * 1000)
    connection.close()
    return Done(times, refused, now - begun)


def get(path: str) -> bytes:
    """Return a GET in the form of HTTP/1.1."""
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept: application/json\r\n\r\n".encode()


def path(request: bytes) -> str:
    """Return the target of a request."""
    return request.split(b" ", 2)[1].decode()


def post(path: str, body: bytes, token: str) -> bytes:
    """Return a POST of JSON, signed in."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _length(head: bytes) -> int:
    """Return the bytes of the body."""
    for line in head.split(b"\r\n")[1:]:
        if line.startswith(b"content-length:"):
            return int(line[15:])
    if head[9:12] in (b"204", b"304"):
        return 0
    raise ConnectionError("An answer without Content-Length cannot be measured here.")


def _starts(count: int) -> list[int]:
    return [count * client // CLIENTS for client in range(CLIENTS)]
