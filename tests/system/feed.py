"""Proves the change feed: apps that poll it while many writers commit end with exactly what the
database holds.

    PYTHONPATH=.:tests .venv/bin/python tests/system/feed.py "$DATABASE_URL" --rounds 50

It makes a database of its own on that server, serves it with gunicorn and drops it at the end. In a
round 16 writers make 1,000 changes (support/feed.py). Meanwhile three apps poll over HTTP: one
since the first round, one that begins somewhere in the middle of this one, and one that wants
products alone. Exits 1 when an app's copy is not the database's state, when a thing came twice in a
pass, or when a call failed.
"""

import argparse
import http.client
import json
import os
import random
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from conftest import created
from support.feed import Copy, Fetch, Shop, compete

from marketplace.config.settings import ROOT
from marketplace.postgres import migrations


@contextmanager
def database(url: str) -> Iterator[str]:
    """A migrated database that is dropped at the end."""
    with created(url, f"marketplace_feed_{secrets.token_hex(4)}") as own:
        migrations.migrate(own, lambda line: None)
        yield own


@contextmanager
def served(url: str) -> Iterator[int]:
    """The API on this database, by gunicorn; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        env = {
            **os.environ,
            "DATABASE_URL": url,
            "DATA_DIR": folder,
            "UPLOADS_DIR": folder,
            "PORT": str(port),
        }
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "-c",
            "gunicorn.conf.py",
            "marketplace.app:create_app()",
        ]
        api = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.DEVNULL)
        try:
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield port
        finally:
            api.terminate()
            api.wait()


def over_http(port: int) -> Fetch:
    """Calls on a kept-alive connection."""
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def fetch(query: dict[str, Any]) -> dict[str, Any]:
        conn.request("GET", f"/api/changes?{urlencode(query)}")
        answer = conn.getresponse()
        body = json.loads(answer.read())
        assert answer.status == 200, body
        return body

    return fetch


def main() -> int:
    """Run the rounds; 0 when every app ended with the database's state each time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url", help="a login that may make databases")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--changes", type=int, default=1000)
    parser.add_argument("--writers", type=int, default=16)
    parser.add_argument(
        "--longest",
        type=float,
        default=1.5,
        help="seconds the long transactions are open, on average",
    )
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with database(options.url) as url, served(url) as port:
        shop = Shop(url)
        shop.fill()
        copies = [Copy(over_http(port)), Copy(over_http(port), types="products")]
        for number in range(1, options.rounds + 1):
            late, started = Copy(over_http(port), per_page=20), time.monotonic()
            compete(
                shop, copies, late, seed=options.seed + number,
                writers=options.writers, changes=options.changes, longest=options.longest,
            )  # fmt: skip
            print(
                f"round {number}: {time.monotonic() - started:.1f} s, {dict(sorted(shop.counts.items()))},"
                f" {len(copies[0].things)} things alike; passes {[copy.passes for copy in (*copies, late)]},"
                f" told {[copy.told for copy in (*copies, late)]},"
                f" longest delay {max(copy.longest_delay for copy in (*copies, late))} s",
                flush=True,
            )
    print(f"{options.rounds} rounds, every copy alike")
    return 0


if __name__ == "__main__":
    sys.exit(main())
