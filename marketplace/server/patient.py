"""gunicorn's threaded worker, patient with slow clients: no thread waits for a request to arrive.

All connections without a request lie in one epoll object, each until its next bytes (EPOLLONESHOT),
and idle threads wait there themselves: whoever is woken takes what has come, and if that is a whole
request with its small body, serves it. Between two requests of a kept connection nothing is handed
from thread to thread, and the kernel keeps the order: who has served a request goes behind all that
wait. The main loop accepts, keeps the deadlines and the number of connections, and gives signs of
life. Each later step of a thread, reading or writing large bodies and responses, has a time limit.
"""

import contextlib
import errno
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from selectors import EVENT_READ
from typing import Any

from gunicorn.http import wsgi
from gunicorn.http.body import LengthReader
from gunicorn.http.errors import NoMoreData
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from marketplace.server.connections import Connection
from marketplace.server.responses import Response

#: Seconds between two looks at deadlines; while a worker stops, it looks more often.
LOOK, STOPPING = 1.0, 0.2
_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN)


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """A worker whose threads are not held by clients that send slowly, or nothing."""

    alive: bool

    def init_process(self) -> None:
        """Take from each request what is the same for all of them, then serve."""
        self.cfg.__dict__.update((name, each.get()) for name, each in self.cfg.settings.items())
        if not self.log.access_log.isEnabledFor(20):
            self.log.access = _nothing
        wsgi.Response = Response
        common = wsgi.base_environ(self.cfg)
        wsgi.base_environ = lambda _cfg: common.copy()
        self.lock = threading.Lock()
        self.arrivals = select.epoll()
        # By descriptor. Whoever takes a connection out has it.
        self.keepalived_conns: dict[int, Connection] = {}
        self.looked = 0.0
        super().init_process()

    def get_thread_pool(self) -> "Threads":
        """Return the threads that serve."""
        return Threads(self.cfg.threads, self.arrivals, self._take)

    def run(self) -> None:
        """Accept connections until told to stop, and then close those that are left."""
        self.poller.register(self.method_queue, EVENT_READ, self.method_queue.run_callbacks)
        self.tpool.start()
        try:
            while self.alive:
                self.set_accept_enabled(self.nr_conns < self.worker_connections)
                self._turn(LOOK)
                self.alive = self.alive and self.is_parent_alive()
            self.set_accept_enabled(False)
            self._cap_keepalive(time.monotonic() + STOP_KEEPALIVE_LINGER)
            end = time.monotonic() + self.cfg.graceful_timeout
            while self.nr_conns > 0 and time.monotonic() < end:
                self._turn(STOPPING)
        finally:
            self.tpool.shutdown(wait=False)
            for listener in self.sockets:
                listener.close()

    def accept(self, listener: socket.socket) -> None:
        """Take a connection, and wait for its first request."""
        try:
            sock, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        with self.lock:
            self.nr_conns += 1
        conn = Connection(self.cfg, sock, address, listener.getsockname())
        self.keepalived_conns[conn.fd] = conn
        self.arrivals.register(conn.fd, select.EPOLLIN | select.EPOLLONESHOT)

    def handle(self, conn: Connection) -> bool:
        """Serve one request, which is there; return whether the connection may be kept."""
        if not conn.gathers:
            return bool(super().handle(conn))
        req = None
        try:
            req = next(conn.parser)
            return self._keepalive_after(conn, self.handle_request(req, conn))
        except (NoMoreData, StopIteration):
            pass  # its client has closed, or may not send another
        except OSError as error:
            if error.errno not in _GONE:
                self.log.exception("Socket error processing request.")
        except Exception as error:  # a request that cannot be read among them
            self.handle_error(req, conn.sock, conn.client, error)
        return False

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        """Discard what the application did not read of a body, if there is any."""
        body = conn.parser.mesg.body
        read = isinstance(body.reader, LengthReader) and not body.reader.length and not body.failed
        return keepalive and (read or bool(super()._keepalive_after(conn, keepalive)))

    def _cap_keepalive(self, deadline: float) -> None:
        """Wait no longer than that for requests."""
        for conn in self.keepalived_conns.copy().values():
            conn.timeout = min(conn.timeout, deadline)

    def _turn(self, seconds: float) -> None:
        """Do what there is for the main loop, and all of its duties once in so many seconds."""
        self.wait_for_and_dispatch_events(seconds)
        now = time.monotonic()
        if now < self.looked + seconds:
            return
        self.looked = now
        self.notify()
        for fd, conn in self.keepalived_conns.copy().items():
            if conn.timeout <= now and self.keepalived_conns.pop(fd, None) is conn:
                if conn.timeout <= now:
                    self._close(conn)
                else:
                    self._wait(conn)  # it has been served in between

    def _take(self, fd: int) -> None:
        """Attend to a connection, in a thread: its client has sent something, or closed it."""
        conn = self.keepalived_conns.pop(fd, None)
        if conn is None:
            return  # the main loop has closed it
        try:
            self._attend(conn)
        except BaseException:
            self.log.exception("Error on a connection.")
            self._close(conn)

    def _attend(self, conn: Connection) -> None:
        ready = conn.complete()
        if ready and self.handle(conn):
            conn.served()
        elif ready is None or (ready and not conn.end()):
            self._close(conn)
            return
        self._wait(conn)

    def _wait(self, conn: Connection) -> None:
        """Let go of a connection until more of its next request is there."""
        self.keepalived_conns[conn.fd] = conn
        if not self.alive:
            conn.timeout = min(conn.timeout, time.monotonic() + STOP_KEEPALIVE_LINGER)
        with contextlib.suppress(OSError):  # the main loop has closed it: its time was up
            self.arrivals.modify(conn.fd, conn.events())

    def _close(self, conn: Connection) -> None:
        conn.close()
        with self.lock:
            self.nr_conns -= 1
        if not (self.alive and self._accepting):
            self.method_queue.defer(_nothing)  # the main loop waits for that


class Threads:
    """Threads that take what arrives. One more is started when none would be idle."""

    def __init__(self, most: int, arrivals: select.epoll, take: Callable[[int], None]) -> None:
        self._most = most
        self._arrivals = arrivals
        self._take = take
        self._lock = threading.Lock()
        self._count = self._idle = 0
        self._ended, self._end = os.pipe()
        arrivals.register(self._ended, select.EPOLLIN)

    def start(self) -> None:
        """Start one more."""
        with self._lock:
            if self._count == self._most:
                return
            self._count += 1
            self._idle += 1
        try:
            threading.Thread(target=self._work).start()
        except RuntimeError:  # the system has none left: those that there are do it
            with self._lock:
                self._count -= 1
                self._idle -= 1

    def shutdown(self, wait: bool) -> None:
        """Let each of them end after what it is at; the interpreter waits for that."""
        os.write(self._end, b".")  # never read, so that all of them see it

    def _work(self) -> None:
        while True:
            for fd, _ in self._arrivals.poll(None, 1):
                if fd == self._ended:
                    return
                with self._lock:
                    self._idle -= 1
                    none = not self._idle
                if none:
                    self.start()
                self._take(fd)
                with self._lock:
                    self._idle += 1


def _nothing(*_: Any) -> None:
    """Do nothing."""
