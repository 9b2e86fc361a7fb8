"""A seller's file in the form of the first system, generated: the same number and seed give the
same bytes.
"""

import csv
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tools.bench import words
from tools.bench.catalogue import Catalogue

HEADER = [
    *(
        "Nama Produk",
        "Harga",
        "Lokasi",
        "Rating",
        "Review",
        "Link Produk",
        "Link Gambar",
        "Nama Toko",
        "Kategori",
    ),
    "Deskripsi",
]
CHUNK = 10_000
#: The faults of a bad row: which cell becomes what, and its error code. A place after the last adds
#: a cell.
FAULTS = (
    (1, "gratis", "invalid_price"),
    (1, "", "required"),
    (1, "-Rp5.000", "negative_price"),
    (0, " ", "required"),
    (5, "bukan tautan", "invalid_url"),
    (len(HEADER), "lebih", "too_many_columns"),
    (1, "99999999999999", "price_too_large"),
)


class Written(NamedTuple):
    """A file, and its faults by line."""

    path: Path
    rows: int
    bad: dict[int, str]


def write(path: Path, rows: int, seed: int, bad: int = 0) -> Written:
    """Write a file of so many rows, `bad` of them (not more than there are) spread over it with
    one fault each.
    """
    bad = min(bad, rows)
    chosen = {(2 * number + 1) * rows // (2 * bad) for number in range(bad)}
    faults: dict[int, str] = {}
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(HEADER)
        for number, row in enumerate(_rows(rows, seed)):
            if number in chosen:
                place, cell, code = FAULTS[len(faults) % len(FAULTS)]
                row[place : place + 1] = [cell]
                faults[number + 2] = code
            writer.writerow(row)
    return Written(path, rows, faults)


def _rows(rows: int, seed: int) -> Iterator[list[str]]:
    shop = Catalogue(rows, seed)
    rng = random.Random(f"file {rows} {seed}")  # noqa: S311 - a shop, not a secret
    names = {category.path[-1]: category.name for category in shop.categories}
    brands, places = words.zipf(len(shop.brand_names)), words.zipf(len(shop.places), 0.9)
    for first in range(0, rows, CHUNK):
        numbers = range(first, min(first + CHUNK, rows))
        drawn = rng.choices(shop.brand_names, cum_weights=brands, k=len(numbers))
        stood = rng.choices(shop.places, cum_weights=places, k=len(numbers))
        for number, brand, place in zip(numbers, drawn, stood, strict=True):
            category = shop.categories[place]
            price = max(1000, round(rng.lognormvariate(11.6, 1.3) / 500) * 500)
            yield [
                shop.name(rng, category.name, brand),
                f"Rp{price:,}".replace(",", "."),
                "Jakarta Barat",
                f"4.{rng.randrange(10)}",
                str(rng.randrange(5000)),
                f"https://toko.example.com/{brand.lower()}/produk-{number}-{rng.getrandbits(40):x}",
                f"https://images.example.com/cache/700/{rng.getrandbits(128):032x}.jpg",
                brand,
                " > ".join(names[each] for each in category.path),
                shop.description(rng),
            ]
