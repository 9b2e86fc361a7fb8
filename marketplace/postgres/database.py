"""The database: the doors to a connection.

A responder goes through exactly one door:

* `read(seen)`: public tables, no caller, no transaction (autocommit); a replica, if one is near
  enough.
* `transaction(caller)`: private reads and all writes. The `with` block is the
  transaction; it acts as the caller, whom row-level security and the guards of the catalogue see.
* `at_once(caller, send)`: such reads in one round trip, for calls that declare it.
* `signing_in()`: the narrow door before there is a caller (register, login, refresh, reset).

Before the responder, authentication and rate limits use `primary()`; so do health checks.

Jobs have a door of their own, `working()`, on the worker's pool.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from typing import NamedTuple, TypeVar

import psycopg

from marketplace.config.env import ConfigError
from marketplace.config.settings import Config
from marketplace.postgres.callers import Caller
from marketplace.postgres.pool import Conn, Pool, Row, SilentError
from marketplace.postgres.replicas import Replicas
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("sessions")
#: The errors of a server that can be read from but not written to: a standby, or one whose disk is
#: full.
UNWRITABLE = (psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.DiskFull)
Sent = TypeVar("Sent")
log = logging.getLogger("marketplace")


class _Begun(NamedTuple):
    """A transaction that acts as a session's user, before the responder uses it."""

    held: ExitStack
    conn: Conn
    session_hash: bytes


class _Thread(threading.local):
    """Whether this thread serves a request that may write, and where its writes have come to; the
    transaction that find_caller() has begun.
    """

    writing = False
    written: int | None = None
    begun: _Begun | None = None


class Database:
    """A pool of connections that act as `marketplace_app` (or `role`) and nothing more; and one to
    replicas, if any.

    `patient` is for the worker: its statements may take minutes, and they wait longer for locks. It
    may have `more` connections than POOL_SIZE.
    """

    def __init__(
        self,
        config: Config,
        *,
        url: str | None = None,
        role: str = "marketplace_app",
        patient: bool = False,
        more: int = 0,
    ) -> None:
        self._thread = _Thread()
        self._pooled = bool(config.database_pooler) and not patient
        self._settings = {
            "role": role,
            "time_zone": config.shop_time_zone,
            "statement_timeout": "10min" if patient else "4s",
            "lock_timeout": "1min" if patient else "3s",
            "gin_pending_list_limit": "4MB" if patient else "64kB",
        }
        self._pool = Pool(
            url or config.database_url,
            size=max(config.pool_size, 2) + more if patient else config.pool_size,
            wait=1.5,
            patience=610.0 if patient else 4.5,  # a little more than the server allows a statement
            prepares=not self._pooled,
            configure=self._require_set_up if self._pooled else self._configure,
        )
        self._replicas = None if patient else self._of_replicas(config)

    def _of_replicas(self, config: Config) -> Replicas | None:
        if not config.database_replica_url:
            return None
        pool = Pool(
            config.database_replica_url,
            size=config.pool_size,
            wait=0.25,  # the primary is ready
            patience=4.5,
            prepares=True,
            configure=self._configure,
        )
        return Replicas(pool, max_lag=config.replica_max_lag_seconds, ask=SQL["replayed"])

    @classmethod
    def of_worker(cls, config: Config, more: int = 0) -> "Database":
        """Return the worker's pool, for jobs and for commands that do their work by hand; with
        `more` connections than POOL_SIZE. Raises ConfigError.
        """
        if not config.worker_database_url:
            raise ConfigError(
                "WORKER_DATABASE_URL, past the pooler to PostgreSQL itself, goes with "
                "DATABASE_POOLER."
            )
        return cls(
            config,
            url=config.worker_database_url,
            role="marketplace_worker",
            patient=True,
            more=more,
        )

    def read(self, seen: int) -> AbstractContextManager[Conn]:
        """Public reads: no caller, no transaction, each statement by itself.

        A replica serves them, if there is one that has replayed all up to `seen`, the position in
        the write-ahead log that the client has seen (replicas.position()).
        """
        self._let_go()
        return self._connection() if self._replicas is None else self._nearest(seen)

    def primary(self) -> AbstractContextManager[Conn]:
        """No transaction, each statement by itself, never a replica: for authentication, rate
        limits and health checks.
        """
        self._let_go()
        return self._connection()

    def find_caller(self, caller: Caller) -> Row:
        """Begin the transaction of a private read, and return user_id, role, store_id and
        session_id of the caller in the same round trip. transaction(caller) goes on in it, and
        commits without waiting for the disk; end_request() ends it if nobody has.

        Raises psycopg.errors.InvalidAuthorizationSpecification when the session is not alive.
        """
        found: list[psycopg.Cursor[Row]] = []

        def act(conn: Conn) -> None:
            found.append(self._act_as(conn, caller, durable=False))

        with ExitStack() as held:
            conn = self._begun(held, act)
            who = found[-1].fetchone()
            self._thread.begun = _Begun(held.pop_all(), conn, caller.session_hash)
        return who or {}

    def at_once(self, caller: Caller, send: Callable[[Conn], Sent]) -> tuple[Row, Sent]:
        """Make a private read in one round trip; return user_id, role, store_id and session_id of
        the caller, and the cursors that `send` returns, which can be fetched from then on. The
        statements that it sends need nothing of each other, and write nothing.

        Raises psycopg.errors.InvalidAuthorizationSpecification when the session is not alive.
        """
        found: list[tuple[psycopg.Cursor[Row], Sent]] = []

        def whole(conn: Conn) -> None:
            found.append((self._act_as(conn, caller, durable=False), send(conn)))
            self._commit(conn)

        with ExitStack() as held:
            self._begun(held, whole)
        who, sent = found[-1]
        return who.fetchone() or {}, sent

    @contextmanager
    def transaction(self, caller: Caller, *, durable: bool = True) -> Iterator[Conn]:
        """One transaction that acts as the caller; committed at the end, rolled back on any
        exception.

        Raises psycopg.errors.InvalidAuthorizationSpecification when the session is not alive any
        more, InsufficientPrivilege when the role that the call requires has been taken away.
        `durable=False` does not wait for the disk: for writes that may be lost in a crash, such as
        a logged view.
        """

        begun = self._thread.begun
        if begun is not None and begun.session_hash == caller.session_hash:
            self._thread.begun = None
        else:
            begun = None
        act = partial(self._act_as, caller=caller, durable=durable)
        with self._transaction(act, begun) as conn:
            yield conn

    @contextmanager
    def signing_in(self, request_id: str | None = None, *, durable: bool = True) -> Iterator[Conn]:
        """One transaction without a caller: only the narrow functions of schema auth work in it."""

        def name(conn: Conn) -> None:
            if request_id is not None:
                conn.execute(SQL["name_request"], {"request_id": request_id})
            if not durable:
                conn.execute(SQL["do_not_wait"])

        with self._transaction(name) as conn:
            yield conn

    @contextmanager
    def working(self) -> Iterator[Conn]:
        """One transaction of a job. It acts as the worker until it names whose work it does."""
        with self._transaction(lambda conn: None) as conn:
            yield conn

    @contextmanager
    def _transaction(
        self, start: Callable[[Conn], object], begun: _Begun | None = None
    ) -> Iterator[Conn]:
        with ExitStack() if begun is None else begun.held as held:
            conn = self._begun(held, start) if begun is None else begun.conn
            try:
                yield conn
            except BaseException:
                self._rollback(conn)
                raise
            self._commit(conn)

    def _begun(self, held: ExitStack, start: Callable[[Conn], object]) -> Conn:
        """A connection in a transaction that has started. A connection that turns out dead is
        replaced once.
        """
        self._let_go()
        for attempt in (1, 2):
            conn = held.enter_context(self._connection())
            try:
                with conn.pipeline():  # BEGIN and what starts it in one round trip
                    self._begin(conn)
                    start(conn)
                break
            except BaseException as error:
                # A server that is silent once is not tried again.
                dead = conn.broken and isinstance(error, psycopg.Error)
                dead = dead and not isinstance(error, SilentError)
                self._rollback(conn)
                if attempt == 2 or not dead:
                    raise
                held.close()
        return conn

    def _act_as(self, conn: Conn, caller: Caller, *, durable: bool) -> psycopg.Cursor[Row]:
        return conn.execute(
            SQL["act_as"],
            {
                "session_hash": caller.session_hash,
                "role": caller.role,
                "request_id": caller.request_id,
                "durable": durable,
            },
        )

    def _let_go(self) -> None:
        """End the transaction of find_caller(): a thread has one connection at a time."""
        begun = self._thread.begun
        if begun is not None:
            self._thread.begun = None
            with suppress(psycopg.Error), begun.held:
                self._rollback(begun.conn)

    def begin_request(self, *, writing: bool) -> None:
        """From here on this thread serves a request; written() is about its writes."""
        self._thread.writing, self._thread.written = writing, None

    def end_request(self) -> None:
        """Nothing more is read for this request."""
        self._let_go()

    def written(self) -> int | None:
        """Return the position in the write-ahead log that this thread's request has reached by
        writing.

        None if it has written nothing, or if there are no replicas that could lag behind it.
        """
        return self._thread.written

    def stats(self) -> dict[str, int]:
        """Return the pool's own statistics (psycopg_pool)."""
        return self._pool.stats()

    def close(self) -> None:
        """Return all connections to the servers."""
        self._pool.close()
        if self._replicas is not None:
            self._replicas.close()

    def _connection(self) -> AbstractContextManager[Conn]:
        return self._pool.connection()

    @contextmanager
    def _nearest(self, seen: int) -> Iterator[Conn]:
        if self._replicas is not None:
            with self._replicas.connection(seen) as replica:
                if replica is not None:
                    yield replica
                    return
        with self._connection() as conn:
            yield conn

    def _begin(self, conn: Conn) -> None:
        conn.execute(SQL["begin"], prepare=False)

    def _commit(self, conn: Conn) -> None:
        if self._replicas is None or not self._thread.writing:
            conn.execute(SQL["commit"], prepare=False)
            return
        with conn.pipeline():  # one round trip for both
            conn.execute(SQL["commit"], prepare=False)
            reached = conn.execute(SQL["reached"])
        self._thread.written = (reached.fetchone() or {}).get("position")

    def _rollback(self, conn: Conn) -> None:
        if not conn.closed:
            conn.rollback()

    def _configure(self, conn: Conn) -> None:
        """Step down to the application's role and set what every statement relies on, in one round
        trip.
        """
        conn.execute(SQL["configure"], self._settings, prepare=False)

    def _require_set_up(self, conn: Conn) -> None:
        """Check the login behind a pooler, where nothing can be set for a connection.

        Raises psycopg.OperationalError if it has more rights than the application, or no time
        limits.
        """
        row = one(conn, SQL["set_up"])
        if row["almighty"] or not row["limited"] or not row["pinned"]:
            log.error(
                "the login of DATABASE_URL is not set up for a pooler; see sql/admin/settings.sql"
            )
            conn.close()  # the pool leaves that to the garbage collector
            raise psycopg.OperationalError("the login is not set up for a pooler")
