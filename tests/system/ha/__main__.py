"""Builds a system of several machines on this one from what deploy/ ships, and kills parts of it
under load.

    make test-ha
    make test-ha ARGS="--only switchover,consistency --keep"

It takes etcd, haproxy and pgbouncer from the system (apt-get install etcd-server haproxy
pgbouncer), Patroni from requirements-ha.txt, PostgreSQL from the embedded one or the system.
Everything listens on the loopback alone, on ports that are free. Disks are synced as in production.
Ends with 1 where anything failed.
"""

import argparse
import shutil
import signal
import sys
import time
from pathlib import Path

from servers.midtrans import Midtrans

from marketplace.postgres.embedded import account as server_account
from marketplace.postgres.embedded.account import Account
from system.ha import consistency, costs, faults, files, programs, trade
from system.ha.faults import FAULTS, Trial
from system.ha.hosts import Host, open_shop
from system.ha.load import seller
from system.ha.nodes import Cluster

CONSISTENCY = "consistency"
COSTS = "costs"
FILES = "files"
TRADE = "trade"


def main() -> int:
    """Make the system, let things happen to it, judge."""
    names = [FILES, CONSISTENCY, TRADE, *FAULTS]
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--only", default="", help=f"with commas, of: {', '.join(names)}; or {COSTS}"
    )
    options.add_argument("--pairs", type=int, default=2000, help="of a write and a read")
    options.add_argument("--keep", action="store_true", help="leave the folder with all logs")
    args = options.parse_args()
    chosen = [
        name for name in [*names, COSTS] if name in (args.only.split(",") if args.only else names)
    ]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and take down what was started
    account = server_account.account_for(Path("/nowhere"))
    folder = programs.short_folder(account)
    try:
        return run(folder, account, chosen, args.pairs)
    finally:
        if args.keep:
            say(f"The logs are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def run(folder: Path, account: Account | None, chosen: list[str], pairs: int) -> int:
    """All of it in a folder; what the command ends with."""
    if programs.missing():
        say(f"Missing programs: apt-get install {' '.join(programs.missing())}")
        return 2
    if programs.python(account) is None:
        say(
            f"User {account.name if account else ''} cannot run {sys.executable}: start this as "
            "an ordinary user."
        )
        return 2
    cluster = Cluster(folder, account)
    hosts: list[Host] = []
    bucket, bank = files.Bucket(), Midtrans()
    settings = {**bucket.settings, **trade.settings(bank)}
    try:
        started = time.monotonic()
        cluster.start()
        took = time.monotonic() - started
        say(
            f"Two nodes, {cluster.primary.name} is primary, the other is synchronous ({took:.0f} s)"
        )
        hosts += [Host(name, cluster, settings) for name in ("app1", "app2")]
        open_shop(cluster, hosts)
        took = time.monotonic() - started
        say(f"Two application hosts, each with HAProxy and PgBouncer, and a worker ({took:.0f} s)")
        return judge(cluster, hosts, bucket, bank, chosen, pairs)
    finally:
        for host in hosts:
            host.stop()
        cluster.stop()
        bucket.stop()
        bank.close()


def judge(
    cluster: Cluster,
    hosts: list[Host],
    bucket: files.Bucket,
    bank: Midtrans,
    chosen: list[str],
    pairs: int,
) -> int:
    """Let all that was chosen happen."""
    token = seller(hosts[0], "writer")
    passed, failed = 0, 0
    for name in chosen:
        if name == COSTS:
            costs.measure(cluster, hosts, token, 3000, say)
            continue
        if name == FILES:
            results = [files.check(hosts, bucket, token)]
        elif name == TRADE:
            results = [trade.check(cluster, hosts, bank)]
        elif name == CONSISTENCY:
            results = consistency.check(cluster, hosts, pairs)
        else:
            line, wrong = faults.attempt(Trial(cluster, hosts, token), name)
            results = [(f"{name}: {line}", wrong)]
        for line, wrong in results:
            say(f"{'FAIL' if wrong else 'ok  '} {line}")
            for word in wrong:
                say(f"     {word}")
            passed, failed = passed + (not wrong), failed + bool(wrong)
    say(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def say(line: str) -> None:
    """A line for whoever waits."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
