"""Drives a running server through the whole journey with many clients at once, and counts what
comes back.

    .venv/bin/python tests/system/journey.py http://127.0.0.1:8000 --clients 16 --seconds 60

Loopback only. Exits 1 when an answer was a 5xx, when something that was written is not there, or
when a call answered what it must not. A 429 is waited for, as an app would.
"""

import argparse
import http.client
import io
import json
import secrets
import sys
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

from PIL import Image

counts: Counter[str] = Counter()
failures: list[str] = []
lock = threading.Lock()


class Client:
    """One phone: a kept-alive connection and a token."""

    def __init__(self, base: str) -> None:
        self.host = urlsplit(base).netloc
        self.conn = http.client.HTTPConnection(self.host, timeout=30)
        self.token = ""

    def call(
        self,
        method: str,
        path: str,
        body=None,
        kind="application/json",
        expected=(200, 201, 202, 204),
    ):
        """The JSON of an answer; a 429 is tried again."""
        data = (
            json.dumps(body).encode() if kind == "application/json" and body is not None else body
        )
        headers = {"Content-Type": kind} if data is not None else {}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        while True:
            try:
                self.conn.request(method, path, data, headers)
                answer = self.conn.getresponse()
                text = answer.read()
            except (http.client.HTTPException, ConnectionError):
                self.conn.close()
                with lock:
                    counts["reconnected"] += 1
                continue
            with lock:
                counts[f"{answer.status}"] += 1
            if answer.status == 429:
                time.sleep(float(answer.headers.get("Retry-After", 1)))
                continue
            if answer.status not in expected:
                with lock:
                    failures.append(f"{method} {path}: {answer.status} {text[:200]!r}")
            return json.loads(text) if text[:1] in (b"{", b"[") else text


def multipart(part: str, name: str, data: bytes) -> tuple[bytes, str]:
    """A body with one file."""
    edge = secrets.token_hex(8)
    head = f'--{edge}\r\nContent-Disposition: form-data; name="{part}"; filename="{name}"\r\n\r\n'
    return (
        head.encode() + data + f"\r\n--{edge}--\r\n".encode(),
        f"multipart/form-data; boundary={edge}",
    )


def picture() -> bytes:
    """A picture nobody has sent before."""
    out = io.BytesIO()
    Image.frombytes("RGB", (64, 48), secrets.token_bytes(64 * 48 * 3)).save(out, "JPEG")
    return out.getvalue()


def journey(base: str) -> None:
    """Register, open a store, add, import, upload, list, read, change, export, sign in again,
    sign out.
    """
    phone, tag = Client(base), secrets.token_hex(6)
    email, password = f"{tag}@example.com", f"kata-sandi-{tag}"
    signed = phone.call(
        "POST", "/api/auth/register", {"name": f"Sari {tag}", "email": email, "password": password}
    )
    phone.token = signed["access_token"]
    store = phone.call("POST", "/api/stores", {"name": f"Toko {tag}"})
    ids = []
    for number in range(5):
        body = {
            "name": f"Kopi {tag} {number}",
            "price": f"{number + 1}500.00",
            "stock": number,
            "brand": f"Merek {number}",
        }
        ids.append(phone.call("POST", "/api/products", body)["id"])
    rows = "".join(
        f"Barang {tag} {n},{n}000,https://example.com/{tag}/{n % 40}\n" for n in range(50)
    )
    data, kind = multipart("file", "a.csv", f"name,price,source_url\n{rows}bad row,x,\n".encode())
    started = phone.call("POST", "/api/products/import-csv", data, kind)
    data, kind = multipart("images", "a", picture())
    phone.call("POST", f"/api/products/{ids[0]}/images", data, kind)
    data, kind = multipart("avatar", "a", picture())
    phone.call("POST", "/api/users/upload-avatar", data, kind)
    for query in (
        "",
        f"?search={tag}",
        f"?store_id={store['id']}&sort_by=price",
        "?in_stock=true&sort_by=name",
        "?page=3",
    ):
        phone.call("GET", f"/api/products{query}")
    product = phone.call("GET", f"/api/products/{ids[0]}")
    phone.call("PUT", f"/api/products/{ids[0]}", {**product, "price": "1.00"})
    phone.call("PATCH", f"/api/products/{ids[1]}", {"stock": 0})
    phone.call("DELETE", f"/api/products/{ids[2]}")
    for path in (
        "/api/categories",
        "/api/brands",
        "/api/users/profile",
        "/api/users/activities",
        "/api/users/export-activities?format=json",
    ):
        phone.call("GET", path)
    signed = phone.call("POST", "/api/auth/refresh", {"refresh_token": signed["refresh_token"]})
    phone.token = signed["access_token"]
    check_import(phone, started["id"], store["id"])
    phone.call("POST", "/api/auth/logout")
    phone.call("GET", "/api/users/profile", expected=(401,))
    with lock:
        counts["journeys"] += 1


def check_import(phone: Client, import_id: int, store_id: int) -> None:
    """Every row of the file is in the catalogue or in the report."""
    deadline = time.monotonic() + 60
    while True:
        found = phone.call("GET", f"/api/products/imports/{import_id}")
        if found["state"] in ("done", "failed") or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    mine = phone.call("GET", "/api/stores/mine/products?per_page=1")["total_items"]
    seen = (found["state"], found["rows_created"], found["rows_skipped"], found["rows_bad"], mine)
    if seen != ("done", 40, 10, 1, 45):
        with lock:
            failures.append(f"import {import_id}: {seen}")


def main() -> int:
    """Run until the time is over; 0 when nothing went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    if urlsplit(options.base).hostname not in ("127.0.0.1", "localhost"):
        parser.error("only a server on this machine")
    end = time.monotonic() + options.seconds

    def run() -> None:
        while time.monotonic() < end:
            try:
                journey(options.base)
            except Exception as error:
                with lock:
                    failures.append(repr(error))

    threads = [threading.Thread(target=run) for _ in range(options.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(dict(sorted(counts.items())))
    print("\n".join(failures[:20]))
    print(f"{counts['journeys']} passed, {len(failures)} failed")
    return 1 if failures or any(status.startswith("5") for status in counts) else 0


if __name__ == "__main__":
    sys.exit(main())
