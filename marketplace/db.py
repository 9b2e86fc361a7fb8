"""The database: its pool, the types Conn and Row, the named statements, and the doors to a connection.

A responder goes through exactly one door:

* `read()`: public tables, no caller, no transaction (autocommit); may be a replica.
* `transaction(caller)`: private reads and everything that writes. The `with` block is the transaction; it acts
  as the caller, whom row-level security and the guards of the catalogue see.
* `signing_in()`: the narrow door for what happens before there is a caller (register, login, refresh, reset).

Before the responder, authentication and limits go through `counting()`.

Jobs have a door of their own, `working()`, on the worker's pool.
"""

import re
import select
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from psycopg.errors import _WaitTimeout
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from marketplace.config import ROOT, Config

if TYPE_CHECKING:
    from typing_extensions import LiteralString
else:  # Python 3.10 has none
    LiteralString = str

Row = dict[str, Any]
Conn = psycopg.Connection[Row]

QUERIES = ROOT / "sql" / "queries"
_NAME = re.compile(r"^-- name: ([a-z][a-z0-9_]*)[ \t]*$", re.MULTILINE)
_thread = threading.local()
_open_pools: "weakref.WeakSet[ConnectionPool[Conn]]" = weakref.WeakSet()


class SilentError(psycopg.OperationalError):
    """The server has not answered in time; the connection is closed, and what it was doing may be done or not."""


class Connection(psycopg.Connection[Row]):
    """A connection that waits `patience` seconds for an answer, and no longer.

    A server that is frozen, or behind a network that swallows, says nothing: its own time limits do not help.
    """

    patience: float | None = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's; raises SilentError when patience ends. The time counts as this thread's."""
        started = time.perf_counter()
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except _WaitTimeout:
            if timeout is not None:
                raise
            self.pgconn.finish()
            raise SilentError("the server does not answer") from None
        finally:
            _thread.waited = getattr(_thread, "waited", 0.0) + time.perf_counter() - started


class Caller(NamedTuple):
    """Who makes the request: the session's hash opens transactions, the rest is what the session stood for."""

    session_hash: bytes
    user_id: int
    role: str | None = None
    store_id: int | None = None
    session_id: int | None = None
    request_id: str | None = None


class Client(NamedTuple):
    """Where a request came from, as the activity log keeps it."""

    user_id: int
    ip: str | None
    device: str | None


def named_sql(noun: str, folder: Path = QUERIES) -> Mapping[str, LiteralString]:
    """The statements of sql/queries/NOUN.sql (or of another folder) by name.

    Each ends with its own name in a comment, behind the text, where pg_stat_statements keeps it.
    """
    pieces = _NAME.split((folder / f"{noun}.sql").read_text(encoding="utf-8"))
    statements: dict[str, LiteralString] = {}
    for name, text in zip(pieces[1::2], pieces[2::2], strict=True):
        if name in statements:
            raise ValueError(f"{noun}.sql has two statements named {name}.")
        statements[name] = f"{text.strip().rstrip(';')}\n-- {noun}.{name}"
    return statements


def one(conn: Conn, statement: LiteralString, values: Mapping[str, Any] | None = None) -> Row:
    """The row of a statement that always has one: INSERT ... RETURNING, an aggregate, a function."""
    row = conn.execute(statement, values).fetchone()
    if row is None:
        raise LookupError(f"no row from {statement.rpartition('-- ')[2]}")
    return row


def estimate(conn: Conn, counting: LiteralString, values: Mapping[str, Any]) -> int:
    """How many rows the planner expects below the count(*) of a statement."""
    plan = one(conn, f"EXPLAIN (FORMAT JSON) {counting}", values)["QUERY PLAN"][0]["Plan"]
    return int(plan["Plans"][0]["Plan Rows"])


SQL = named_sql("sessions")


class Database:
    """A pool of connections that act as `marketplace_app` (or `role`) and nothing more.

    Open it in the process that uses it, never before a fork. `patient` is for the worker: its statements may
    take minutes, and they wait longer for locks.
    """

    def __init__(
        self, config: Config, *, url: str | None = None, role: str = "marketplace_app", patient: bool = False
    ) -> None:
        self._patience = 610.0 if patient else 4.5  # a little more than what the server allows a statement
        self._settings = {
            "role": role,
            "statement_timeout": "10min" if patient else "4s",
            "lock_timeout": "1min" if patient else "3s",
            "gin_pending_list_limit": "4MB" if patient else "64kB",
        }
        self._lock = threading.Lock()
        self._pool: ConnectionPool[Conn] = ConnectionPool(
            url or config.database_url,
            min_size=1,
            max_size=max(config.pool_size, 2) if patient else config.pool_size,
            timeout=2.0,
            reconnect_timeout=0.5,  # give up soon: the next request makes a fresh attempt at once
            max_lifetime=600.0,
            connection_class=Connection,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "prepare_threshold": 0,
                "connect_timeout": 3,
                "application_name": "marketplace",
            },
            configure=self._configure,
            check=self._refuse_closed,
            open=False,
        )

    @classmethod
    def of_worker(cls, config: Config) -> "Database":
        """The worker's pool, for jobs and for commands that do their work by hand."""
        return cls(config, url=config.worker_database_url, role="marketplace_worker", patient=True)

    @contextmanager
    def read(self) -> Iterator[Conn]:
        """Public reads: no caller, no transaction, each statement by itself."""
        with self._connection() as conn:
            yield conn

    @contextmanager
    def counting(self) -> Iterator[Conn]:
        """Who calls, and how often: no transaction, each statement by itself; never a replica."""
        with self._connection() as conn:
            yield conn

    @contextmanager
    def transaction(self, caller: Caller, *, durable: bool = True) -> Iterator[Conn]:
        """One transaction that acts as the caller; committed at the end, rolled back on any exception.

        Raises psycopg.errors.InvalidAuthorizationSpecification when the session is not alive any more.
        `durable=False` does not wait for the disk: for what may be lost in a crash, such as a view that was logged.
        """

        def act(conn: Conn) -> None:
            conn.execute(SQL["act_as"], {"session_hash": caller.session_hash, "request_id": caller.request_id})
            if not durable:
                conn.execute(SQL["do_not_wait"])

        with self._transaction(act) as conn:
            yield conn

    @contextmanager
    def signing_in(self, request_id: str | None = None, *, durable: bool = True) -> Iterator[Conn]:
        """One transaction without a caller: only the narrow functions of schema auth get anywhere in it."""

        def name(conn: Conn) -> None:
            if request_id is not None:
                conn.execute(SQL["name_request"], {"request_id": request_id})
            if not durable:
                conn.execute(SQL["do_not_wait"])

        with self._transaction(name) as conn:
            yield conn

    @contextmanager
    def working(self) -> Iterator[Conn]:
        """One transaction of a job; it acts as the worker until it says whose work it does."""
        with self._transaction(lambda conn: None) as conn:
            yield conn

    @contextmanager
    def _transaction(self, start: Callable[[Conn], None]) -> Iterator[Conn]:
        with ExitStack() as held:
            conn = self._begun(held, start)
            try:
                yield conn
            except BaseException:
                self._rollback(conn)
                raise
            self._commit(conn)

    def _begun(self, held: ExitStack, start: Callable[[Conn], None]) -> Conn:
        """A connection in a transaction that has started. A connection that turns out dead is replaced once."""
        for attempt in (1, 2):
            conn = held.enter_context(self._connection())
            try:
                with conn.pipeline():  # BEGIN and identity in one round trip
                    self._begin(conn)
                    start(conn)
                break
            except psycopg.Error as error:
                dead = conn.broken and not isinstance(error, SilentError)  # who is silent once is not asked again
                self._rollback(conn)
                if attempt == 2 or not dead:
                    raise
                held.close()
        return conn

    def begin_waiting(self) -> None:
        """From here on waited() counts for this thread."""
        _thread.waited = 0.0

    def waited(self) -> float:
        """Seconds this thread has waited for the server."""
        return float(getattr(_thread, "waited", 0.0))

    def stats(self) -> dict[str, int]:
        """What the pool says of itself (psycopg_pool)."""
        return self._pool.get_stats()

    def close(self) -> None:
        """Give all connections back to the server."""
        self._pool.close()

    @contextmanager
    def _connection(self) -> Iterator[Conn]:
        if self._pool.closed:
            with self._lock:
                if self._pool.closed:
                    self._pool.open()
                    _open_pools.add(self._pool)
        try:
            with self._pool.connection() as conn:
                yield conn
                be_patient(conn, self._patience)
        except SilentError:
            self._pool.drain()  # the idle ones are connected to the same server
            raise

    def _begin(self, conn: Conn) -> None:
        conn.execute("BEGIN", prepare=False)

    def _commit(self, conn: Conn) -> None:
        conn.execute("COMMIT", prepare=False)

    def _rollback(self, conn: Conn) -> None:
        if not conn.closed:
            conn.rollback()

    def _refuse_closed(self, conn: Conn) -> None:
        """The pool's check: refuse a connection that the server has closed meanwhile, and with it all idle ones.

        An idle connection has nothing to read; where there is, it is the server's farewell. This costs two
        microseconds where `SELECT 1` costs three hundred.
        """
        poll = select.poll()
        poll.register(conn.pgconn.socket, select.POLLIN)
        if poll.poll(0):
            conn.close()
            self._pool.drain()
            raise psycopg.OperationalError("the server has closed this connection")

    def _configure(self, conn: Conn) -> None:
        """Step down to the application's role and set what every statement counts on, in one round trip."""
        be_patient(conn, self._patience)
        conn.execute(SQL["configure"], self._settings, prepare=False)


def be_patient(conn: Conn, seconds: float) -> None:
    """Wait longer for the statements of this transaction."""
    if isinstance(conn, Connection):
        conn.patience = seconds


def close_all() -> None:
    """Close every pool this process has opened; gunicorn calls it when a worker leaves."""
    for pool in list(_open_pools):
        pool.close()
