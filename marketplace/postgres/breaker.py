"""A circuit breaker before the pool: when no connection is available, one request probes and the
others fail fast.

Without it each request would wait its time, one behind the other: a thread of the server each, and
in the end all of them, so that not even /healthz would respond.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg_pool import PoolTimeout

#: Seconds that the probe waits for a connection.
PROBE = 0.5


class CircuitOpenError(psycopg.OperationalError):
    """No connection has been available for a second, and somebody is probing already."""


class CircuitBreaker:
    """Closed while connections are available; open from a wait in vain until one is available
    again.

    `wait` is how many seconds a request may wait for a connection while they come and go.
    """

    def __init__(self, wait: float) -> None:
        self._wait = wait
        self._open = False
        self._available_at = 0.0
        self._probing = threading.Lock()

    @contextmanager
    def waiting(self) -> Iterator[float]:
        """The block in which a connection is taken, within so many seconds. Raises
        CircuitOpenError.
        """
        if self._open:
            with self._probe():
                yield min(PROBE, self._wait)
        else:
            started = time.monotonic()
            try:
                yield self._wait
            except PoolTimeout:
                self._open = self._available_at < started  # the others got none, either
                raise
        self._available_at = time.monotonic()
        self._open = False

    @contextmanager
    def _probe(self) -> Iterator[None]:
        if not self._probing.acquire(blocking=False):
            raise CircuitOpenError("no connection is available")
        try:
            yield
        finally:
            self._probing.release()
