"""What signing in tells and costs, measured behind nginx with bcrypt's own cost: `timing`,
`beside`.

    PYTHONPATH=.:tests .venv/bin/python tests/system/sign_in_trials.py timing --tries 200
    PYTHONPATH=.:tests .venv/bin/python tests/system/sign_in_trials.py beside --rate 50 --seconds 20

`timing`: wrong passwords for as many known as unknown addresses, in turns; what tells them apart
(area under the ROC curve; 0.5 is nothing). `beside`: listings in an open loop, idle, then with one
sign-in always under way.
"""

import argparse
import http.client
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from support.behind_nginx import Site, database, site

PASSWORD = "kopi-susu-tanpa-gula-7"
LISTERS = 8


def main() -> int:
    """Measure what is asked for."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("what", choices=("timing", "beside"))
    options.add_argument("--tries", type=int, default=200)
    options.add_argument("--rate", type=float, default=50, help="listings a second")
    options.add_argument("--seconds", type=float, default=20)
    args = options.parse_args()
    cost = {"BCRYPT_COST": "12", "RATE_LIMITS": "off"}
    with (
        tempfile.TemporaryDirectory() as name,
        database(Path(name)) as url,
        site(Path(name), url, wide=True, **cost) as at,
    ):
        return timing(args, at) if args.what == "timing" else beside(args, at)


def call(at: Site, method: str, path: str, document: object = None) -> tuple[int, float]:
    """The status, and milliseconds."""
    conn = http.client.HTTPConnection(at.base.removeprefix("http://"), timeout=60)
    started = time.perf_counter()
    body = None if document is None else json.dumps(document)
    conn.request(method, path, body, {"Content-Type": "application/json"})
    answer = conn.getresponse()
    answer.read()
    spent = 1000 * (time.perf_counter() - started)
    conn.close()
    return answer.status, spent


def sign_in(at: Site, email: str, password: str) -> tuple[int, float]:
    """A try; counts are forgotten, so that the next is looked at too."""
    with psycopg.connect(at.url, autocommit=True) as conn:
        conn.execute("DELETE FROM auth.sprayed")
        conn.execute("DELETE FROM auth.guesses")
        conn.execute("DELETE FROM auth.limits")
    return call(at, "POST", "/api/auth/login", {"email": email, "password": password})


def timing(args: argparse.Namespace, at: Site) -> int:
    """Known and unknown, in turns."""
    call(
        at,
        "POST",
        "/api/auth/register",
        {"name": "Sari", "email": "sari@t.example", "password": PASSWORD},
    )
    spent: dict[str, list[float]] = {"known": [], "unknown": []}
    for number in range(args.tries):
        for kind, email in (
            ("known", "sari@t.example"),
            ("unknown", f"nobody{number:04}@t.example"),
        ):
            status, milliseconds = sign_in(at, email, f"wrong-{number}")
            assert status == 401, status
            spent[kind].append(milliseconds)
    for kind, times in spent.items():
        print(
            f"{kind}: median {statistics.median(times):.1f} ms, stdev {statistics.stdev(times):.1f}"
        )
    pairs = [
        (known > unknown) + 0.5 * (known == unknown)
        for known in spent["known"]
        for unknown in spent["unknown"]
    ]
    print(f"AUC {statistics.mean(pairs):.3f} of {args.tries} tries each")
    return 0


def beside(args: argparse.Namespace, at: Site) -> int:
    """Listings by themselves, then beside sign-ins."""
    call(
        at,
        "POST",
        "/api/auth/register",
        {"name": "Sari", "email": "sari@t.example", "password": PASSWORD},
    )
    report("idle", listings(args, at))
    signed = []
    done = threading.Event()

    def user() -> None:
        while not done.is_set():
            signed.append(
                call(
                    at, "POST", "/api/auth/login", {"email": "sari@t.example", "password": PASSWORD}
                )
            )

    thread = threading.Thread(target=user)
    thread.start()
    report("one sign-in always under way", listings(args, at))
    done.set()
    thread.join()
    right = sum(status == 200 for status, _ in signed)
    print(
        f"{right} of {len(signed)} sign-ins, median "
        f"{statistics.median(spent for _, spent in signed):.0f} ms"
    )
    return 0


def listings(args: argparse.Namespace, at: Site) -> list[float]:
    """Milliseconds of listings past nginx's cache, sent at their times whether or not the one
    before was answered.
    """
    times: list[float] = []
    until = time.monotonic() + args.seconds

    def lister(offset: float) -> None:
        conn = http.client.HTTPConnection(at.base.removeprefix("http://"))
        due = time.monotonic() + offset
        while due < until:
            time.sleep(max(0.0, due - time.monotonic()))
            conn.request("GET", f"/api/products?per_page=20&min_price={len(times)}")
            conn.getresponse().read()
            times.append(1000 * (time.monotonic() - due))
            due += LISTERS / args.rate

    threads = [threading.Thread(target=lister, args=(each / args.rate,)) for each in range(LISTERS)]
    run: Callable[[threading.Thread], None]
    for run in (threading.Thread.start, threading.Thread.join):
        for thread in threads:
            run(thread)
    return times


def report(what: str, times: list[float]) -> None:
    """Median and 99th percentile."""
    p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
    print(
        f"{what}: {len(times)} listings, p50 {p50:.1f} ms, p99 {p99:.1f}, max {max(times):.1f}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
