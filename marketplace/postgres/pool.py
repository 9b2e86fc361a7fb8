"""Connections to PostgreSQL and the pools that keep them: patient with a silent server, aware of
one that is gone.
"""

import logging
import select
import threading
import time
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.errors import FeatureNotSupported, ReadOnlySqlTransaction, _WaitTimeout
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from marketplace.postgres.breaker import CircuitBreaker

if TYPE_CHECKING:
    from typing_extensions import LiteralString as LiteralString
else:  # Python 3.10 has none
    LiteralString = str

Row = dict[str, Any]
Conn = psycopg.Connection[Row]

#: Seconds between two log lines about a server that refuses, for each thread that connects.
COMPLAIN = 5.0
#: Seconds between two replacements of all connections: a server may stay read-only for long.
DRAIN = 0.5
#: The part of its patience that a statement must have waited: else it was slow, and the server not
#: silent. The server ends statements a little before the whole.
ENOUGH = 0.9

#: So a vanished host is noticed within some ten seconds, also by statements that would wait for
#: minutes. (Unix sockets do without.)
ALIVE = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

log = logging.getLogger("marketplace")
_complained = threading.local()
_open_pools: "weakref.WeakSet[ConnectionPool[Conn]]" = weakref.WeakSet()


class SilentError(psycopg.OperationalError):
    """The server has not responded in time. The connection is closed, and its statement may be done
    or not.
    """


class HastyError(SilentError):
    """The request used up its time on earlier statements: this tells nothing about the server."""


class _Thread(threading.local):
    """The seconds this thread has waited for servers, and whether it serves a request."""

    waited = 0.0
    serving = False


_thread = _Thread()


class Connection(psycopg.Connection[Row]):
    """A connection that waits `patience` seconds for results, and no longer; in a request, for all
    of them together.

    A server that is frozen, or behind a network that swallows packets, is silent: its own time
    limits do not help.
    """

    patience: float | None = None
    #: Whether there is something to read.
    arrived: "select.poll"
    #: Of frequent statements, by their text (statements.quick).
    cursors: "dict[str, psycopg.Cursor[tuple[Any, ...]]]"
    #: How far a replica is known to be, and when it was last queried (replicas.py).
    replayed: int = -1
    checked_at: float = float("-inf")

    @classmethod
    def connect(cls, conninfo: str = "", **options: Any) -> Any:
        """Like psycopg's. Logs every few seconds why there is no connection."""
        try:
            return super().connect(conninfo, **options)
        except psycopg.OperationalError as error:
            _complain(error)
            raise

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Like psycopg's. Raises SilentError when patience ends. The time counts as waited."""
        left = self.patience
        if left is not None and _thread.serving:
            left = max(left - _thread.waited, 0.1)
        started = time.perf_counter()
        try:
            return super().wait(gen, interval, left if timeout is None else timeout)
        except _WaitTimeout:
            if timeout is not None:
                raise
            self.pgconn.finish()
            hasty = left is not None and self.patience is not None and left < self.patience * ENOUGH
            raise (HastyError if hasty else SilentError)("the server does not respond") from None
        finally:
            _thread.waited += time.perf_counter() - started


def _complain(error: psycopg.OperationalError) -> None:
    """Tell the operator why there is no connection: waiting does not cure a wrong password."""
    now = time.monotonic()
    if now - getattr(_complained, "at", float("-inf")) >= COMPLAIN:
        _complained.at = now
        log.error(
            "cannot connect to the database", extra={"error": " ".join(str(error).split())[:300]}
        )


class Pool:
    """Connections to one server, made in the process that uses them, and not before they are used:
    never before a fork.

    `wait` is how many seconds to wait for one; `patience` how many for a result. `configure` is
    called with each new one. `prepares` is False if a pooler lends connections: a statement
    prepared on one is unknown to the next.
    """

    def __init__(
        self,
        url: str,
        *,
        size: int,
        wait: float,
        patience: float,
        prepares: bool,
        configure: Callable[[Conn], None],
    ) -> None:
        self.patience = patience
        self._configure = configure
        self._lock = threading.Lock()
        self._breaker = CircuitBreaker(wait)
        self._drained_at = float("-inf")
        self._lent: set[Conn] = set()
        self._pool: ConnectionPool[Conn] = ConnectionPool(
            url,
            min_size=1,
            max_size=size,
            reconnect_timeout=0.5,  # give up soon: the next request makes a fresh attempt at once
            max_lifetime=600.0,
            connection_class=Connection,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "prepare_threshold": 0 if prepares else None,
                "connect_timeout": 2,
                **ALIVE,
                "application_name": "marketplace",
            },
            configure=self._begin,
            check=self._refuse_closed,
            open=False,
        )

    def connection(self) -> "Lease":
        """Return a connection of the pool for the length of a block.

        Entering it raises psycopg_pool.PoolTimeout if none is available,
        psycopg.OperationalError if the server has gone.
        """
        return Lease(self)

    def take(self) -> Conn:
        """Return a connection that give_back() takes again; connection() does both."""
        if self._pool.closed:
            self._open()
        started = time.perf_counter()
        try:
            with self._breaker.waiting() as seconds:
                conn = self._pool.getconn(seconds)
        finally:
            _thread.waited += time.perf_counter() - started
        self._lent.add(conn)
        return conn

    def give_back(self, conn: Conn, error: BaseException | None) -> None:
        """Take a connection back; a transaction that was left open is rolled back."""
        self._lent.discard(conn)
        be_patient(conn, self.patience)
        outdated = is_outdated(error)
        if outdated:
            conn.close()  # its prepared statements would fail for as long as it lives
        self._pool.putconn(conn)
        if (
            (outdated or isinstance(error, (SilentError, ReadOnlySqlTransaction)))
            and not isinstance(error, HastyError)
            and time.monotonic() - self._drained_at > DRAIN
        ):
            # The idle ones are connected to the same server: one that is frozen, no longer the
            # primary, or has other tables now.
            self.drain()

    def _open(self) -> None:
        with self._lock:
            if self._pool.closed:
                self._pool.open()
                _open_pools.add(self._pool)

    @property
    def busy(self) -> bool:
        """Return whether connections are in use: then a failure to get one tells nothing about the
        server.
        """
        return bool(self._lent)

    def stats(self) -> dict[str, int]:
        """Return the pool's own statistics (psycopg_pool)."""
        return self._pool.get_stats()

    def drain(self) -> None:
        """Replace all connections: the server they are connected to is not to be trusted."""
        self._drained_at = time.monotonic()
        self._pool.drain()

    def close(self) -> None:
        """Return all connections to the server."""
        self._pool.close()

    def _begin(self, conn: Conn) -> None:
        if isinstance(conn, Connection):
            conn.arrived = select.poll()
            conn.arrived.register(conn.pgconn.socket, select.POLLIN)
            conn.cursors = {}
        be_patient(conn, self.patience)
        self._configure(conn)

    def _refuse_closed(self, conn: Conn) -> None:
        """The pool's check: refuse a connection that the server has closed meanwhile, and with it
        all idle ones.

        An idle connection has nothing to read; if there is something, it is the server's farewell.
        This costs a microsecond, and `SELECT 1` three hundred.
        """
        if isinstance(conn, Connection) and conn.arrived.poll(0):
            conn.close()
            self._pool.drain()
            raise psycopg.OperationalError("the server has closed this connection")


class Lease:
    """The block of a connection. A class: a generator for each would cost as much as a query."""

    __slots__ = ("_conn", "_pool")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def __enter__(self) -> Conn:
        self._conn = self._pool.take()
        return self._conn

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.give_back(self._conn, error)


def is_outdated(error: BaseException | None) -> bool:
    """Return whether a statement was prepared before a column that it returns has changed its type:
    a migration has come meanwhile. It fails on this connection, and works on a new one.
    """
    return (
        isinstance(error, FeatureNotSupported)
        and error.diag.source_function == "RevalidateCachedQuery"
    )


def be_patient(conn: Conn, seconds: float) -> None:
    """Set a longer or shorter wait for the statements of this transaction."""
    if isinstance(conn, Connection):
        conn.patience = seconds


def begin_waiting() -> None:
    """From here on waited() counts for this thread, which serves a request."""
    _thread.waited, _thread.serving = 0.0, True


def end_waiting() -> float:
    """Return the seconds this thread has waited for servers. The response has begun: a stream may
    take its time, statement by statement.
    """
    _thread.serving = False
    return _thread.waited


def close_all() -> None:
    """Close every pool this process has opened; gunicorn calls it when a worker leaves."""
    for pool in list(_open_pools):
        pool.close()
