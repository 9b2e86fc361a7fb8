"""Pays at a provider that repeats itself, lies, falls silent and forgets, and proves what is left.

    PYTHONPATH=.:tests .venv/bin/python tests/system/payment_trials.py callbacks races silent compared

A started system: gunicorn, a worker, PostgreSQL, and tests/servers/midtrans.py as the provider.
`callbacks`: each 8 times at once, in all orders, forged, stale, with a wrong amount or currency,
unknown, after a cancellation, before the opening was seen. `silent`: the provider is silent for
some minutes while buyers pay; what they paid must be settled five minutes after its return, and
other calls must not notice. `races`: money comes as its checkout is cancelled, ends, is paid another
way or has no stock any more. `compared`: a provider's file lacks one payment and has one more.
After each: no deadlock, no broken invariant, no 500 in the log.
"""

import argparse
import contextlib
import csv
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from servers.midtrans import running, settings_of
from support import trial_system

from marketplace.config.settings import ROOT
from system.checkout.paying import STATES, TOTAL, Paying
from system.payment_races import races
from system.payment_silence import silent


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
    left = "SELECT subject FROM provider_callbacks WHERE applied_at IS NULL"
    took = market.until(lambda: not market.counted(left), 60)
    print(f"  all applied {took:.0f} s after the last")
    if took < 0:
        faults.append(f"callbacks were not applied: {dict(market.counted(left))}")
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
    "races": races,
}


@contextlib.contextmanager
def started(args: argparse.Namespace) -> Iterator[Paying]:
    """A system with a worker and a provider; what the worker's log has of errors is printed at the end."""
    with running() as bank:
        settings = settings_of(bank.url, bank.key)
        with trial_system.started(**settings) as it:
            args.folder = str(it.folder)
            args.env = trial_system.environment(it, **settings)
            worker = trial_system.worker(it, **settings)
            try:
                market = Paying(it.url, it.server, bank)
                market.register(max(args.buyers, args.orders))
                yield market
            finally:
                worker.stop()
                bad = worker.errors()
                print(f"worker: {len(bad)} errors", *bad[:5], sep="\n  ")


def main() -> int:
    """Run the trials; 1 on any fault."""
    parser = argparse.ArgumentParser(description="Pay at a provider that is not well.")
    parser.add_argument("trials", nargs="+", choices=sorted(TRIALS))
    parser.add_argument("--buyers", type=int, default=200)
    parser.add_argument("--orders", type=int, default=20, help="of each kind of a callback")
    parser.add_argument("--pairs", type=int, default=300, help="of each kind of a race")
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
