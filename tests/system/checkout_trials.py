"""Buys over HTTP from a started system, in all the ways that have broken shops, and prints a table of
what passes and what was found.

    PYTHONPATH=.:tests .venv/bin/python tests/system/checkout_trials.py            # all, 15 minutes
    PYTHONPATH=.:tests .venv/bin/python tests/system/checkout_trials.py 5.1 5.4

After each: no deadlock, no broken invariant, no 500 in the log. 5.11 and 5.12, which measure CPU, are
`make bench-selling`.
"""

import argparse
import sys
import time
from collections.abc import Callable

from system import pricing_trials
from system.checkout.changes import calls, drift, hoard, nothing
from system.checkout.crowds import carts, keys, last_pieces, race, vouchers
from system.checkout.failures import killed
from system.checkout.market import Figure, Market, started
from system.checkout.proofs import proofs

Trial = Callable[[Market, argparse.Namespace], list[Figure]]


def pricing(market: Market, args: argparse.Namespace) -> list[Figure]:
    """5.6: checkouts made up at random, priced by the pure functions."""
    found = pricing_trials.run(args.checkouts, args.seed)
    return [Figure("5.6 pricing", pricing_trials.PASSES, found.words, found.good)]


TRIALS: dict[str, tuple[Trial, ...]] = {
    "5.1": (race,),
    "5.2": (last_pieces, carts),
    "5.3": (killed,),
    "5.4": (keys,),
    "5.5": (drift,),
    "5.6": (pricing,),
    "5.7": (hoard,),
    "5.8": (vouchers,),
    "5.9": (nothing,),
    "5.10": (proofs,),
    "5.13": (calls,),
}


def main() -> int:
    """Run the trials; 1 on any fault."""
    parser = argparse.ArgumentParser(description="Buy from a started system.")
    parser.add_argument("trials", nargs="*", help=f"of {', '.join(TRIALS)}; none: all")
    parser.add_argument("--buyers", type=int, default=200)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60, help="of carts and of vouchers")
    parser.add_argument("--pieces", type=int, default=400, help="of each product of the carts")
    parser.add_argument("--places", type=int, default=500)
    parser.add_argument("--every", type=float, default=2, help="seconds between two kills")
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--checkouts", type=int, default=100_000, help="that are priced")
    parser.add_argument("--proofs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    wanted = args.trials or list(TRIALS)
    if unknown := set(wanted) - set(TRIALS):
        parser.error(f"no such trial: {', '.join(sorted(unknown))}")
    figures: list[Figure] = []
    with started(args.buyers) as market:
        for name in wanted:
            begun, before = time.monotonic(), market.deadlocks()
            for trial in TRIALS[name]:
                figures += told(trial(market, args))
            wrong = market.faults(before)
            passes = "no deadlock, no broken invariant, no 500"
            took = f"in {time.monotonic() - begun:.0f} s"
            figures += told([Figure(name, passes, ", ".join(wrong) or took, not wrong)])
    failed = [figure.trial for figure in figures if not figure.good]
    print(f"failed: {', '.join(failed)}" if failed else f"all {len(figures)} figures are good")
    return 1 if failed else 0


def told(figures: list[Figure]) -> list[Figure]:
    """Print rows of the table."""
    for figure in figures:
        mark = "good" if figure.good else "BAD "
        print(f"{mark} {figure.trial:20} {figure.passes}\n{'':25} {figure.found}", flush=True)
    return figures


if __name__ == "__main__":
    sys.exit(main())
