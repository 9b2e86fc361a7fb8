"""What signing in tells and costs, measured behind nginx with bcrypt's own cost: `timing`,
`beside`, `burst`.

    PYTHONPATH=.:tests .venv/bin/python tests/system/sign_in_trials.py timing --tries 200
    PYTHONPATH=.:tests .venv/bin/python tests/system/sign_in_trials.py beside --rate 50 --seconds 20
    PYTHONPATH=.:tests .venv/bin/python tests/system/sign_in_trials.py burst --people 32

`timing`: wrong passwords for as many known as unknown addresses, in turns; what tells them apart
(area under the ROC curve; 0.5 is nothing). `beside`: listings in an open loop, idle, then with one
sign-in always under way. `burst`: people who all sign in at once, with the right password, from one
address; then again beside a flood of wrong ones from another.
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
from concurrent.futures import ThreadPoolExecutor
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
    options.add_argument("what", choices=("timing", "beside", "burst"))
    options.add_argument("--people", type=int, default=32)
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
        return {"timing": timing, "beside": beside, "burst": burst}[args.what](args, at)


def call(
    at: Site, method: str, path: str, document: object = None, source: str = "127.0.0.1"
) -> tuple[int, float]:
    """The status, and milliseconds."""
    host = at.base.removeprefix("http://")
    conn = http.client.HTTPConnection(host, timeout=60, source_address=(source, 0))
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


def burst(args: argparse.Namespace, at: Site) -> int:
    """People at once, alone and beside a flood."""
    people = [f"person{number}@t.example" for number in range(args.people)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda email: register(at, email), people))
    report("idle", listings(args, at))
    for flooded in (False, True):
        over = threading.Event()
        looked_at: list[int] = []
        threads = [
            threading.Thread(target=flood, args=(at, number, over, looked_at))
            for number in range(64 if flooded else 0)
        ]
        entered: list[tuple[int, float]] = []
        threads.append(threading.Thread(target=enter, args=(at, people, entered)))
        for thread in threads:
            thread.start()
        beside_it = "a burst, and a flood of wrong ones" if flooded else "a burst"
        report(beside_it, listings(args, at))
        over.set()
        for thread in threads:
            thread.join()
        print(
            f"{sum(status == 200 for status, _ in entered)} of {args.people} got in, the last after "
            f"{max(spent for _, spent in entered) / 1000:.1f} s; of the flood's {len(looked_at)} "
            f"{sum(status == 401 for status in looked_at)} were looked at",
            flush=True,
        )
    return 0


def register(at: Site, email: str) -> None:
    document = {"name": "Sari", "email": email, "password": PASSWORD}
    assert call(at, "POST", "/api/auth/register", document)[0] == 201


def enter(at: Site, people: list[str], entered: list[tuple[int, float]]) -> None:
    """All at once, a second after the listings have begun."""
    time.sleep(1)

    def one(email: str) -> None:
        document = {"email": email, "password": PASSWORD}
        entered.append(call(at, "POST", "/api/auth/login", document, "127.0.0.3"))

    with ThreadPoolExecutor(len(people)) as pool:
        list(pool.map(one, people))


def flood(at: Site, number: int, over: threading.Event, looked_at: list[int]) -> None:
    """Wrong passwords for accounts that are other ones each time, as fast as they are refused."""
    tries = 0
    while not over.is_set():
        tries += 1
        document = {"email": f"flood{number}.{tries}@t.example", "password": "wrong"}
        looked_at.append(call(at, "POST", "/api/auth/login", document, "127.0.0.66")[0])
        time.sleep(0.05)


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
