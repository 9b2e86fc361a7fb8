"""Replicas that serve public reads: which of them is near enough to the primary.

A position in the write-ahead log records what a client has seen. The response to a write carries
the one that the write reached, and a replica that has not replayed so far is skipped for the client
that sends it back. It is skipped for everybody if it is away, or further behind than the setting
allows.
"""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import cast

import psycopg
import psycopg_pool

from marketplace.postgres.breaker import CircuitOpenError
from marketplace.postgres.pool import Conn, Connection, HastyError, LiteralString, Pool, be_patient
from marketplace.telemetry import metrics

#: A replica's position is queried at most so often, except for clients who have seen more than it
#: had; seconds.
KNOWN_FOR = 1.0
#: A replica that could not be reached is left alone for that long.
AWAY_FOR = 2.0
#: How long to wait for a replica's position: the primary is ready.
PATIENCE = 0.5
#: A position that no server reaches: for an unreadable token, whose reads are the primary's.
BEYOND = 2**64
_TOKEN = re.compile(r"[0-9a-f]{1,16}\Z")


def token(position: int) -> str:
    """Return the token for a position in the write-ahead log (bytes)."""
    return f"{position:x}"


def position(token: str | None) -> int:
    """Return the position that a client has seen; 0 without a token, BEYOND for a token that is
    none of ours.
    """
    if token is None:
        return 0
    return int(token, 16) if _TOKEN.match(token) else BEYOND


class Replicas:
    """A pool of connections to replicas. A connection stays with one of them, however many there
    are.
    """

    def __init__(self, pool: Pool, *, max_lag: float, ask: LiteralString) -> None:
        self._pool = pool
        self._max_lag = max_lag
        self._ask = ask
        self._away_until = 0.0

    @contextmanager
    def connection(self, seen: int) -> Iterator[Conn | None]:
        """Yield a connection to a replica that has replayed all up to `seen`; None if the primary
        must serve the read.
        """
        with ExitStack() as held:
            conn = self._fitting(held, seen)
            metrics.READS.labels("primary" if conn is None else "replica").inc()
            try:
                yield conn
            except psycopg.OperationalError as error:
                if conn is not None and conn.closed and not isinstance(error, HastyError):
                    self._leave_alone()
                raise

    def close(self) -> None:
        """Return all connections."""
        self._pool.close()

    def _fitting(self, held: ExitStack, seen: int) -> Conn | None:
        if seen >= BEYOND or time.monotonic() < self._away_until:
            return None
        try:
            conn = cast(Connection, held.enter_context(self._pool.connection()))
            if self._fits(conn, seen):
                return conn
        except HastyError:
            pass  # the request has no time left; the replica may have
        except psycopg.OperationalError as error:
            waited = isinstance(error, (psycopg_pool.PoolTimeout, CircuitOpenError))
            if not (
                waited and self._pool.busy
            ):  # it is busy, not away: the primary has enough to do
                self._leave_alone()
                self._pool.drain()
        held.close()
        return None

    def _leave_alone(self) -> None:
        self._away_until = time.monotonic() + AWAY_FOR

    def _fits(self, conn: Connection, seen: int) -> bool:
        now = time.monotonic()
        if now - conn.checked_at > KNOWN_FOR or conn.replayed < seen:
            be_patient(conn, PATIENCE)
            row = conn.execute(self._ask).fetchone()
            be_patient(conn, self._pool.patience)
            if row is None or row["seconds_behind"] > self._max_lag:
                return False  # and tried again by the next request
            conn.replayed, conn.checked_at = row["replayed"], now
        return conn.replayed >= seen
