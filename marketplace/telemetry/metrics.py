"""Metrics for Prometheus: counted in each worker of gunicorn, added up over all of them at
/metrics.

Workers come and go, and the files they count in stay. So a worker takes the lowest number that none
holds, and goes on counting in the files of the one that had it before. Counts are lost while the
disk has no room for them. A master that starts on such a disk makes its workers count each for
itself.
"""

import fcntl
import logging
import os
import struct
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
    values,
)
from prometheus_client.core import GaugeMetricFamily

#: The folder in which workers count (gunicorn.conf.py sets it); without it this process counts for
#: itself.
FOLDER = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
PAUSE = 1.0
#: Bytes that a file of counts never outgrows: some 2,000 rows of a metric and all its labels.
ROOM = 1024 * 1024
KINDS = ("counter", "histogram", "gauge_livesum")
#: A client may name any method it likes; each would be a row for ever.
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_numbers: list[int] = []
_adding = threading.Lock()
_value_and_time = struct.Struct("dd").pack
# A fork has its parent's memory, and needs a number of its own.
os.register_at_fork(after_in_child=_numbers.clear)


def _number() -> int:
    """Return the lowest number that no living process of the folder holds; a lock on a file holds
    it to the end of this one.
    """
    return _numbers[0] if _numbers else _take_number()


def _take_number() -> int:
    number = 0
    while True:
        handle = os.open(
            Path(FOLDER or "", f"{number}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The present values are this process's.
            Path(FOLDER or "", f"gauge_livesum_{number}.db").unlink(missing_ok=True)
            _reserve([Path(FOLDER or "", f"{kind}_{number}.db") for kind in KINDS])
        except BlockingIOError:
            os.close(handle)
            number += 1
            continue
        except OSError:
            os.close(handle)
            raise
        _numbers[:] = [number]
        return number


def _reserve(files: Iterable[Path]) -> None:
    """Reserve the files' room on the disk: a process that writes into the hole of a mapped file, on
    a full disk, is killed.

    Raises OSError.
    """
    for file in files:
        with file.open("ab") as handle:
            if hasattr(os, "posix_fallocate"):  # macOS has none
                os.posix_fallocate(handle.fileno(), 0, ROOM)


def _where_there_is_room(kept: Any) -> Any:
    """Return the class of values that are kept in files; counts are lost while the disk has no room
    for them.
    """

    class Value(kept):  # type: ignore[misc]
        def __init__(self, *words: Any, **named: Any) -> None:
            self._begin: Callable[[], None] | None = partial(super().__init__, *words, **named)
            with suppress(OSError):
                self._ensure()

        def inc(self, amount: float) -> None:
            try:  # suppress() would cost as much as the rest
                if self._begin is None and _numbers:
                    # As super() and its file do, in fewer steps, and without a look at whether this
                    # is a fork.
                    file = self._file
                    at = file._positions[self._key]
                    with _adding:
                        self._value += amount
                        file._m[at : at + 16] = _value_and_time(self._value, 0.0)
                else:
                    self._ensure()
                    super().inc(amount)
            except OSError:
                pass

        def set(self, value: float, timestamp: float | None = None) -> None:
            with suppress(OSError):
                self._ensure()
                super().set(value, timestamp)

        def _ensure(self) -> None:
            if self._begin is not None:
                self._begin()
                self._begin = None

    return Value


if FOLDER:
    try:
        kept = values.MultiProcessValue(_number)  # type: ignore[no-untyped-call]
        values.ValueClass = _where_there_is_room(kept)
    except OSError as error:
        logging.getLogger("marketplace").error(
            "no room to count for all workers", extra={"error": str(error)}
        )
        FOLDER, values.ValueClass = None, values.MutexValue

OWN = CollectorRegistry()
REQUESTS = Counter(
    "marketplace_http_requests",
    "Responses by method, route and status.",
    ["method", "route", "status"],
    registry=OWN,
)
SECONDS = Histogram(
    "marketplace_http_request_seconds",
    "Seconds from the headers read to the response.",
    ["route"],
    registry=OWN,
    buckets=BUCKETS,
)
DATABASE = Counter(
    "marketplace_database_seconds",
    "Seconds waited for PostgreSQL, by route.",
    ["route"],
    registry=OWN,
)
SIGN_INS = Counter(
    "marketplace_sign_ins", "Passwords checked, by outcome.", ["outcome"], registry=OWN
)
for _outcome in ("right", "wrong", "held_up", "spraying"):
    SIGN_INS.labels(_outcome)  # from 0 on: Prometheus sees no rise in a series that starts with 1
DECODED = Counter(
    "marketplace_images_decoded", "Uploaded images, by outcome.", ["outcome"], registry=OWN
)
for _outcome in ("made", "refused", "time", "memory", "crashed"):
    DECODED.labels(_outcome)
POOL = Gauge(
    "marketplace_pool_connections",
    "Connections of the pools, by state.",
    ["state"],
    registry=OWN,
    multiprocess_mode="livesum",
)
POOL_WAITED = Counter(
    "marketplace_pool_waited_seconds", "Seconds waited for a connection of the pool.", registry=OWN
)
READS = Counter(
    "marketplace_reads",
    "Public reads with replicas, by server.",
    ["server"],
    registry=OWN,
)
PROVIDER_SECONDS = Histogram(
    "marketplace_provider_seconds",
    "Seconds of calls to somebody else, by outcome.",
    ["provider", "call", "outcome"],
    registry=OWN,
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
_pool_known: dict[str, float] = {"at": 0.0, "waited": 0.0}
_pool_lock = threading.Lock()


def count_request(
    method: str, route: str | None, status: int, seconds: float, database: float
) -> None:
    """Count one request; `route` is the pattern, never the path."""
    requests, spent, buckets, waited = _values(
        method if method in METHODS else "other", route or "none", status
    )
    requests.inc(1)
    spent.inc(seconds)
    buckets[bisect_left(BUCKETS, seconds)].inc(1)
    waited.inc(database)


@lru_cache(maxsize=4096)
def _values(method: str, route: str, status: int) -> tuple[Any, Any, list[Any], Any]:
    """Return what is counted of a kind of request: the number, seconds, their buckets, and seconds
    of the database. To look them up, or to go through their metrics, costs more than to count.
    """
    number, seconds = REQUESTS.labels(method, route, status), SECONDS.labels(route)
    return number._value, seconds._sum, seconds._buckets, DATABASE.labels(route)._value


def pool(stats_of: Callable[[], Mapping[str, int]]) -> None:
    """A pool's own statistics (psycopg_pool's get_stats); read once a second at most."""
    now = time.monotonic()
    if now - _pool_known["at"] < PAUSE:
        return
    with _pool_lock:
        _pool_known["at"] = now
        stats = stats_of()
        waited = stats.get("requests_wait_ms", 0) / 1000
        POOL_WAITED.inc(max(0.0, waited - _pool_known["waited"]))
        _pool_known["waited"] = waited
    idle = stats.get("pool_available", 0)
    POOL.labels("idle").set(idle)
    POOL.labels("busy").set(stats.get("pool_size", 0) - idle)
    POOL.labels("awaited").set(stats.get("requests_waiting", 0))


def calls_since(before: dict[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """Return how many calls to others this process has made, and their seconds, by name and label,
    since the last time; `before` is what was said then, and is brought up to date.
    """
    names = {"_count": "provider_calls_total", "_sum": "provider_call_seconds_total"}
    now: dict[tuple[str, str], float] = {}
    for family in PROVIDER_SECONDS.collect():
        for sample in family.samples:
            name = names.get(sample.name.removeprefix(family.name))
            if name is not None:
                words = (sample.labels[each] for each in ("provider", "call", "outcome"))
                now[name, " ".join(words)] = sample.value
    fresh = {key: value - before.get(key, 0) for key, value in now.items()}
    before.update(now)
    return {key: value for key, value in fresh.items() if value > 0}


class _State:
    """What the database and the host know, read once a scrape."""

    def __init__(self, rows: Iterable[Mapping[str, Any]] | None, backup_age: float | None) -> None:
        self._rows = rows
        self._backup_age = backup_age

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Yield the gauges."""
        yield GaugeMetricFamily(
            "marketplace_database_up",
            "Whether PostgreSQL responded to this scrape.",
            value=0 if self._rows is None else 1,
        )
        if self._backup_age is not None:
            words = "Seconds since the last successful backup of this host."
            yield GaugeMetricFamily("marketplace_backup_age_seconds", words, value=self._backup_age)
        families: dict[str, GaugeMetricFamily] = {}
        for row in self._rows or ():
            name = f"marketplace_{row['name']}"
            labels = dict(row["labels"])
            family = families.setdefault(
                name, GaugeMetricFamily(name, row["words"], labels=list(labels) or None)
            )
            family.add_metric(list(labels.values()), float(row["value"]))
        yield from families.values()


def text(rows: Iterable[Mapping[str, Any]] | None, backup_age: float | None = None) -> bytes:
    """Return everything, in Prometheus's format.

    `rows` are those of queries.metrics, None while the database is away; `backup_age` is in
    seconds, None if there is no backup.
    """
    registry = CollectorRegistry()
    if FOLDER:
        multiprocess.MultiProcessCollector(registry, FOLDER)  # type: ignore[no-untyped-call]
    answer = generate_latest(registry if FOLDER else OWN)
    state = CollectorRegistry()
    state.register(_State(list(rows) if rows is not None else None, backup_age))
    return answer + generate_latest(state)
