"""Looks for the most expensive public request: a few thousand random ones, each with the database
time it took.

The application runs in this process with one connection, so that the CPU time of that connection's
backend before and after a request is the request's.
"""

import random
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode

import falcon.testing
import orjson

from marketplace.app import create_app
from marketplace.config.settings import Config
from marketplace.ops.progress import Progress
from marketplace.postgres.database import Database
from tools.bench import processes
from tools.bench.samples import Samples, misspell

AGAIN = 40  # of the dearest, which are sent again
TIMES = 3
LIMIT = 50.0  # milliseconds that no public request may take


class Asked(NamedTuple):
    """A request, its response's status (and code, if it was refused), and milliseconds of database
    CPU.
    """

    path: str
    status: str
    milliseconds: float


class Meter:
    """The application on one connection, and the CPU use of that connection's backend."""

    def __init__(self, config: Config) -> None:
        self.db = Database(config)
        self.client = falcon.testing.TestClient(create_app(config, self.db))
        with self.db.read(0) as conn:
            self.backend = conn.info.backend_pid

    def ask(self, path: str) -> tuple[Asked, Any]:
        """GET a path with its query; return its cost, and the response."""
        before = processes.running(self.backend)
        answer = self.client.simulate_get(path)
        used = processes.running(self.backend) - before
        kind = answer.headers.get("content-type", "")
        content = orjson.loads(answer.content) if kind.startswith("application/") else {}
        status = str(answer.status_code)
        if "code" in content:
            status += f" {content['code']}"
        return Asked(path, status, used / 1000), content

    def close(self) -> None:
        """Return the connection."""
        self.db.close()


class Search(NamedTuple):
    """All requests, and the dearest, measured again, from the worst on: those with words, and those
    without.
    """

    asked: list[Asked]
    with_words: list[Asked]
    without: list[Asked]


def search(config: Config, samples: Samples, *, requests: int, seed: int) -> Search:
    """Send so many random requests, and the dearest again: of those the median counts. `config` has
    a pool of one.
    """
    rng = random.Random(seed)  # noqa: S311 - which requests, no secret
    meter = Meter(config)
    asked: list[Asked] = []
    try:
        with Progress("requests", requests) as bar:
            for path in _paths(rng, samples, requests):
                one, content = meter.ask(path)
                asked.append(one)
                follow = content.get("next_cursor")
                if follow and "page=" not in path and rng.random() < 0.3 and len(asked) < requests:
                    asked.append(meter.ask(_behind(path, follow))[0])
                    bar.add(1)
                bar.add(1)
                if len(asked) >= requests:
                    break
        dearest = sorted({one.path: one for one in asked}.values(), key=_time, reverse=True)
        groups = (
            [one for one in dearest if _has_words(one.path) is words][:AGAIN]
            for words in (True, False)
        )
        again = [
            sorted((_again(meter, one.path) for one in group), key=_time, reverse=True)
            for group in groups
        ]
    finally:
        meter.close()
    return Search(asked, *again)


def report(found: Search, say: Callable[[str], None], *, shown: int = 10) -> int:
    """Print it; return how many of the dearest are over the limit."""
    times = sorted(one.milliseconds for one in found.asked)
    say(f"{len(times)} requests; milliseconds of database CPU: p50 {times[len(times) // 2]:.2f}, "
        f"p90 {times[len(times) * 9 // 10]:.2f}, p99 {times[len(times) * 99 // 100]:.2f}")  # fmt: skip
    for status, count in Counter(one.status for one in found.asked).most_common():
        say(f"  {count:6} x {status}")
    over = 0
    for what, group in (("with words", found.with_words), ("without", found.without)):
        say(f"The dearest {what}, median of {TIMES}:")
        for one in group[:shown]:
            say(f"  {one.milliseconds:9.2f} ms  {one.status}  {one.path}")
        more = sum(one.milliseconds > LIMIT for one in group)
        say(f"  over {LIMIT:.0f} ms: {more or 'none'}{' or more' if more == AGAIN else ''}")
        over += more
    return over


def _paths(rng: random.Random, samples: Samples, count: int) -> Iterator[str]:
    kinds = (_products, _brands, _suggestions, _others)
    for _ in range(count):
        yield rng.choices(kinds, weights=(80, 4, 8, 8))[0](rng, samples)


def _products(rng: random.Random, samples: Samples) -> str:
    """Return a list with any filters, order, page, words and facets."""
    query: dict[str, Any] = {}
    if rng.random() < 0.45:
        query["category_id"] = _one_of(rng, samples.categories)
    if rng.random() < 0.3:
        query["brand_id"] = _one_of(rng, samples.brands)
    if rng.random() < 0.2:
        query["store_id"] = _one_of(rng, samples.stores)
    if rng.random() < 0.35:
        query.update(_prices(rng, samples))
    if rng.random() < 0.3:
        query["in_stock"] = rng.choice(("true", "false"))
    if rng.random() < 0.03:
        query["ids"] = ",".join(
            str(product["id"]) for product in rng.choices(samples.products, k=20)
        )
    if rng.random() < 0.4:
        query["search"] = _text(rng, samples)
    if rng.random() < 0.6:
        query["sort_by"] = rng.choice(("newest", "created_at", "price", "name", "relevance"))
    if rng.random() < 0.4:
        query["sort_order"] = rng.choice(("asc", "desc"))
    if rng.random() < 0.25:
        query["facets"] = ",".join(
            rng.sample(("category", "brand", "price", "in_stock"), rng.randint(1, 4))
        )
    query.update(_window(rng, "search" in query))
    return f"/api/products?{urlencode(query)}"


def _window(rng: random.Random, words: bool) -> dict[str, Any]:
    """Return the first page, one of the next, or the deepest that is allowed."""
    size = rng.choice((20, 20, 20, 100, 50, 1))
    window: dict[str, Any] = {"per_page": size} if size != 20 else {}
    where = rng.random()
    if where < 0.2:
        window["page"] = rng.randint(2, 5)
    elif where < 0.3:
        window["page"] = (500 if words else 10_000) // size
    if rng.random() < 0.05:
        window["count"] = rng.choice(("exact", "none"))
    return window


def _prices(rng: random.Random, samples: Samples) -> dict[str, Any]:
    """Return a range about a real price: wide, narrow, open, of one price, or with
    nothing in it.
    """
    price = rng.choice(samples.products)["price"]
    return rng.choice(
        (
            {"min_price": price},
            {"max_price": price},
            {"min_price": price, "max_price": price * 2},
            {"min_price": price, "max_price": price},
            {"min_price": price, "max_price": price + 400},
            {"min_price": price + 1, "max_price": price + 2},
            {"min_price": 10**12},
            {"max_price": 1},
        )
    )


def _text(rng: random.Random, samples: Samples) -> str:
    """Return words as buyers type them, and as nobody should."""
    name = rng.choice(samples.products)["name"]
    made: tuple[Callable[[], str], ...] = (
        lambda: rng.choice(samples.common),
        lambda: " ".join(rng.sample(samples.common, rng.randint(2, 6))),
        lambda: rng.choice(samples.rare),
        lambda: rng.choice(samples.absent),
        lambda: f"{rng.choice(samples.common)} {rng.choice(samples.absent)}",
        lambda: samples.three(rng),
        lambda: samples.misspelt(rng),
        lambda: " ".join(samples.misspelt(rng) for _ in range(3)),
        lambda: name,
        lambda: name[: rng.randint(1, 6)],
        lambda: rng.choice(samples.brands)["name"],
        lambda: rng.choice(samples.categories)["name"],
        lambda: f'"{name}"',
        lambda: f"{rng.choice(samples.common)} or {rng.choice(samples.rare)}",
        lambda: f"{rng.choice(samples.common)} -{rng.choice(samples.common)}",
        lambda: f"-{rng.choice(samples.rare)}",
        lambda: rng.choice("aekmst125"),
        lambda: " ".join(rng.choices(samples.common + samples.rare, k=20))[:200],
        lambda: misspell(rng, rng.choice(samples.common)),
    )
    return rng.choice(made)()


def _suggestions(rng: random.Random, samples: Samples) -> str:
    text = _text(rng, samples)
    return f"/api/products/suggest?{urlencode({'q': text[: rng.randint(1, len(text))]})}"


def _brands(rng: random.Random, samples: Samples) -> str:
    query: dict[str, Any] = _window(rng, False)
    if rng.random() < 0.7:
        name = rng.choice(samples.brands)["name"]
        query["search"] = rng.choice(
            (name, name[:2], name[1:4], name[0], rng.choice(samples.absent))
        )
    return f"/api/brands?{urlencode(query)}"


def _others(rng: random.Random, samples: Samples) -> str:
    return rng.choice(
        (
            f"/api/products/{rng.choice(samples.products)['id']}",
            f"/api/products/{rng.randrange(1, 10**9)}",
            f"/api/brands/{_one_of(rng, samples.brands)}",
            f"/api/stores/{_one_of(rng, samples.stores)}",
            f"/api/categories/{_one_of(rng, samples.categories)}",
            "/api/categories",
            "/api/stores",
            "/api/changes",
            "/api/changes?types=brand,store",
            "/readyz",
        )
    )


def _one_of(rng: random.Random, rows: list[Any]) -> int:
    """Return the id of one of the largest, of the smallest, or any; seldom one
    that does not exist.
    """
    kind = rng.random()
    if kind < 0.35:
        return int(rng.choice(rows[:5])["id"])
    if kind < 0.6:
        return int(rng.choice(rows[-50:])["id"])
    return int(rng.choice(rows)["id"]) if kind < 0.97 else 10**9


def _behind(path: str, cursor: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}{urlencode({'cursor': cursor})}"


def _has_words(path: str) -> bool:
    return "search=" in path or "q=" in path


def _again(meter: Meter, path: str) -> Asked:
    same = [meter.ask(path)[0] for _ in range(TIMES)]
    return same[0]._replace(milliseconds=statistics.median(one.milliseconds for one in same))


def _time(one: Asked) -> float:
    return one.milliseconds
