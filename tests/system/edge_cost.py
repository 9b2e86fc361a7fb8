"""What nginx's cache costs and how fresh it is: CPU of its workers for each anonymous listing it
answers. `make edge`.

A throw-away system as in attack.py, a shop of 40 products, wrk (from Debian) as clients on
kept connections. CPU is user and system time of nginx's workers from /proc, by the answers wrk has
counted; what renewing the page once a second costs nginx is in it.
"""

import argparse
import http.client
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from support.behind_nginx import NGINX, Site, database, site

from system import edge_trials
from system.attack import Client, people

LISTING = "/api/products?per_page=20"


def main() -> int:
    """Make the system, measure, print a line for each way of asking."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--seconds", type=int, default=5, help="for each measure")
    options.add_argument("--clients", type=int, default=8)
    options.add_argument("--path", default=LISTING)
    options.add_argument(
        "--trials", type=int, default=40, help="changes whose way to the readers is timed; 0: none"
    )
    args = options.parse_args()
    if NGINX is None or shutil.which("wrk") is None:
        print("It needs nginx and wrk: apt-get install nginx-light wrk")
        return 2
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        url = stack.enter_context(database(Path(name)))
        at = stack.enter_context(site(Path(name), url, wide=True, RATE_LIMITS="off"))
        client = Client(at.base)
        seller, product = fill(client, people(at, client)["seller"])
        for title, headers in asked(at, args.path).items():
            measure(at, title, args.path, headers, args)
        if args.trials:
            edge_trials.report(at, client, seller, product, args.trials)
    return 0


def fill(client: Client, seller: str) -> tuple[str, int]:
    """Forty products with what a product of a shop has. The seller's token and the last one's
    id.
    """
    chance = random.Random(1)
    for number in range(40):
        words = " ".join("".join(chance.choices("aeioukstnrpmgl", k=7)) for _ in range(6))
        body = {
            "name": f"{words} {number} gram", "price": str(chance.randrange(10_000, 900_000)), "stock": number,
            "sku": f"KOPI-{number}", "description": "Kopi. " * 50,
        }  # fmt: skip
        made = client.call("POST", "/api/products", body, seller)
    return seller, int(made["id"])


def asked(at: Site, path: str) -> dict[str, dict[str, str]]:
    """Ways of asking: title -> headers."""
    conn = http.client.HTTPConnection(at.base.removeprefix("http://"))
    conn.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = conn.getresponse()
    answer.read()
    tag = answer.headers["ETag"]
    return {
        "gzip": {"Accept-Encoding": "gzip"},
        "plain": {},
        "unchanged (304)": {"If-None-Match": tag},
    }


def measure(at: Site, title: str, path: str, headers: dict[str, str], args: Any) -> None:
    """One line: hits, their size, microseconds of nginx for each."""
    named = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    command = ["wrk", "-t1", f"-c{args.clients}", f"-d{args.seconds}s", *named, at.base + path]
    before = cpu(at)
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    spent = cpu(at) - before
    found = re.search(r"(\d+) requests in [\d.]+s, ([\d.]+\w+) read", said)
    if found is None or "Socket errors" in said or ("Non-2xx" in said and "304" not in title):
        raise SystemExit(said)
    hits = int(found[1])
    print(
        f"{title:16} {spent / hits * 1e6:6.1f} microseconds of nginx a hit; {hits} hits, "
        f"{found[2]} read",
        flush=True,
    )


def cpu(at: Site) -> float:
    """Seconds that nginx's workers have spent."""
    master = (at.folder / "nginx.pid").read_text().strip()
    workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    ticks = 0
    for worker in workers:
        fields = Path(f"/proc/{worker}/stat").read_text().rpartition(") ")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
