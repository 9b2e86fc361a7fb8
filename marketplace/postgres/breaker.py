"""A circuit breaker before the pool: when no connection is available, one request probes and the
others fail fast.

Without it each request would wait its time, one behind the other: a thread of the server each, and
in the end all of them, so that not even /healthz would respond.
"""

import threading
import time
from types import TracebackType

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
        self.wait = wait
        self.open = False
        self.available_at = 0.0
        self.probing = threading.Lock()

    def waiting(self) -> "_Waiting":
        """The block in which a connection is taken, within so many seconds. Raises
        CircuitOpenError.
        """
        return _Waiting(self)


class _Waiting:
    """One request that takes a connection."""

    __slots__ = ("_breaker", "_probes", "_since")

    def __init__(self, breaker: CircuitBreaker) -> None:
        self._breaker = breaker

    def __enter__(self) -> float:
        breaker = self._breaker
        self._probes = breaker.open
        if not self._probes:
            self._since = time.monotonic()
            return breaker.wait
        if not breaker.probing.acquire(blocking=False):
            raise CircuitOpenError("no connection is available")
        return min(PROBE, breaker.wait)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        breaker = self._breaker
        if self._probes:
            breaker.probing.release()
        if error is None:
            breaker.available_at = time.monotonic()
            breaker.open = False
        elif not self._probes and isinstance(error, PoolTimeout):
            breaker.open = breaker.available_at < self._since  # the others got none, either
