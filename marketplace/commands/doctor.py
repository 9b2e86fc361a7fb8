"""doctor: checks this host's configuration and says what is wrong and what to do.

Ends with 1 if something is wrong that makes the service unsafe or stops it; warnings do not count.
"""

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator

import psycopg
from psycopg.rows import dict_row

from marketplace.config import settings
from marketplace.config.folders import command
from marketplace.config.settings import Config
from marketplace.integrations.payments import midtrans
from marketplace.jobs.queues import POOL, QUEUES, connections
from marketplace.ops import checks, payment_checks
from marketplace.ops.findings import Finding
from marketplace.postgres import migrations
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import doctor, jobs, sessions
from marketplace.server import workers

#: Seconds by which the clocks may differ: tokens are dated by this machine's, sessions end by the
#: server's.
SKEW = 5
#: Seconds without a heartbeat after which a worker counts as dead.
DEAD = 30
#: Notifications of a provider that are looked at, the newest.
TOLD = 200
SERVERS = (15, 18)
GROUPS = {"application": "marketplace_app", "worker": "marketplace_worker"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(args: argparse.Namespace) -> int:
    """Print every finding; 1 if one is wrong."""
    config = settings.load()
    found = [finding for check in CHECKS for finding in _findings(check, config)]
    for state, words in found:
        print(f"{state:7} {words}")
    wrong = sum(finding.state == "wrong" for finding in found)
    print(
        f"{len(found)} checks, {wrong} wrong, "
        f"{sum(each.state == 'warning' for each in found)} warnings"
    )
    return 1 if wrong else 0


def _findings(check: Callable[[Config], Iterator[Finding]], config: Config) -> Iterator[Finding]:
    """Yield the findings of one check; an invalid address is a finding, too."""
    try:
        yield from check(config)
    except ValueError as error:
        yield Finding("wrong", f"{check.__name__}: a setting cannot be read: {error}")


def databases(config: Config) -> Iterator[Finding]:
    """Check each login: that it can connect, and has no more rights than it needs."""
    logins = {
        "DATABASE_URL": (config.database_url, "application"),
        "WORKER_DATABASE_URL": (config.worker_database_url, "worker"),
        "MIGRATE_DATABASE_URL": (config.migrate_database_url, "owner"),
    }
    for name, (url, role) in logins.items():
        if not url:
            state = "warning" if role == "owner" else "wrong"
            yield Finding(
                state,
                f"{name} is not set: with DATABASE_POOLER there must be a way past the pooler",
            )
            continue
        try:
            with _connected(url) as conn:
                if role != "owner" or url != config.database_url:  # the owner's may be root's alone
                    yield from _login(config, name, role, conn)
                if role == "owner":
                    waiting = migrations.pending(conn)
                    state, words = (
                        ("wrong", f"{len(waiting)} migrations wait")
                        if waiting
                        else ("ok", "all migrations")
                    )
                    yield Finding(state, f"{words}: {command('migrate')}" if waiting else words)
        except psycopg.Error as error:
            yield Finding("wrong", f"{name}: {str(error).strip().splitlines()[0]}")


def _connected(url: str) -> Conn:
    return psycopg.connect(
        url, autocommit=True, connect_timeout=5, prepare_threshold=None, row_factory=dict_row
    )


def _login(config: Config, name: str, role: str, conn: Conn) -> Iterator[Finding]:
    login = doctor.login(conn)
    strict = "wrong" if config.production else "warning"
    if role == "application" and login["makes_large_objects"]:
        yield Finding(
            "warning",
            f"{name}: every login may make large objects: sql/admin/large_objects.sql",
        )
    if role == "owner":
        state = "ok" if login["owner"] else "wrong"
        yield Finding(
            state,
            f"{name}: {login['name']} {'owns' if login['owner'] else 'does not own'} the tables",
        )
    elif not login[role]:
        yield Finding(
            "wrong", f"{name}: {login['name']} is no member of {GROUPS[role]} (sql/admin/roles.sql)"
        )
    elif login["almighty"]:
        yield Finding(
            strict, f"{name}: {login['name']} is a superuser or bypasses policies: one wall less"
        )
    elif login["owner"]:
        yield Finding(
            "warning",
            f"{name}: {login['name']} owns the tables; a login of its own stops injected "
            "statements too",
        )
    else:
        yield Finding("ok", f"{name}: {login['name']}")


def server(config: Config) -> Iterator[Finding]:
    """Check the server itself: version, safety of data, clock, room for connections, a living
    worker.
    """
    try:
        with _connected(config.database_url) as conn:
            before = time.time()
            facts = doctor.server(conn)
            skew = float(facts["now"]) - (before + time.time()) / 2
        with _connected(config.worker_database_url) as conn:
            last = doctor.last_sign(conn)["seconds"]
            served = jobs.unserved(conn, tuple(QUEUES))
    except psycopg.Error:
        return  # reported already
    yield from _safe(facts)
    yield Finding("ok" if abs(skew) < SKEW else "wrong", f"clocks differ by {skew:+.1f} s")
    yield from _watched(facts)
    yield _connections(config, facts["max_connections"] - 3)
    if last is None:
        yield Finding("warning", "no worker has ever run: imports and mails wait")
    else:
        state, words = ("ok", "is running") if last < DEAD else ("warning", "is not running")
        yield Finding(state, f"a worker {words}, its last heartbeat was {last:.0f} s ago")
    if last is not None and last < DEAD:
        yield from _queues(served)


def _queues(served: list[Row]) -> Iterator[Finding]:
    """Check that somebody takes the jobs of each queue: workers may be told to take some only."""
    for queue in served:
        name, since, waiting = queue["name"], queue["seconds"], queue["waiting"]
        if since is not None and since < DEAD:
            continue
        yield Finding(
            "warning",
            f"no worker takes jobs of the queue {name} ({QUEUES[name].words}): {waiting} wait",
        )


def _safe(facts: Row) -> Iterator[Finding]:
    """Check the settings that keep data safe."""
    major = facts["version"] // 10000
    known = SERVERS[0] <= major <= SERVERS[1]
    yield Finding(
        "ok" if known else "wrong",
        f"PostgreSQL {facts['version_name']}" + ("" if known else ": 15 to 18"),
    )
    if facts["replica"]:
        yield Finding("wrong", "DATABASE_URL is a replica: nothing can be written")
    for setting in ("fsync", "full_page_writes"):
        if not facts[setting]:
            yield Finding("wrong", f"{setting} is off: a crash loses or spoils data")
    if facts["synchronous_commit"] == "off":
        yield Finding("wrong", "synchronous_commit is off: what was acknowledged may be lost")
    if facts["encoding"] != "UTF8":
        yield Finding("wrong", f"the database's encoding is {facts['encoding']}, not UTF8")
    elif not facts["letters"]:
        words = f"the database's locale {facts['locale']} does not know letters beyond ASCII"
        yield Finding("wrong", f"{words}: search, slugs and e-mail addresses go wrong")


def _watched(facts: Row) -> Iterator[Finding]:
    """Check what a DBA will want when it is slow, and what ends statements that nobody waits for
    any more.
    """
    if not facts["statement_timeout"]:
        yield Finding(
            "warning",
            f"{facts['name']} has no statement_timeout of its own: sql/admin/settings.sql",
        )
    if not facts["statements_counted"]:
        yield Finding(
            "warning",
            "pg_stat_statements is not there: slow statements have no names (docs/operations.md)",
        )
    if not facts["slow_logged"]:
        yield Finding(
            "warning",
            "log_min_duration_statement is off: slow statements leave no line in PostgreSQL's log",
        )


def _connections(config: Config, room: int) -> Finding:
    """Check whether there are enough for API and worker, and for the API's old and new workers
    during a reload.
    """
    api = workers.workers(config.pool_size) * config.pool_size
    wanted = api + max(config.pool_size, 2) + connections(tuple(QUEUES)) + POOL + len(QUEUES)
    words = (
        f"{wanted} connections from this host, {wanted + api} during a reload, of {room} "
        "(max_connections)"
    )
    return Finding("wrong" if wanted > room else "warning" if wanted + api > room else "ok", words)


def told(config: Config) -> Iterator[Finding]:
    """Check what a payment provider has told lately."""
    if not config.midtrans_server_key:
        return
    with (
        contextlib.suppress(psycopg.Error),
        _connected(config.worker_database_url) as conn,
    ):  # reported already
        yield from payment_checks.fees(doctor.notifications(conn, midtrans.NAME, TOLD))


def others(config: Config) -> Iterator[Finding]:
    """Check a pooler's login, and replicas, if there are any."""
    if config.database_pooler:
        with (
            contextlib.suppress(psycopg.Error),
            _connected(config.database_url) as conn,
        ):  # reported already
            right = sessions.set_up(conn)
            if right["almighty"] or not right["limited"] or not right["pinned"]:
                yield Finding(
                    "wrong",
                    "DATABASE_URL is no login a pooler may hand round: sql/admin/settings.sql",
                )
    if not config.database_replica_url:
        return
    try:
        with _connected(config.database_replica_url) as conn:
            facts = doctor.replica(conn)
    except psycopg.Error as error:
        yield Finding("wrong", f"DATABASE_REPLICA_URL: {str(error).strip().splitlines()[0]}")
        return
    if not facts["replica"]:
        yield Finding(
            "warning", "DATABASE_REPLICA_URL is a primary: nothing is gained by reading there"
        )
    elif not facts["feedback"]:
        yield Finding(
            "warning",
            "hot_standby_feedback is off on the replica: a vacuum of the primary ends long reads",
        )
    near = facts["seconds_behind"] <= config.replica_max_lag_seconds
    words = f"the replica is {facts['seconds_behind']:.0f} s behind" + (
        "" if near else ": it is passed over"
    )
    yield Finding("ok" if near else "wrong", words)


CHECKS: tuple[Callable[[Config], Iterator[Finding]], ...] = (
    *checks.CHECKS,
    payment_checks.payments,
    databases,
    server,
    told,
    others,
)
