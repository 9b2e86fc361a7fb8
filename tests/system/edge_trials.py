"""How old what nginx gives may be: a price is changed, and anonymous readers ask until they see it.
`make edge`.

After a silence of several seconds, and with other readers asking all the while; each change at
another point of the second. Also how long readers wait, and how many of them the application hears
of.
"""

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from support.behind_nginx import Site

from system.attack import Client

SILENCE = 4.0


class Asking(NamedTuple):
    """What readers saw: waits in seconds, and statuses."""

    waits: list[float]
    statuses: Counter[int]


def change(
    at: Site, client: Client, seller: str, path: str, trials: int, silence: float
) -> list[float]:
    """Seconds from the answer to a change until an anonymous reader saw it, for each trial."""
    found = []
    for number in range(trials):
        time.sleep(silence + random.random())
        price = f"{1000 + number}.00"
        client.call("PATCH", path, {"price": price}, seller)
        changed = time.monotonic()
        conn = http.client.HTTPConnection(at.base.removeprefix("http://"), timeout=20)
        while True:
            conn.request("GET", path)
            if json.loads(conn.getresponse().read())["price"] == price:
                break
            time.sleep(0.005)
        found.append(time.monotonic() - changed)
    return found


@contextmanager
def readers(at: Site, path: str, count: int) -> Iterator[Asking]:
    """So many who ask for the path, each on a connection of its own, twenty times a second."""
    asking, over = Asking([], Counter()), threading.Event()

    def read() -> None:
        conn = http.client.HTTPConnection(at.base.removeprefix("http://"), timeout=20)
        while not over.is_set():
            began = time.monotonic()
            conn.request("GET", path, headers={"Accept-Encoding": "gzip"})
            answer = conn.getresponse()
            answer.read()
            asking.waits.append(time.monotonic() - began)
            asking.statuses[answer.status] += 1
            time.sleep(0.05)

    threads = [threading.Thread(target=read) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield asking
    finally:
        over.set()
        for thread in threads:
            thread.join()


def states(at: Site, path: str) -> Counter[str]:
    """How nginx says it answered anonymous readers of the path."""
    time.sleep(0.5)  # its log is written a moment later
    lines = map(json.loads, (at.folder / "marketplace.log").read_text().splitlines())
    return Counter(
        line["cache"] for line in lines if line["path"] == path and line["method"] == "GET"
    )


def report(at: Site, client: Client, seller: str, product: int, trials: int) -> None:
    """Print what was found."""
    path = f"/api/products/{product}"
    quiet = change(at, client, seller, path, max(trials // 4, 1), SILENCE)
    print(
        f"changed after {SILENCE:.0f} s of silence: seen after {max(quiet):.3f} s at most "
        f"({len(quiet)} trials)"
    )
    before, began = states(at, path), time.monotonic()
    with readers(at, path, 50) as asking:
        busy = change(at, client, seller, path, trials, 0.2)
    seconds = time.monotonic() - began
    print(f"changed under 50 readers: seen after {max(busy):.3f} s at most ({len(busy)} trials)")
    waits = sorted(asking.waits)
    print(
        f"their {len(waits)} answers: {dict(asking.statuses)}, median "
        f"{waits[len(waits) // 2] * 1e3:.1f} ms,"
        f" 99 % within {waits[len(waits) * 99 // 100] * 1e3:.1f} ms, the slowest "
        f"{waits[-1] * 1e3:.0f} ms"
    )
    found = states(at, path) - before
    renewed = sum(found[state] for state in ("MISS", "EXPIRED", "STALE"))
    print(f"nginx: {dict(found)}; sent on {renewed / seconds:.2f} a second, {seconds:.0f} s")
