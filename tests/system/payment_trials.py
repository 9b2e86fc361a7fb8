"""Pays at a provider that repeats itself, lies, falls silent and forgets, and proves what is left.

    PYTHONPATH=.:tests .venv/bin/python tests/system/payment_trials.py callbacks silent compared

A started system: gunicorn, a worker, PostgreSQL, and tests/servers/midtrans.py as the provider.
`callbacks`: each 8 times at once, in all orders, forged, stale, with a wrong amount or currency,
unknown, after a cancellation, before the opening was seen. `silent`: the provider is silent for
some minutes while buyers pay; what they paid must be settled five minutes after its return, and
other calls must not notice. `compared`: a provider's file lacks one payment and has one more.
After each: no deadlock, no broken invariant, no 500 in the log.
"""

import argparse
import contextlib
import csv
import http.client
import json
import os
import random
import re
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from servers.midtrans import Midtrans, running
from support import trial_system
from support.server import KEY, Server
from support.trial_system import Started

from marketplace.config.settings import ROOT
from system.checkout.market import DELIVERY, PRICE, Market

TOTAL = PRICE + DELIVERY
OPENINGS = ("bca_va", "qris", "snap")
STATES = "SELECT state FROM checkouts WHERE id = ANY(%s)"


class Paying(Market):
    """A market whose buyers pay at a provider."""

    def __init__(self, url: str, server: Server, bank: Midtrans) -> None:
        super().__init__(url, server)
        self.bank = bank
        bank.events = f"http://127.0.0.1:{server.port}/api/payments/midtrans/events"

    def buy(self, token: str, product: int, channel: str = "bca_va") -> dict[str, Any]:
        """Place one piece; the checkout. Who is told that the provider is silent tries again."""
        document = {
            "lines": [{"product_id": product, "quantity": 1}],
            "buy_now": True,
            "expected_total": str(TOTAL),
            "payment": {"method": "midtrans", "channel": channel},
        }
        end = time.monotonic() + 900
        while time.monotonic() < end:
            made = self.post(token, "/api/checkouts", document, self.key())
            if made.status == 201:
                return made.document
            assert made.code in ("payment_not_offered", "broke off") or made.status == 503, made
            time.sleep(1)
        raise AssertionError(made)

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with self.owner() as conn:
            return list(conn.execute(query, values).fetchall())

    def counted(self, query: str, *values: Any) -> Counter[str]:
        return Counter(next(iter(row.values())) for row in self.rows(query, *values))

    def until(self, condition: Callable[[], bool], seconds: float) -> float:
        """Wait for it; the seconds it took, -1 where it did not come."""
        start = time.monotonic()
        while time.monotonic() - start < seconds:
            if condition():
                return time.monotonic() - start
            time.sleep(0.5)
        return -1

    def opened(self, checkouts: list[dict[str, Any]], seconds: float = 60) -> None:
        """Wait until all sessions are open."""
        ids = [each["id"] for each in checkouts]
        query = "SELECT state FROM payments WHERE checkout_id = ANY(%s)"
        assert self.until(lambda: "opening" not in self.counted(query, ids), seconds) >= 0

    def tell(self, body: bytes) -> tuple[int, float]:
        """Send a callback; status and seconds."""
        start = time.monotonic()
        conn = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        with contextlib.closing(conn):
            headers = {"Content-Type": "application/json"}
            conn.request("POST", "/api/payments/midtrans/events", body, headers)
            answer = conn.getresponse()
            answer.read()
            return answer.status, time.monotonic() - start


def callbacks(market: Paying, args: argparse.Namespace) -> list[str]:
    """Each kind of a callback, many times; one effect."""
    (product,) = market.sell(1, 1, 10_000)
    bank, dice, faults = market.bank, random.Random(args.seed), []
    buyers = market.buyers[: args.orders]
    kinds: dict[str, list[dict[str, Any]]] = {}
    for kind in ("repeated", "mixed", "forged", "wrong_amount", "wrong_currency", "late"):
        with ThreadPoolExecutor(8) as pool:
            kinds[kind] = list(pool.map(lambda token: market.buy(token, product), buyers))
        market.opened(kinds[kind])
    bodies: list[tuple[str, bytes]] = []
    for kind, placed in kinds.items():
        for number, each in enumerate(placed):
            reference = f"{each['number']}.1"
            if kind == "late":
                path = f"/api/checkouts/{each['id']}/cancel"
                market.post(buyers[number], path, {}, market.key())
            pending = bank.notification(reference)
            if kind != "forged":
                bank.pay(reference, "1.00" if kind == "wrong_amount" else None)
            if kind == "wrong_currency":
                bank.transactions[reference]["currency"] = "USD"
            key = "another key" if kind == "forged" else ""
            paid = bank.notification(reference, key=key)
            bodies += [(kind, paid)] * 8
            bodies += [(kind, pending)] if kind in ("mixed", "late") else []
    bodies += [("unknown", bank.notification(f"NOBODY.{number}")) for number in range(50)]
    dice.shuffle(bodies)
    # others at the same time: eight threads, one callback after the other
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda pair: (pair[0], *market.tell(pair[1])), bodies))
    statuses = Counter((kind, status) for kind, status, _ in told)
    times = sorted(seconds for kind, status, seconds in told if status == 200)
    print(f"callbacks: {dict(statuses)}")
    print(
        f"  p50 {times[len(times) // 2] * 1000:.1f} ms, p99 {times[len(times) * 99 // 100] * 1000:.1f} ms"
    )
    faults += [
        f"{kind} got {status}"
        for kind, status in statuses
        if status != (400 if kind == "forged" else 200)
    ]
    applied = "SELECT id::text FROM provider_callbacks WHERE applied_at IS NULL"
    if market.until(lambda: not market.counted(applied), 120) < 0:
        faults.append("callbacks were not applied")
    wanted = {
        "repeated": ("settled", "paid", None), "mixed": ("settled", "paid", None),
        "forged": ("unpaid", "open", None), "wrong_amount": ("unpaid", "paid", "amount_mismatch"),
        "wrong_currency": ("unpaid", "paid", "currency_mismatch"), "late": ("cancelled", "paid", "late"),
    }  # fmt: skip
    for kind, placed in kinds.items():
        found = Counter(
            (row["checkout"], row["payment"], row["problem"])
            for row in market.rows(
                "SELECT c.state AS checkout, p.state AS payment, p.problem FROM checkouts AS c"
                " JOIN payments AS p ON p.checkout_id = c.id WHERE c.id = ANY(%s)",
                [each["id"] for each in placed],
            )
        )
        print(f"  {kind}: {dict(found)}")
        if found != {wanted[kind]: len(placed)}:
            faults.append(f"{kind}: {dict(found)}")
    ids = [each["id"] for kind in ("repeated", "mixed") for each in kinds[kind]]
    entries = market.rows(
        "SELECT count(*) AS n, count(DISTINCT source) AS sources FROM ledger_entries AS e JOIN payments AS p"
        " ON e.source = 'payment ' || p.id WHERE e.kind = 'payment' AND p.checkout_id = ANY(%s)",
        ids,
    )[0]
    if (entries["n"], entries["sources"]) != (len(ids), len(ids)):
        faults.append(f"{entries} entries of {len(ids)} payments")
    return faults + before_opening(market, product, args)


def before_opening(market: Paying, product: int, args: argparse.Namespace) -> list[str]:
    """Sessions whose opening nobody saw are paid and told before they are adopted. The breaker
    opens on the way: the last ones are tried minutes later.
    """
    buyers = market.buyers[: args.orders]
    market.bank.fault("charge", *["cut_after"] * len(buyers))
    with ThreadPoolExecutor(8) as pool:
        placed = list(pool.map(lambda token: market.buy(token, product), buyers))
    references = [f"{each['number']}.1" for each in placed]
    there = market.until(lambda: all(each in market.bank.transactions for each in references), 400)
    if there < 0:
        return ["before the opening: not all sessions are there"]
    for reference in references:
        market.bank.pay(reference)
        market.tell(market.bank.notification(reference))
    ids = [each["id"] for each in placed]
    took = market.until(lambda: market.counted(STATES, ids) == {"settled": len(ids)}, 120)
    print(f"  before the opening: {len(ids)} there after {there:.0f} s, settled after {took:.0f} s")
    return [] if took >= 0 else [f"before the opening: {market.counted(STATES, ids)}"]


class Readers:
    """Buyers who list products and read carts, at a steady pace; what their calls took."""

    def __init__(self, market: Paying, each: float = 0.1, threads: int = 2) -> None:
        self._market, self._each = market, each
        self._times: list[float] = []
        self._failed: Counter[int] = Counter()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(n,)) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def _read(self, number: int) -> None:
        token = self._market.buyers[number]
        calls = [
            ("GET", "/api/products?per_page=20", {}),
            ("GET", "/api/cart", {"Authorization": f"Bearer {token}"}),
        ]
        turn = 0
        while not self._stop.wait(self._each):
            method, path, headers = calls[turn % 2]
            turn += 1
            start = time.monotonic()
            conn = http.client.HTTPConnection("127.0.0.1", self._market.server.port, timeout=30)
            with contextlib.closing(conn):
                try:
                    conn.request(method, path, headers=headers)
                    answer = conn.getresponse()
                    answer.read()
                    status = answer.status
                except OSError:
                    status = 0
            self._times.append(time.monotonic() - start)
            if status != 200:
                self._failed[status] += 1

    def taken(self) -> tuple[float, float, int]:
        """Median and p99 in milliseconds since the last time, and how many."""
        times, self._times = sorted(self._times), []
        return statistics.median(times) * 1000, times[len(times) * 99 // 100] * 1000, len(times)

    def stop(self) -> Counter[int]:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return self._failed


def silent(market: Paying, args: argparse.Namespace) -> list[str]:
    """Buyers pay at a provider that falls silent; everything is settled when it is back."""
    (product,) = market.sell(1, 1, 10_000)
    bank, faults = market.bank, []
    buyers = market.buyers[: args.buyers]
    first, rest = buyers[: len(buyers) // 3], buyers[len(buyers) // 3 :]
    readers = Readers(market)
    time.sleep(args.idle)
    idle = readers.taken()
    with ThreadPoolExecutor(8) as pool:
        early = list(pool.map(lambda token: market.buy(token, product), first))
    market.opened(early)
    bank.silent = True
    start = time.monotonic()
    print(f"silent for {args.minutes} minutes", flush=True)
    readers.taken()
    pause = args.minutes * 60 * 0.8 / len(rest)

    def come(number: int) -> dict[str, Any]:
        time.sleep(max(0, start + pause * (number + 1) - time.monotonic()))
        return market.buy(rest[number], product, OPENINGS[number % 3])

    pool = ThreadPoolExecutor(len(rest))
    coming = [pool.submit(come, number) for number in range(len(rest))]
    for number, each in enumerate(early):  # their money comes; every second time nobody is told
        reference = f"{each['number']}.1"
        bank.pay(reference)
        if number % 2:
            market.tell(bank.notification(reference))
        time.sleep(max(0, start + pause * (number + 1) - time.monotonic()))
    time.sleep(max(0, start + args.minutes * 60 - time.monotonic()))
    silent_times = readers.taken()
    placed = market.do("SELECT count(*) AS n FROM checkouts")["n"]
    mails = len(list((Path(args.folder) / "data" / "mail").glob("*")))
    bank.silent = False
    back = time.monotonic()
    late = [each.result() for each in coming]
    everything = [*early, *late]
    ids = [each["id"] for each in everything]
    paid: set[str] = set()

    def pay_what_is_open() -> bool:
        """Buyers pay what their app shows now; the provider tells every second one."""
        for row in market.rows(
            "SELECT our_reference FROM payments WHERE state = 'open' AND checkout_id = ANY(%s)", ids
        ):
            reference = row["our_reference"]
            if reference not in paid and reference.split(".")[0] not in done_early:
                paid.add(reference)
                bank.pay(reference)
                market.tell(bank.notification(reference))
        return bool(market.counted(STATES, ids) == {"settled": len(ids)})

    done_early = {each["number"] for each in early}
    market.until(pay_what_is_open, 600)
    took = time.monotonic() - back
    failed = readers.stop()
    opened = Counter(reference.split(".")[0] for reference in bank.transactions)
    twice = market.counted("SELECT reason FROM refunds")
    print(
        f"  listings and carts: idle p50 {idle[0]:.1f} p99 {idle[1]:.1f} ms ({idle[2]} calls);"
        f" silent p50 {silent_times[0]:.1f} p99 {silent_times[1]:.1f} ms ({silent_times[2]} calls)"
    )
    print(
        f"  {mails} mails of {placed} checkouts by then; all {len(ids)} settled {took:.0f} s after its return; refunds {dict(twice)};"
        f" {sum(n > 1 for n in opened.values())} checkouts with more than one session"
    )
    if not 0 <= took <= 300:
        faults.append(f"settled after {took:.0f} s: {market.counted(STATES, ids)}")
    if silent_times[1] > 3 * idle[1]:
        faults.append("other calls were slower")
    if failed:
        faults.append(f"other calls failed: {dict(failed)}")
    if mails < placed - 5:
        faults.append(f"{mails} mails of {placed} checkouts left while it was silent")
    return faults


def compared(market: Paying, args: argparse.Namespace) -> list[str]:
    """A day's file lacks one payment and has one more: both are named, nothing is moved."""
    (product,) = market.sell(1, 1, 10_000)
    with ThreadPoolExecutor(8) as pool:
        placed = list(pool.map(lambda token: market.buy(token, product), market.buyers[:20]))
    market.opened(placed)
    for each in placed:
        market.bank.pay(f"{each['number']}.1")
        market.tell(market.bank.notification(f"{each['number']}.1"))
    ids = [each["id"] for each in placed]
    market.until(lambda: market.counted(STATES, ids) == {"settled": len(ids)}, 60)
    day = datetime.now(timezone.utc).astimezone(ZoneInfo("Asia/Jakarta")).date()
    known = market.rows(
        "SELECT p.our_reference FROM payments AS p WHERE p.state = 'paid' AND p.problem IS NULL"
        " AND p.method = 'midtrans' ORDER BY 1"
    )
    lost = known[0]["our_reference"]
    file = Path(args.folder) / "midtrans.csv"
    with file.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["Order ID", "Amount", "Fee", "Date"])
        rows.writerow(["FOREIGN-1", "5000", "100", day])
        for row in known[1:]:
            rows.writerow([row["our_reference"], TOTAL, 0, day])
    sums = "SELECT kind || ' ' || count(*) FROM ledger_entries GROUP BY kind"
    before = market.counted(sums)
    done = subprocess.run(
        [sys.executable, "-m", "marketplace", "settle", "midtrans", str(file)],
        cwd=ROOT, env=args.env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    print(done.stdout, done.stderr)
    (kept,) = market.rows("SELECT differences FROM reconciliations")
    named = {(each["what"], each["reference"]) for each in kept["differences"]}
    faults = []
    foreign = {each for each in named if each[0] not in ("unknown",) and each[1] != lost}
    expected = {("unknown", "FOREIGN-1"), ("not_there", lost)}
    if not expected <= named or any(each[0] != "not_there" for each in foreign):
        faults.append(f"named {named}")
    if done.returncode != 1 or market.counted(sums) != before:
        faults.append("something was moved")
    return faults


TRIALS: dict[str, Callable[[Paying, argparse.Namespace], list[str]]] = {
    "callbacks": callbacks,
    "silent": silent,
    "compared": compared,
}


@contextlib.contextmanager
def started(args: argparse.Namespace) -> Iterator[Paying]:
    """A system with a worker and a provider."""
    with running() as bank:
        settings = {
            "MIDTRANS_SERVER_KEY": bank.key,
            "MIDTRANS_URL": bank.url,
            "MIDTRANS_SNAP_URL": bank.snap_url,
        }
        with trial_system.started(**settings) as it, working(it, settings, args):
            market = Paying(it.url, it.server, bank)
            market.register(max(args.buyers, args.orders))
            yield market


@contextlib.contextmanager
def working(it: Started, settings: dict[str, str], args: argparse.Namespace) -> Iterator[None]:
    """A worker beside it; what its log has of errors is printed at the end."""
    args.folder = str(it.folder)
    args.env = {
        **os.environ, **settings, "DATABASE_URL": it.url, "DATA_DIR": f"{it.folder}/data",
        "UPLOADS_DIR": f"{it.folder}/uploads", "SECRET_KEY": KEY,
    }  # fmt: skip
    file = it.folder / "worker.log"
    with file.open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "marketplace", "worker"],
            cwd=ROOT, env=args.env, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            yield
        finally:
            worker.terminate()
            worker.wait(30)
    bad = [line for line in file.read_text().splitlines() if re.search(r"ERROR|Traceback", line)]
    print(f"worker: {len(bad)} errors", *bad[:5], sep="\n  ")


def main() -> int:
    """Run the trials; 1 on any fault."""
    parser = argparse.ArgumentParser(description="Pay at a provider that is not well.")
    parser.add_argument("trials", nargs="+", choices=sorted(TRIALS))
    parser.add_argument("--buyers", type=int, default=200)
    parser.add_argument("--orders", type=int, default=20, help="of each kind of a callback")
    parser.add_argument("--minutes", type=float, default=10, help="of silence")
    parser.add_argument("--idle", type=float, default=20, help="seconds to measure before it")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    wrong: list[str] = []
    with started(args) as market:
        for name in args.trials:
            before = market.deadlocks()
            wrong += TRIALS[name](market, args)
            wrong += market.faults(before)
    print(json.dumps({"faults": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
