"""A provider that falls silent while buyers pay, and what others notice of it."""

import argparse
import contextlib
import http.client
import statistics
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from system.checkout.paying import STATES, Paying

OPENINGS = ("bca_va", "qris", "snap")


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
