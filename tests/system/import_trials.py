"""Tries imports while the worker and PostgreSQL are killed (`crash`), and beside buyers (`beside`).

    PYTHONPATH=.:tests .venv/bin/python tests/system/import_trials.py crash --imports 20 --rows 6000
    PYTHONPATH=.:tests .venv/bin/python tests/system/import_trials.py beside --rows 200000 --rate 50

It makes its own shop in a folder that it throws away: an embedded PostgreSQL (with fsync),
gunicorn, a worker. `crash` exits 1 unless every import ends with all its rows as products, updated
ones too, none twice, and counts that say so. `beside` prints how long listings take (an open loop),
and how long sales of the store's own products wait.
"""

import argparse
import http.client
import io
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import dict_row
from support.behind_nginx import database
from support.server import Server

from marketplace.config.settings import ROOT
from marketplace.postgres.embedded import server as embedded_server
from system.uploads import shop

HEAD = "Nama Produk,Harga,Stok,SKU,Link Produk,Link Gambar,Nama Toko,Kategori,Deskripsi\n"
WORDS = [
    "kopi",
    "susu",
    "besar",
    "murah",
    "original",
    "promo",
    "kaos",
    "batik",
    "merah",
    "ringan",
    "garansi",
    "resmi",
]
#: Connections of the open loop.
LISTERS = 8


class Place(NamedTuple):
    """Where everything runs."""

    folder: Path
    url: str
    server: Server

    def worker(self) -> subprocess.Popen[bytes]:
        env = {**os.environ, "DATABASE_URL": self.url, "DATA_DIR": str(self.folder / "data")}
        env["UPLOADS_DIR"] = str(self.folder / "uploads")
        with (self.folder / "worker.log").open("ab") as log:
            command = [sys.executable, "-m", "marketplace", "worker"]
            return subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("what", choices=("crash", "beside"))
    options.add_argument("--imports", type=int, default=20)
    options.add_argument("--rows", type=int, default=6000)
    options.add_argument("--rate", type=float, default=50, help="listings a second")
    options.add_argument(
        "--seconds", type=float, default=20, help="how long the idle server is measured"
    )
    args = options.parse_args()
    with place() as at:
        token, _ = shop(at.server)
        return (crash if args.what == "crash" else beside)(args, at, token)


@contextmanager
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as name, database(Path(name)) as url:
        server = Server(url, Path(name))
        try:
            yield Place(Path(name), url, server)
        finally:
            server.process.terminate()
            server.process.wait(30)
            embedded_server.start(Path(name) / "pg").stop()  # if it was killed last


def send(at: Place, token: str, text: bytes, query: str = "") -> int:
    headers = {"Authorization": f"Bearer {token}", "Content_Type": "text/csv"}
    for _ in range(100):
        try:
            status, answer = at.server.call(
                "POST", f"/api/products/import-csv{query}", text, **headers
            )
        except (OSError, http.client.HTTPException):
            status = 0
        if status == 202:
            return int(answer["id"])
        time.sleep(0.3)
    raise SystemExit(f"no import was taken: {status}")


def rows_of(run: int, rows: int, price: int) -> bytes:
    """A file; every fifth row is also in the file of the run before, with another price and
    stock.
    """
    rng = random.Random(run)
    out = io.StringIO(HEAD)
    out.seek(0, io.SEEK_END)
    for number in range(rows):
        known = run and number % 5 == 0
        key = f"{run - 1}-{number + 1}" if known else f"{run}-{number}"
        name = f"Produk {key} {' '.join(rng.choices(WORDS, k=6))}"
        about = " ".join(rng.choices(WORDS, k=20))
        out.write(
            f"{name},Rp{price + number},{rng.randrange(50)},S-{key},https://toko.example/{key},"
            f"https://gambar.example/{key}.jpg,Merek {number % 90},Rumah > Dapur "
            f"{number % 40},{about}\n"
        )
    return out.getvalue().encode()


# Crashes
# ----------------------------------------------------------------------------------------------------


def crash(args: argparse.Namespace, at: Place, token: str) -> int:
    kills: Counter[str] = Counter()
    wrong = 0
    worker = at.worker()
    started = time.monotonic()
    for run in range(args.imports):
        mode = "atomic" if run % 4 == 3 else "skip_bad"
        import_id = send(at, token, rows_of(run, args.rows, 1000 * (run + 1)), f"?mode={mode}")
        worker, ended = _through(at, worker, import_id, kills)
        problems = _judge(at, args.rows, run, ended)
        wrong += bool(problems)
        print(
            f"import {run} ({mode}): {ended['state']}, attempts {ended['attempt']} "
            f"{'; '.join(problems)}",
            flush=True,
        )
    worker.kill()
    worker.wait()
    spent = time.monotonic() - started
    print(
        f"{args.imports} imports of {args.rows} rows in {spent:.0f} s; killed {dict(kills)}; "
        f"{wrong} wrong"
    )
    return 1 if wrong else 0


def _through(
    at: Place, worker: subprocess.Popen[bytes], import_id: int, kills: Counter[str]
) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    """Sees one import to its end: kills the worker twice and PostgreSQL once, whenever that is."""
    victims = random.sample(["worker", "worker", "postgres"], 3)
    due = time.monotonic() + random.uniform(0.3, 2.5)
    while True:
        if victims and time.monotonic() > due:
            victim = victims.pop()
            kills[victim] += 1
            if victim == "worker":
                worker.kill()
                worker.wait()
                _forget_heartbeats(at)
                worker = at.worker()
            else:
                file = at.folder / "pg" / "pg" / "postmaster.pid"
                os.kill(
                    int(file.read_text().split()[0]), random.choice((signal.SIGKILL, signal.SIGINT))
                )
                time.sleep(0.5)
                embedded_server.start(at.folder / "pg")
            due = time.monotonic() + random.uniform(0.3, 2.5)
        found = _find(at, import_id)
        if found and found["finished_at"]:
            return worker, found
        time.sleep(0.1)


def _forget_heartbeats(at: Place) -> None:
    """Half a minute goes by, as far as the queue can tell."""
    with psycopg.connect(at.url) as conn:
        conn.execute(
            "UPDATE jobs.procrastinate_workers SET last_heartbeat = now() - interval '1 minute'"
        )


def _find(at: Place, import_id: int) -> dict[str, Any] | None:
    try:
        with psycopg.connect(at.url, row_factory=dict_row, connect_timeout=2) as conn:
            return conn.execute("SELECT * FROM imports WHERE id = %s", [import_id]).fetchone()
    except psycopg.OperationalError:
        return None


def _judge(at: Place, rows: int, run: int, ended: dict[str, Any]) -> list[str]:
    fresh = rows - (len(range(0, rows, 5)) if run else 0)
    problems = []
    counts = {
        name: ended[f"rows_{name}"]
        for name in ("read", "valid", "created", "updated", "unchanged", "bad")
    }
    expected = {
        "read": rows,
        "valid": rows,
        "created": fresh,
        "updated": rows - fresh,
        "unchanged": 0,
        "bad": 0,
    }
    if ended["state"] != "done" or counts != expected:
        problems.append(f"counts {counts}, expected {expected}")
    with psycopg.connect(at.url, row_factory=dict_row) as conn:
        there = conn.execute(
            "SELECT count(*) AS products, count(DISTINCT p.sku) AS skus, count(i.product_id) AS "
            "stocks,"
            " count(d.product_id) AS documents, count(s.product_id) AS words"
            " FROM products AS p LEFT JOIN inventory AS i ON i.product_id = p.id"
            " LEFT JOIN product_documents AS d ON d.product_id = p.id"
            " LEFT JOIN product_search AS s ON s.product_id = p.id"
            " WHERE p.sku LIKE 'S-' || %s || '-%%'",
            [run],
        ).fetchone()
        left = conn.execute("SELECT count(*) AS rows FROM import_rows").fetchone()
    if there is None or set(there.values()) != {fresh}:
        problems.append(f"products {there}, expected {fresh} of each")
    if left is None or left["rows"]:
        problems.append(f"staged rows left: {left}")
    return problems


# Beside buyers
# ----------------------------------------------------------------------------------------------


def beside(args: argparse.Namespace, at: Place, token: str) -> int:
    worker = at.worker()
    _wait(at, send(at, token, rows_of(0, 20_000, 1000)))
    until = time.monotonic() + args.seconds
    _report("idle", *_measured(args, at, lambda: time.monotonic() > until))
    started = time.monotonic()
    import_id = send(at, token, rows_of(1, args.rows, 5000))
    _report(
        "importing",
        *_measured(args, at, lambda: bool((_find(at, import_id) or {}).get("finished_at"))),
    )
    found = _find(at, import_id) or {}
    spent = time.monotonic() - started
    print(
        f"{found['rows_created']:,} created, {found['rows_updated']:,} updated in {spent:.0f} s; ",
        end="",
    )
    print(f"{found['rows_read'] / spent:,.0f} rows/s; longest batch {found['locked_ms']} ms")
    worker.terminate()
    worker.wait(60)
    return 0


def _measured(
    args: argparse.Namespace, at: Place, over: Callable[[], bool]
) -> tuple[list[float], list[float]]:
    """Milliseconds of listings, sent at their times whether or not the one before was answered,
    and of sales.
    """
    listings: list[float] = []
    sales: list[float] = []
    done = threading.Event()

    def lister(offset: float) -> None:
        conn = http.client.HTTPConnection("127.0.0.1", at.server.port)
        due = time.monotonic() + offset
        while not done.is_set():
            time.sleep(max(0.0, due - time.monotonic()))
            conn.request("GET", "/api/products?per_page=20")
            conn.getresponse().read()
            listings.append(1000 * (time.monotonic() - due))
            due += LISTERS / args.rate

    def seller() -> None:
        with psycopg.connect(at.url, autocommit=True) as conn:
            ids = [
                row[0]
                for row in conn.execute(
                    "SELECT id FROM products WHERE sku LIKE 'S-0-%' ORDER BY id"
                )
            ]
            while not done.is_set():
                started = time.monotonic()
                conn.execute(
                    "UPDATE inventory SET quantity = greatest(quantity - 1, 0) WHERE product_id "
                    "= %s",
                    [random.choice(ids)],
                )
                sales.append(1000 * (time.monotonic() - started))
                time.sleep(0.02)

    threads = [threading.Thread(target=lister, args=(each / args.rate,)) for each in range(LISTERS)]
    threads.append(threading.Thread(target=seller))
    for thread in threads:
        thread.start()
    while not over():
        time.sleep(0.2)
    done.set()
    for thread in threads:
        thread.join()
    return listings, sales


def _report(what: str, listings: list[float], sales: list[float]) -> None:
    for name, times in (("listings", listings), ("sales", sales)):
        p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
        print(
            f"{what}: {len(times)} {name}, p50 {p50:.1f} ms, p99 {p99:.1f}, max {max(times):.1f}",
            flush=True,
        )


def _wait(at: Place, import_id: int) -> None:
    while not (found := _find(at, import_id)) or not found["finished_at"]:
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
