"""A seller who sends files, the worker's means, and files to send."""

import csv
import io
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from conftest import Api, User
from psycopg.rows import dict_row

from marketplace.config.settings import ROOT
from marketplace.files.stores import of_private
from marketplace.postgres.database import Database
from marketplace.workflows import imports

HEADER = [
    "Nama Produk",
    "Harga",
    "Lokasi",
    "Rating",
    "Review",
    "Link Produk",
    "Link Gambar",
    "Nama Toko",
    "Kategori",
]
CATEGORIES = [
    "Elektronik > HP",
    "elektronik > hp",
    "Elektronik > Laptop",
    "Fashion > Wanita > Gamis",
    "Makanan",
    "",
]
WORDS = ["kopi", "susu", "besar", "murah", "original", "promo", "kaos", "batik"]


class Shop:
    """A seller, the worker's means, and a way to look into the tables."""

    def __init__(self, api: Api, **settings: Any) -> None:
        self.config = replace(api.config, **settings)
        self.api = Api(self.config, api.db, api.owner_url)
        self.seller = self.api.seller()
        self.db = Database(self.config, url=api.owner_url, role="marketplace_worker", patient=True)
        self.files = of_private(self.config)

    def send(self, text: str | bytes, query: str = "", user: User | None = None) -> int:
        body = text.encode() if isinstance(text, str) else text
        answer = self.api.post(
            "/api/products/import-csv",
            user or self.seller,
            body=body,
            query_string=query,
            headers={"Content-Type": "text/csv"},
        )
        assert answer.status_code == 202, answer.text
        return int(answer.json["id"])

    def run(self, import_id: int, **options: Any) -> dict[str, Any]:
        imports.run(self.db, self.files, self.config, import_id, **options)
        return self.find(import_id)

    def find(self, import_id: int) -> dict[str, Any]:
        answer = self.api.get(f"/api/products/imports/{import_id}", self.seller)
        assert answer.status_code == 200, answer.text
        return answer.json

    def errors(self, import_id: int) -> list[dict[str, str]]:
        answer = self.api.get(f"/api/products/imports/{import_id}/errors.csv", self.seller)
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        return list(csv.DictReader(io.StringIO(answer.text)))

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.api.owner_url, row_factory=dict_row) as conn:
            return conn.execute(query, values).fetchall()

    def value(self, query: str, *values: Any) -> Any:
        return next(iter(self.rows(query, *values)[0].values()))


@pytest.fixture
def shop(committed: Api) -> Iterator[Shop]:
    opened = Shop(committed)
    yield opened
    opened.db.close()


class Generated(NamedTuple):
    """A file with the first system's header, and what is in it."""

    text: str
    rows: int
    bad_lines: list[int]


def generate(rows: int, *, bad_every: int = 50, twin_every: int = 20) -> Generated:
    random.seed(20261123)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEADER)
    bad: list[int] = []
    links: list[str] = []
    for number in range(rows):
        link = f"https://toko.example/p/{number}?ref={'x' * random.randint(0, 200)}"
        price = random.choice(["Rp 5.200", "Rp8.799.000", "12500", "12.500,50"])
        if number % bad_every == bad_every - 1:
            price = "gratis"
            bad.append(number + 2)
        elif number % twin_every == twin_every - 1:
            link = random.choice(links)
            bad.append(number + 2)
        else:
            links.append(link)
        name = f"Produk {number} " + " ".join(random.choices(WORDS, k=random.randint(1, 60)))
        picture = f"https://gambar.example/{number}.jpg"
        brand, category = f"Merek {random.randint(1, 300)}", random.choice(CATEGORIES)
        writer.writerow([name, price, "Jakarta", "4,9", "120", link, picture, brand, category])
    return Generated(out.getvalue(), rows, bad)


@contextmanager
def worker(shop: Shop, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real worker, killed at the end if it still runs."""
    env = {
        **os.environ,
        "DATABASE_URL": shop.api.owner_url,
        "DATA_DIR": str(shop.config.data_dir),
        "UPLOADS_DIR": str(shop.config.uploads_dir),
    }
    with (folder / "worker.log").open("ab") as log:
        command = [sys.executable, "-m", "marketplace", "worker"]
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def wait_for(shop: Shop, import_id: int, condition: Any, seconds: float = 60) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = shop.api.get(f"/api/products/imports/{import_id}", shop.seller)
        found = answer.json
        if answer.status_code == 200 and condition(found):
            return found
        time.sleep(0.02)
    log = shop.config.data_dir.parent / "worker.log"
    raise AssertionError(f"waited for nothing: {found}\n{log.read_text()}")


def require_whole(shop: Shop, import_id: int, file: Generated) -> None:
    """Every row of the file is a product with all its parts, or in the report with its cells."""
    found = shop.find(import_id)
    products = file.rows - len(file.bad_lines)
    assert (found["state"], found["error_code"], found["progress"]) == ("done", None, 100)
    counts = [found[f"rows_{name}"] for name in ("total", "read", "valid", "created", "bad")]
    assert counts == [file.rows, file.rows, products, products, len(file.bad_lines)]
    assert [found[f"rows_{name}"] for name in ("updated", "unchanged", "skipped", "shared")] == [
        0,
        0,
        0,
        0,
    ]
    for table in ("inventory", "product_images", "product_documents"):
        counted = f"SELECT count(*) FROM products p JOIN {table} t ON t.product_id = p.id"  # noqa: S608
        assert shop.value(f"{counted} WHERE p.store_id = %s", shop.seller.store_id) == products, (
            table
        )
    assert (
        shop.value("SELECT count(*) FROM products WHERE store_id = %s", shop.seller.store_id)
        == products
    )
    assert shop.value("SELECT count(*) FROM import_rows") == 0
    lines = file.text.splitlines()
    report = shop.errors(import_id)
    assert [int(row["error_line"]) for row in report] == file.bad_lines
    assert all(
        row["Nama Produk"] in lines[int(row["error_line"]) - 1] and row["Nama Produk"]
        for row in report
    )
    assert (
        shop.value("SELECT count(*) FROM auth.sessions WHERE kind = 'import' AND ended_at IS NULL")
        == 0
    )
    assert list(shop.files.keys("imports/")) == []


COUNTS = ("read", "valid", "created", "updated", "unchanged", "skipped", "bad")

FILE = (
    "name,description,price,stock,sku,source_url,category,brand,image_url\n"
    "Panci,Besar,1000,5,P-1,https://toko.example/1,Dapur > "
    "Panci,Acme,https://gambar.example/1.jpg\n"
    "Wajan,,2000,0,W-1,,Dapur,Acme,\n"
    "Gelas,,3000,7,,https://toko.example/3,,,https://gambar.example/2.jpg|https://gambar.example/3.jpg\n"
)


def counts(found: dict[str, Any]) -> dict[str, int]:
    """Those that are not nought."""
    return {name: found[f"rows_{name}"] for name in COUNTS if found[f"rows_{name}"]}


def products(shop: Shop) -> dict[str, dict[str, Any]]:
    """The store's products as its owner sees them, by name."""
    answer = shop.api.get("/api/stores/mine/products", shop.seller, query_string="per_page=100")
    found = [
        shop.api.get(f"/api/products/{row['id']}", shop.seller).json
        for row in answer.json["products"]
    ]
    return {row["name"]: row for row in found}
