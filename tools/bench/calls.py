"""What a call costs in Python: the application in one process, without a server, and beside it that
of another checkout.

Both run in turns, round after round, against the same database, so that a busy machine slows both.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from marketplace.config.settings import ROOT, Config
from tools.bench.fill import Report
from tools.bench.samples import Samples

CALLEE = Path(__file__).with_name("callee.py")
#: The limits of reads are counted, and not reached.
LIMITS = ",".join(f"{name}=100000000" for name in ("read", "search", "quote", "write"))
#: A round makes each call so often: rounds are short and many, since a busy machine is not always
#: busy.
TIMES = 40
Call = dict[str, Any]


def build(samples: Samples, token: str, only: str = "") -> list[Call]:
    """Return the measured calls, those without a token first; all, or those that are named."""
    category, store = samples.categories[0]["id"], samples.stores[1]["id"]
    product = samples.products[0]["id"]
    open_to_all = {
        "/healthz": "/healthz",
        "product": f"/api/products/{product}",
        "list": f"/api/products?category_id={category}",
        "list, newest": "/api/products?count=none",
        "list, mixed": f"/api/products?store_id={store}&sort_by=price",
        "feed": "/api/changes",
        "store": f"/api/stores/{store}",
    }
    private = {
        "profile": "/api/users/profile",
        "cart": "/api/cart",
        "addresses": "/api/users/addresses",
        "activities": "/api/users/activities",
        "orders": "/api/orders",
        "own products": "/api/stores/mine/products",
        "product, signed in": f"/api/products/{product}",
    }
    bearer = {"Authorization": f"Bearer {token}"}
    calls = [_get(name, path, {}) for name, path in open_to_all.items()]
    calls += [_get(name, path, bearer) for name, path in private.items()]
    quote = {"headers": {**bearer, "Content-Type": "application/json"}, "json": {}}
    calls.append({"name": "quote", "method": "POST", "path": "/api/checkout/quote", **quote})
    return [call for call in calls if not only or call["name"] in only.split(",")]


def _get(name: str, path: str, headers: dict[str, str]) -> Call:
    return {"name": name, "method": "GET", "path": path, "headers": headers}


def measure(
    config: Config, calls: Sequence[Call], report: Report, *, beside: Path | None, rounds: int
) -> None:
    """Print microseconds of CPU a call: the least and the median of the rounds; beside them the
    other checkout's, and the ratio of both.
    """
    trees = [ROOT, beside] if beside else [ROOT]
    taken: dict[tuple[Path, str], list[float]] = {}
    with ExitStack() as stack:
        running = [(tree, stack.enter_context(_serving(tree, config, calls))) for tree in trees]
        for number in range(rounds + 1):
            for tree, child in running if number % 2 else running[::-1]:
                for name, each in _asked(child, str(TIMES)).items():
                    if number:
                        taken.setdefault((tree, name), []).append(each)
    more = f"{'beside':>9} {'median':>9} {'ratios':>12}" if beside else ""
    report(f"{'us of CPU':20} {'least':>9} {'median':>9} {more}")
    for call in calls:
        found = [taken[tree, call["name"]] for tree in trees]
        least, middle = [min(each) for each in found], [statistics.median(each) for each in found]
        line = " ".join(f"{a:9.1f} {b:9.1f}" for a, b in zip(least, middle, strict=True))
        if beside:
            line += f" {least[0] / least[1]:6.2f}{middle[0] / middle[1]:6.2f}"
        report(f"{call['name']:20} {line}")


@contextmanager
def _serving(
    tree: Path, config: Config, calls: Sequence[Call]
) -> Iterator["subprocess.Popen[str]"]:
    """The application of a checkout, in a process for the length of the block. It counts in files
    and logs, as a worker does; nobody reads either.
    """
    with tempfile.TemporaryDirectory() as counts:
        env = {
            **os.environ,
            "PYTHONPATH": str(tree),
            "DATABASE_URL": config.database_url,
            "SECRET_KEY": config.secret_keys[0],
            "RATE_LIMITS": LIMITS,
            "POOL_SIZE": "1",
            "LOG_FORMAT": "json",
            "PROMETHEUS_MULTIPROC_DIR": counts,
        }
        with subprocess.Popen(
            [sys.executable, str(CALLEE)],
            cwd=tree,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as child:
            _asked(child, json.dumps(calls))
            yield child
            child.communicate()


def _asked(child: "subprocess.Popen[str]", line: str) -> dict[str, float]:
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("it has no pipes")
    child.stdin.write(f"{line}\n")
    child.stdin.flush()
    answer = child.stdout.readline()
    if not answer:
        raise RuntimeError(f"the calls failed in {child.args!r}")
    found: dict[str, float] = json.loads(answer)
    return found
