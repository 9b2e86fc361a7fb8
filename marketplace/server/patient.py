"""gunicorn's threaded worker, patient with slow clients: no thread waits for a request to arrive.

A thread is given to a connection when the head of a request, and a small body with it, are ready in
the kernel; until then the main loop waits for all of them. The bytes are peeked at and stay in
place (MSG_PEEK); SO_RCVLOWAT makes the kernel wake us when there are more. Each later step of a
thread, reading or writing large bodies and responses, has a time limit.

Behind nginx, on a Unix socket, requests arrive whole: there only the time limits hold.
"""

import contextlib
import re
import socket
import struct
import sys
import time
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

#: Seconds for a request to arrive, from the opening of its connection or the end of the one before.
ARRIVAL = 20.0
#: Seconds that a thread waits for one read or one write.
STEP = 30
#: Bytes of a head; past that gunicorn reports its error.
HEAD = 64 * 1024
#: Bytes of a body to wait for with the head.
BODY = 64 * 1024
_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r?\n", re.IGNORECASE)
_CONTINUE = re.compile(rb"\nexpect:", re.IGNORECASE)
_LINUX = sys.platform.startswith("linux")


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """A worker whose threads are not held by clients that send slowly, or nothing."""

    def accept(self, listener: socket.socket) -> None:
        """Take a connection, and wait for its first request."""
        try:
            sock, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        self.nr_conns += 1
        limit(sock)
        conn = TConn(self.cfg, sock, address, listener.getsockname())
        if waits(self.cfg, sock):
            self._wait(conn)
        else:
            self.enqueue_req(conn)

    def on_client_socket_readable(self, conn: TConn, client: Any) -> None:
        """Wait for the next request of a kept connection, whose first bytes have come."""
        if not waits(self.cfg, conn.sock):
            super().on_client_socket_readable(conn, client)
            return
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._wait(conn)

    def on_pending_socket_readable(self, conn: TConn, client: Any) -> None:
        """Check again a request that is arriving."""
        missing = more(conn.sock)
        if missing:
            _wake_at(conn.sock, missing)
            return
        self.poller.unregister(client)
        self.pending_conns.remove(conn)
        self._dispatch(conn, missing)

    def _cap_keepalive(self, deadline: float) -> None:
        """A worker that stops waits no longer for requests that are arriving than for others."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def _wait(self, conn: TConn) -> None:
        """Let the main loop wait for a whole request, unless it has come already."""
        conn.sock.setblocking(False)
        missing = more(conn.sock)
        if not missing:
            self._dispatch(conn, missing)
            return
        _wake_at(conn.sock, missing)
        conn.timeout = time.monotonic() + ARRIVAL
        self.pending_conns.append(conn)
        ready = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, EVENT_READ, ready)

    def _dispatch(self, conn: TConn, missing: int | None) -> None:
        """Give a connection to a thread; or close it, if its client has."""
        if missing is None:
            self.nr_conns -= 1
            conn.close()
            return
        _wake_at(conn.sock, 1)
        conn.data_ready = True
        self.enqueue_req(conn)


def waits(cfg: Any, sock: socket.socket) -> bool:
    """Return whether requests of this connection are waited for outside of threads: not inside TLS,
    and not on a Unix socket.
    """
    return _LINUX and not cfg.is_ssl and sock.family in (socket.AF_INET, socket.AF_INET6)


def limit(sock: socket.socket) -> None:
    """Limit each read and write of a connection by a thread."""
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", STEP, 0))


def more(sock: socket.socket) -> int | None:
    """Return how many bytes must be ready before the next check; 0 if a request is complete, or
    large, or broken; None if its client has closed.
    """
    try:
        data = sock.recv(HEAD, socket.MSG_PEEK)
    except BlockingIOError:
        return 1
    except OSError:
        return None
    if not data:
        return None
    end = _END.search(data)
    if end is None:
        return len(data) + 1 if len(data) < HEAD else 0
    head = data[: end.end()]
    length = _LENGTH.search(head)
    if length is None or _CONTINUE.search(head) or int(length[1]) > BODY:
        return 0
    whole = end.end() + int(length[1])
    return whole if len(data) < min(whole, HEAD) else 0


def _wake_at(sock: socket.socket, size: int) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
