"""A client's connection, and what has come of its next request.

What has come is read at once, without waiting, into the buffer of gunicorn's parser. So a request
of many small pieces is looked at for each of them, but no thread waits for the next one.
"""

import contextlib
import re
import select
import socket
import struct
import time
from functools import lru_cache
from typing import Any

from gunicorn.http import message
from gunicorn.workers.gthread import TConn

#: Seconds for a request to arrive, from the opening of its connection or from its first bytes.
ARRIVAL = 20.0
#: Seconds that a thread waits for one read or one write.
STEP = 30
#: Seconds in which a client may read the last response, before its connection is closed.
LINGER = 2.0
#: Bytes of a head; past that gunicorn reports its error.
HEAD = 64 * 1024
#: Bytes of a body to wait for with the head.
BODY = 64 * 1024
#: Bytes that are read at once, and of those that come after the last response.
PIECE, REST = 16 * 1024, 64 * 1024
_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r?\n", re.IGNORECASE)
_CONTINUE = re.compile(rb"\nexpect:", re.IGNORECASE)


class Request(message.Request):  # type: ignore[misc]
    """A request, as gunicorn reads it."""

    def _peer_is_trusted_proxy(self) -> bool:
        """Look up an address among the trusted networks once, not for each of its requests."""
        return not isinstance(self.peer_addr, tuple) or _trusted(self.cfg, self.peer_addr[0])


@lru_cache(1024)
def _trusted(cfg: Any, address: str) -> bool:
    asked = message.HeaderPolicy()
    asked.cfg, asked.peer_addr = cfg, (address, 0)
    return bool(asked._peer_is_trusted_proxy())


class Connection(TConn):  # type: ignore[misc]
    """A client's connection. One thread at a time has it, or the worker waits for its client."""

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        limit(sock)
        sock.setblocking(True)  # for good: a look at what has come says so for itself
        self.fd = sock.fileno()
        #: Whether requests are gathered here: inside TLS, and of other protocols, gunicorn reads.
        http = cfg.protocol == "http" and "h2" not in cfg.http_protocols
        self.gathers = http and not cfg.is_ssl
        if self.gathers:
            self.init()
            self.parser.mesg_class = Request
        self.timeout: float = time.monotonic() + ARRIVAL
        self.data_ready = True  # a thread gets it only then
        self.missing = 1
        self._size: int | None = None
        self._arriving = True
        self._ended = False
        self._rest = REST

    def complete(self) -> bool | None:
        """Take what has come. Return whether the next request is ready for a thread, and None
        where the client has closed.
        """
        if self._ended:
            return self._drain()
        if not self.gathers or not self.missing:
            return True
        try:
            data = self.sock.recv(max(self.missing, PIECE), socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return None
        if not data:
            return None
        if not self._arriving:
            self._arriving, self.timeout = True, time.monotonic() + ARRIVAL
        self._add(data)
        return not self.missing

    def served(self) -> None:
        """Look for the next request in what has come behind the last one."""
        self.parser.mesg = None  # read to its end, and not to be looked at again
        data = self.parser.unreader.buf.getvalue()
        self._size, self.missing = None, int(not data)
        if self.gathers:
            self._look(data)
        self._arriving = bool(data)
        self.timeout = time.monotonic() + (ARRIVAL if data else self.cfg.keepalive)

    def events(self) -> int:
        """Return what to wait for, once: more of a request; or, where the next one is here already,
        until all other connections that have one have had their turn.
        """
        return select.EPOLLONESHOT | (select.EPOLLIN if self.missing else select.EPOLLOUT)

    def end(self) -> bool:
        """Send nothing more. Return whether the client is there to read the last response; what
        else it sends is thrown away, as a reset would take the response from it.
        """
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        self._ended, self.missing = True, 1
        self.timeout = time.monotonic() + LINGER
        return True

    def _add(self, data: bytes) -> None:
        buffer = self.parser.unreader.buf
        had = buffer.seek(0, 2)
        buffer.write(data)
        self._look(buffer.getvalue() if had else data, had)

    def _look(self, data: bytes, had: int = 0) -> None:
        """Find out what is missing of a request, whose end of the head is not in what it had."""
        if self._size is None:
            self._size = size(data, max(0, had - 3))
        self.missing = 1 if self._size is None else max(0, self._size - len(data))

    def _drain(self) -> bool | None:
        try:
            data = self.sock.recv(PIECE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return None
        self._rest -= len(data)
        return False if data and self._rest > 0 else None


def limit(sock: socket.socket) -> None:
    """Limit each read and write of a connection by a thread."""
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", STEP, 0))


def size(data: bytes, start: int = 0) -> int | None:
    """Return how many bytes of a request must be there for a thread: its head, and a small body.

    0 if there are too many already; None while the head is incomplete. It does not end in what is
    before `start`.
    """
    end = data.find(b"\r\n\r\n", start) + 4
    if end < 4:
        broken = _END.search(data, start)  # gunicorn refuses a head of such lines
        if broken is None:
            return None if len(data) < HEAD else 0
        end = broken.end()
    length = _LENGTH.search(data, 0, end)
    if length is None or _CONTINUE.search(data, 0, end) or int(length[1]) > BODY:
        return end
    return end + int(length[1])
