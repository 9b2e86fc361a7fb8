"""Walks random lives of very many orders over HTTP: buyer, seller, another seller, admin, stranger and timers.

    PYTHONPATH=.:tests .venv/bin/python tests/system/order_lives.py --orders 1000 --seed 1

The machine is that of tests/support/order_life.py: after each step no invariant is broken, and now and then all that
`can` says and does not say is tried. A failure is shrunk to the shortest life that shows it, and printed.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from support.order_life import People, lives


def main() -> int:
    """Walk; an AssertionError is a fault."""
    from conftest import Api, RollbackDatabase, created, make_config, owner

    from marketplace.postgres import migrations

    parser = argparse.ArgumentParser(description="Walk random lives of orders.")
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    chosen = settings(
        max_examples=args.orders,
        stateful_step_count=args.steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        owner() as server,
        created(server, "marketplace_order_lives") as url,
    ):
        migrations.migrate(url, lambda line: None)
        config = make_config(url, Path(folder), access_token_seconds=86_400)
        db = RollbackDatabase(config)
        started = time.monotonic()
        machine = lives(People(Api(config, db, url)))
        run_state_machine_as_test(seed(args.seed)(machine), settings=chosen)
        db.close()
    print(f"{args.orders} lives in {time.monotonic() - started:.0f} s: no fault")
    return 0


if __name__ == "__main__":
    sys.exit(main())
