"""Sends the same products again and again, many at once, while the server's workers are killed.

    .venv/bin/python tests/system/retries.py URL --clients 64 --keys 200 --requests 32000 --master PID

PID is gunicorn's master: one of its workers is killed (-9) every so often. Exits 1 unless there are
exactly as many products as keys, each answered with one id for ever. Loopback only.
"""

import argparse
import http.client
import itertools
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from urllib.parse import urlsplit


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("url")
    options.add_argument("--clients", type=int, default=64)
    options.add_argument("--keys", type=int, default=200)
    options.add_argument("--requests", type=int, default=32_000)
    options.add_argument("--master", type=int)
    options.add_argument("--every", type=float, default=2.0, help="seconds between two kills")
    args = options.parse_args()
    host = urlsplit(args.url).netloc
    token = seller(host)
    run = secrets.token_hex(4)
    counts: Counter[str] = Counter()
    ids: dict[int, set[int]] = defaultdict(set)
    numbers, lock, done = itertools.count(), threading.Lock(), threading.Event()

    def client() -> None:
        conn = http.client.HTTPConnection(host, timeout=30)
        while (number := next(numbers)) < args.requests:
            key = number % args.keys if number < args.keys else random.randrange(args.keys)
            body = {"name": f"Produk {key}", "price": str(key), "stock": key}
            try:
                status, answer, headers = call(
                    conn, "POST", "/api/products", body, token, f"{run}-{key}"
                )
            except (http.client.HTTPException, OSError):
                conn.close()
                with lock:
                    counts["broke off"] += 1
                continue
            with lock:
                replayed = " replayed" if headers.get("Idempotent-Replayed") else ""
                counts[f"{status}{replayed} {answer.get('code', '')}".strip()] += 1
                if status == 201:
                    ids[key].add(answer["id"])

    def killer() -> None:
        while args.master and not done.wait(args.every):
            found = subprocess.run(
                ["pgrep", "-P", str(args.master)], capture_output=True, text=True
            )
            workers = [int(pid) for pid in found.stdout.split()]
            if workers:
                os.kill(random.choice(workers), signal.SIGKILL)
                counts["workers killed"] += 1

    began = time.monotonic()
    threads = [threading.Thread(target=client) for _ in range(args.clients)]
    assassin = threading.Thread(target=killer)
    for thread in [*threads, assassin]:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    assassin.join()
    elapsed = time.monotonic() - began
    time.sleep(2)
    _, listed, _ = call(
        http.client.HTTPConnection(host),
        "GET",
        "/api/stores/mine/products?per_page=1",
        None,
        token,
        None,
    )
    several = {key: found for key, found in ids.items() if len(found) != 1}
    print(f"{args.requests} requests in {elapsed:.0f} s: {dict(counts)}")
    print(
        f"{listed['total_items']} products of {args.keys} keys; {len(ids)} keys answered; "
        f"several ids: {several}"
    )
    return 0 if listed["total_items"] == args.keys == len(ids) and not several else 1


def seller(host: str) -> str:
    """The token of a new seller with a store."""
    conn = http.client.HTTPConnection(host, timeout=30)
    name = secrets.token_hex(6)
    account = {"name": "Sari", "email": f"{name}@example.com", "password": f"kopi-{name}-gula"}
    _, answer, _ = call(conn, "POST", "/api/auth/register", account, None, None)
    token = str(answer["access_token"])
    call(conn, "POST", "/api/stores", {"name": f"Toko {name}"}, token, None)
    return token


def call(conn, method, path, body, token, key):
    """Status, JSON and headers of an answer."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if key:
        headers["Idempotency-Key"] = key
    conn.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = conn.getresponse()
    text = answer.read()
    return answer.status, json.loads(text) if text[:1] == b"{" else {}, answer.headers


if __name__ == "__main__":
    sys.exit(main())
