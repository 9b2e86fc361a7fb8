"""Who may wait for a connection when none can be had: one at a time, and briefly; everybody else is told so at once.

Without it each request would wait its time, one behind the other: a thread of the server each, and in the end all of
them, so that not even /healthz were answered.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg_pool import PoolTimeout

#: Seconds to wait for the one who tries whether connections are had again.
TRY = 0.5


class ShutError(psycopg.OperationalError):
    """Connections have not been had for a second, and somebody is trying already."""


class Gate:
    """Open while connections are had; shut from when one was waited for in vain to when one is had again.

    `wait` is how many seconds a connection may be waited for while they come and go.
    """

    def __init__(self, wait: float) -> None:
        self._wait = wait
        self._shut = False
        self._had_at = 0.0
        self._trying = threading.Lock()

    @contextmanager
    def waiting(self) -> Iterator[float]:
        """The block in which a connection is taken, within so many seconds. Raises ShutError."""
        if self._shut:
            with self._alone():
                yield min(TRY, self._wait)
        else:
            began = time.monotonic()
            try:
                yield self._wait
            except PoolTimeout:
                self._shut = self._had_at < began  # the others had none, either
                raise
        self._had_at = time.monotonic()
        self._shut = False

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._trying.acquire(blocking=False):
            raise ShutError("no connection can be had")
        try:
            yield
        finally:
            self._trying.release()
