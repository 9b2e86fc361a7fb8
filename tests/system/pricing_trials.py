"""Prices checkouts made up at random, and proves that the parts of each sum.

    PYTHONPATH=.:tests .venv/bin/python tests/system/pricing_trials.py --checkouts 100000

Up to 100 lines of 20 stores, prices to 10^8, five vouchers of both bearers, taxes in the price and
on top, coins of 1 and 0.01. Passes: no wrong sum, no negative line, at most 2 ms each; 10^13 is
refused.
"""

import argparse
import random
import sys
import time
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from support.checkouts import faults, made_up, priced

from marketplace.contract.errors import Problem

MOST_MS = 2.0
PASSES = "parts sum exactly, no negative line, 2 ms each; 10^13 is refused"


class Found(NamedTuple):
    """What was found, in words, and whether it is good."""

    words: str
    good: bool


def refused(seed: int) -> bool:
    """Whether a checkout with an amount above the type is refused."""
    asked = made_up(random.Random(seed))
    line = replace(asked.lines[0], price=Decimal(10**13 - 1), quantity=2)
    try:
        priced(asked._replace(lines=[line, *asked.lines[1:]]))
    except Problem as problem:
        return problem.code == "amount_too_large"
    return False


def run(checkouts: int, seed: int) -> Found:
    """Price so many checkouts."""
    chance = random.Random(seed)
    wrong, times, lines = 0, [], 0
    for number in range(checkouts):
        asked = made_up(chance)
        start = time.process_time_ns()
        found = priced(asked)
        times.append((time.process_time_ns() - start) / 1e6)
        lines += len(asked.lines)
        if bad := faults(asked, found):
            wrong += 1
            print(f"checkout {number}: {bad[0]}")
    times.sort()
    middle, late = times[len(times) // 2], times[len(times) * 99 // 100]
    large = refused(seed)
    words = (
        f"{len(times)} checkouts, {lines} lines: {wrong} wrong; median {middle:.2f} ms,"
        f" p99 {late:.2f} ms; 10^13 {'refused' if large else 'TAKEN'}"
    )
    return Found(words, not wrong and late <= MOST_MS and large)


def main() -> int:
    """Price so many checkouts; the number of wrong ones, and the time of one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkouts", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    found = run(args.checkouts, args.seed)
    print(found.words)
    return 0 if found.good else 1


if __name__ == "__main__":
    sys.exit(main())
