"""Uploads pictures, many at once, while workers and PostgreSQL itself are killed; then holds rows
and files together.

    PYTHONPATH=.:tests .venv/bin/python tests/system/uploads.py --uploads 400 --clients 200

It makes its own shop in a folder that it throws away: an embedded PostgreSQL (with fsync),
gunicorn, 40 products. Exits 1 unless every upload that was answered 201 is there, every row has
whole files, and every file a row after one sweep.
"""

import argparse
import collections
import http.client
import itertools
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import psycopg
from conftest import PASSWORD, multipart
from PIL import Image
from support.behind_nginx import database
from support.images import photo
from support.server import Server

from marketplace.config.settings import ROOT
from marketplace.postgres.embedded import server as embedded_server

PRODUCTS = 40


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--uploads", type=int, default=400)
    options.add_argument("--clients", type=int, default=200)
    options.add_argument(
        "--workers-every", type=float, default=1.0, help="seconds between two kills of a worker"
    )
    options.add_argument(
        "--postgres-every", type=float, default=6.0, help="seconds between two kills of PostgreSQL"
    )
    args = options.parse_args()
    os.environ["IMAGES_PER_PRODUCT"] = "100"
    with tempfile.TemporaryDirectory() as name, database(Path(name)) as url:
        folder = Path(name)
        server = Server(url, folder)
        try:
            return crash(args, server, url, folder)
        finally:
            server.process.terminate()
            server.process.wait(30)
            embedded_server.start(folder / "pg").stop()  # if it was killed last


def crash(args: argparse.Namespace, server: Server, url: str, folder: Path) -> int:
    token, products = shop(server)
    numbers, done = itertools.count(), threading.Event()
    answers: collections.Counter[str] = collections.Counter()
    shown: list[str] = []
    kills: collections.Counter[str] = collections.Counter()

    def client() -> None:
        while (number := next(numbers)) < args.uploads:
            body, kind = multipart([("images", f"{number}.jpg", photo(number))], {})
            path = f"/api/products/{products[number % PRODUCTS]}/images"
            key = secrets.token_hex(8)
            headers = {
                "Authorization": f"Bearer {token}",
                "Content_Type": kind,
                "Idempotency_Key": key,
            }
            for _ in range(40):  # as an app does: again with the same key
                try:
                    status, answer = server.call("POST", path, body, **headers)
                except (OSError, http.client.HTTPException):
                    answers["broke off"] += 1
                    time.sleep(0.2)
                    continue
                answers[str(status)] += 1
                if status == 201:
                    shown.extend(
                        size["url"] for image in answer["images"] for size in image["variants"]
                    )
                    break
                time.sleep(0.5)

    def killer(what: str, every: float, victim: Callable[[], int | None]) -> None:
        while not done.wait(every):
            pid = victim()
            if pid:
                os.kill(pid, signal.SIGKILL)
                kills[what] += 1

    def worker() -> int | None:
        found = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(server.process.pid)],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split()
        return int(random.choice(found)) if found else None

    def postgres() -> int | None:
        file = folder / "pg" / "pg" / "postmaster.pid"
        return int(file.read_text().split()[0]) if file.exists() else None

    def reviver() -> None:
        while not done.wait(0.3):
            try:
                psycopg.connect(url, connect_timeout=2).close()
            except psycopg.Error:
                try:
                    embedded_server.start(folder / "pg")
                except embedded_server.EmbeddedError as error:
                    print(error)

    started = time.monotonic()
    clients = [threading.Thread(target=client) for _ in range(args.clients)]
    others = [
        threading.Thread(target=killer, args=("workers", args.workers_every, worker)),
        threading.Thread(target=killer, args=("PostgreSQL", args.postgres_every, postgres)),
        threading.Thread(target=reviver),
    ]
    for thread in [*clients, *others]:
        thread.start()
    for thread in clients:
        thread.join()
    done.set()
    for thread in others:
        thread.join()
    print(
        f"{args.uploads} uploads in {time.monotonic() - started:.0f} s: {dict(answers)}; killed: "
        f"{dict(kills)}"
    )
    return judge(url, folder, shown)


def judge(url: str, folder: Path, shown: list[str]) -> int:
    for _ in range(100):
        try:
            conn = psycopg.connect(url)
            break
        except psycopg.Error:
            embedded_server.start(folder / "pg")
            time.sleep(0.2)
    with conn:
        pictures = [sizes for (sizes,) in conn.execute("SELECT variants FROM product_images")]
    rows = {size["url"].removeprefix("\x7f") for sizes in pictures for size in sizes}
    uploads = folder / "uploads"
    missing = [key for key in rows if not whole(uploads / key)]
    lost = [address for address in shown if address.partition("/uploads/")[2] not in rows]
    before = len(files(uploads) - rows)
    env = {
        **os.environ,
        "DATABASE_URL": url,
        "UPLOADS_DIR": str(uploads),
        "DATA_DIR": str(folder / "data"),
    }
    command = [sys.executable, "-m", "marketplace", "sweep-uploads", "--min-age", "0"]
    subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, check=True)
    after = files(uploads)
    print(
        f"{len(pictures)} pictures, {len(rows)} files; {len(missing)} missing or torn, "
        f"{len(lost)} uploads lost"
    )
    print(
        f"files without a row: {before}, after a sweep {len(after - rows)}; swept too much: "
        f"{len(rows - after)}"
    )
    return 1 if missing or lost or after != rows else 0


def shop(server: Server) -> tuple[str, list[int]]:
    def made(path: str, body: dict[str, object], token: str | None = None) -> dict[str, object]:
        more = {"Authorization": f"Bearer {token}"} if token else {}
        status, answer = server.call(
            "POST", path, orjson.dumps(body), Content_Type="application/json", **more
        )
        assert status == 201, answer
        return answer

    person = {
        "name": "Budi",
        "email": f"{secrets.token_hex(5)}@example.com",
        "password": PASSWORD,
        "role": "seller",
    }
    token = str(made("/api/auth/register", person)["access_token"])
    made("/api/stores", {"name": "Toko"}, token)
    ids = [
        made("/api/products", {"name": f"Produk {number}", "price": "1"}, token)["id"]
        for number in range(PRODUCTS)
    ]
    return token, [int(str(each)) for each in ids]


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def whole(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            image.load()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
