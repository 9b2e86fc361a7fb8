"""The generated shop as lines for COPY: the same number and seed give the same bytes, whoever makes
which part.

Products come in chunks that know nothing of each other, so that several processes can make them at
once.
"""

import random
from bisect import bisect
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import NamedTuple

import orjson

from marketplace.files.images import SIZES
from marketplace.files.storage import URL_MARKER, image_key
from tools.bench import words

CHUNK = 10_000
BEGIN = datetime(2024, 6, 1, tzinfo=timezone.utc)
SECONDS = 730 * 86_400  # what products are spread over
LEVELS = (12, 60, 428)  # categories of the first, second and third level
TAPE = 400_000  # words in a row, from which texts are cut
PICTURES = (
    0.03,
    0.35,
    0.73,
    0.9,
)  # the share of products that have none, at most one, at most two, ...
MOST_PICTURES = len(PICTURES)
#: Every so many products one that comes in variants, and in how many.
WITH_VARIANTS = 20
VARIANTS = 12  # give_variants of fill.sql makes as many
NULL = r"\N"

#: The columns of the lines, by table, in the order of the foreign keys.
COLUMNS = {
    "users": "id, name, email, role, created_at, updated_at",
    "stores": "id, owner_id, name, description, created_at, updated_at",
    "categories": "id, parent_id, path, name, created_at, updated_at",
    "brands": "id, name, created_at, updated_at",
    "products": (
        "id, store_id, category_id, brand_id, name, description, price, sku, source_url, hidden, "
        "in_stock, "
        "created_at, updated_at"
    ),
    "inventory": "product_id, quantity",
    "product_images": (
        "product_id, id, position, is_main, url, alt, digest, width, height, placeholder, "
        "variants, created_at"
    ),
}


class Category(NamedTuple):
    """A category; `path` has the ids from the top down to its own."""

    path: tuple[int, ...]
    name: str


class Catalogue:
    """A shop of `products` products; `seed` chooses which.

    Twenty thousand brands, two thousand stores for a million products, fewer for fewer; always five
    hundred categories. Brands, stores and categories are numbered from the most to the least
    frequent, except that the first level of the categories comes first.
    """

    def __init__(self, products: int, seed: int) -> None:
        self.products = products
        self.seed = seed
        self.brands = min(20_000, max(20, products // 50))
        self.stores = min(2_000, max(4, products // 500))

    def lines(self, table: str) -> Iterator[str]:
        """Yield the lines of one of the small tables."""
        then = BEGIN.isoformat()
        if table == "users":
            for number in range(1, self.stores + 1):
                yield (
                    f"{number}\tPenjual "
                    f"{number}\tseller{number}@bench.example\tseller\t{then}\t{then}\n"
                )
        elif table == "stores":
            for number, name in enumerate(self._names("stores", self.stores, "Toko "), 1):
                yield f"{number}\t{number}\t{name}\t{NULL}\t{then}\t{then}\n"
        elif table == "brands":
            for number, name in enumerate(self.brand_names, 1):
                yield f"{number}\t{name}\t{then}\t{then}\n"
        else:
            for path, name in self.categories:
                above = path[-2] if len(path) > 1 else NULL
                yield f"{path[-1]}\t{above}\t{{{','.join(map(str, path))}}}\t{name}\t{then}\t{then}\n"

    def last_ids(self) -> dict[str, int]:
        """Return the highest id that the lines of a table may have."""
        return {
            "users": self.stores,
            "stores": self.stores,
            "categories": sum(LEVELS),
            "brands": self.brands,
            "products": self.products,
            "product_images": self.products * MOST_PICTURES,
            "variants": self.products * VARIANTS,
        }

    def chunks(self) -> list[range]:
        """Return the ids of the products, in parts that can be made independently."""
        return [
            range(first, min(first + CHUNK, self.products + 1))
            for first in range(1, self.products + 1, CHUNK)
        ]

    def with_variants(self, ids: range) -> list[int]:
        """Return those of some products that come in VARIANTS variants each: one in twenty."""
        return [product_id for product_id in ids if product_id % WITH_VARIANTS == 0]

    def chunk(self, ids: range) -> dict[str, list[str]]:
        """Return the lines of some products, their stock and their images."""
        rng = self._rng(f"products {ids.start}")
        lines: dict[str, list[str]] = {"products": [], "inventory": [], "product_images": []}
        count = len(ids)
        drawn = zip(
            ids,
            rng.choices(
                range(1, self.stores + 1), cum_weights=words.zipf(self.stores, 0.7), k=count
            ),
            rng.choices(range(self.brands), cum_weights=self._brand_weights, k=count),
            rng.choices(range(len(self.places)), cum_weights=self._place_weights, k=count),
            strict=True,
        )
        for product_id, store, brand, place in drawn:
            quantity = 0 if rng.random() < 0.1 else min(int(rng.paretovariate(0.7)), 5000)
            at = self._time(rng, product_id)
            lines["products"].append(
                self._product(rng, product_id, store, brand, place, quantity, at)
            )
            lines["inventory"].append(f"{product_id}\t{quantity}\n")
            self._add_pictures(rng, lines["product_images"], product_id, at)
        return lines

    def _product(
        self,
        rng: random.Random,
        product_id: int,
        store: int,
        brand: int,
        place: int,
        quantity: int,
        at: datetime,
    ) -> str:
        """Return one line of `products`."""
        chance = rng.random()
        branded, categorised = chance < 0.97, not 0.5 < chance < 0.51
        category = self.categories[self.places[place]]
        price = max(1000, round(rng.lognormvariate(11.6, 1.3) / 500) * 500)
        later = at + timedelta(seconds=_below(rng, 90 * 86_400)) if chance < 0.3 else at
        number = _below(rng, 10_000)
        sku = f"S{store}-{product_id}" if number < 7000 else NULL
        link = f"https://example.com/item/{product_id}" if number % 4 == 0 else NULL
        name = self.name(rng, category.name, self.brand_names[brand] if branded else "")
        return (
            f"{product_id}\t{store}\t{category.path[-1] if categorised else NULL}\t{brand + 1 if branded else NULL}\t"
            f"{name}\t{self.description(rng)}\t{price}\t{sku}\t{link}\t{'t' if number % 33 == 1 else 'f'}\t"
            f"{'t' if quantity else 'f'}\t{at.isoformat()}\t{later.isoformat()}\n"
        )

    def name(self, rng: random.Random, thing: str, brand: str) -> str:
        """Return a seller's name for it: the thing, mostly the brand, and a model number or words,
        colour and size.
        """
        kind = rng.random()
        if kind < 0.3:
            return f"{brand} {thing} {_one(rng, words.MODELS)}-{100 + _below(rng, 9900)}".strip()
        more = self._cut(rng, 1 + _below(rng, 3))
        if kind < 0.65:
            return f"{thing} {brand} {more} {_one(rng, words.COLOURS)} {_one(rng, words.MEASURES)}".replace(
                "  ", " "
            )
        if kind < 0.85:
            return f"{thing} {more} {_one(rng, words.COLOURS)}"
        model = f"{_one(rng, words.MODELS)}{10 + _below(rng, 990)}"
        return f"{brand} {model} {thing} {_one(rng, words.MEASURES)}".strip()

    def description(self, rng: random.Random) -> str:
        """Return 20 to 60 words in two sentences."""
        first, second = self._cut(rng, 10 + _below(rng, 21)), self._cut(rng, 10 + _below(rng, 21))
        return f"{first}. {second}."

    def _cut(self, rng: random.Random, count: int) -> str:
        start = _below(rng, TAPE - count)
        return " ".join(self._tape[start : start + count])

    def _time(self, rng: random.Random, product_id: int) -> datetime:
        """Return the time of creation: later products have higher ids, but for some weeks here and
        there.
        """
        share = 0.96 * product_id / self.products + 0.04 * rng.random()
        return BEGIN + timedelta(seconds=int(share * SECONDS))

    def _add_pictures(
        self, rng: random.Random, lines: list[str], product_id: int, at: datetime
    ) -> None:
        """Return images, about two; half of the products have uploaded ones, the others links. Ids
        leave room for the most.
        """
        count = bisect(PICTURES, rng.random())
        uploaded = rng.random() < 0.5
        then = at.isoformat()
        for place in range(count):
            head = f"{product_id}\t{(product_id - 1) * MOST_PICTURES + place + 1}\t{place + 1}\t{'ft'[place == 0]}\t"
            if uploaded:
                lines.append(f"{head}{_uploaded(rng)}\t{then}\n")
            else:
                link = f"https://images.example.com/{product_id}/{place + 1}.jpg"
                lines.append(f"{head}{link}\t{NULL}\t{NULL}\t{NULL}\t{NULL}\t{NULL}\t[]\t{then}\n")

    @cached_property
    def brand_names(self) -> list[str]:
        """Return a rank, from the most frequent one."""
        return list(self._names("brands", self.brands))

    @cached_property
    def categories(self) -> list[Category]:
        """Return the tree; a category's id is its place from 1 on."""
        tops, middles, leaves = LEVELS
        names = [*words.TOPS, *self._things(middles), *self._things(leaves)]
        made = [Category((number,), names[number - 1]) for number in range(1, tops + 1)]
        for number in range(tops + 1, tops + middles + 1):
            made.append(Category((*made[number % tops].path, number), names[number - 1]))
        for number in range(tops + middles + 1, sum(LEVELS) + 1):
            made.append(Category((*made[tops + number % middles].path, number), names[number - 1]))
        return made

    @cached_property
    def places(self) -> list[int]:
        """Return the places in `categories` that have products, from the most to the least
        frequent: leaves, and some above them.
        """
        tops, middles, leaves = LEVELS
        places = [*range(tops + middles, tops + middles + leaves), *range(tops, tops + middles, 3)]
        self._rng("places").shuffle(places)
        return places

    @cached_property
    def _brand_weights(self) -> list[float]:
        return words.zipf(self.brands)

    @cached_property
    def _place_weights(self) -> list[float]:
        return words.zipf(len(self.places), 0.9)

    @cached_property
    def _tape(self) -> list[str]:
        vocabulary = words.vocabulary()
        return self._rng("tape").choices(
            vocabulary, cum_weights=words.zipf(len(vocabulary), shift=10), k=TAPE
        )

    def _things(self, count: int) -> Iterator[str]:
        """Return names of categories: real things, then made-up kinds."""
        rng = self._rng(f"things {count}")
        for number in range(count):
            kind = f" {words.made(rng, 2).capitalize()}" if number >= len(words.THINGS) else ""
            yield f"{words.THINGS[number % len(words.THINGS)]}{kind}"

    def _names(self, what: str, count: int, before: str = "") -> Iterator[str]:
        rng = self._rng(what)
        for name in words.distinct(rng, count, (2, 3), set()):
            yield before + name.capitalize()

    def _rng(self, what: str) -> random.Random:
        return random.Random(f"{self.seed} {self.products} {what}")  # noqa: S311 - a shop, not a secret


def _below(rng: random.Random, end: int) -> int:
    """Return a whole number from 0 on; three times as quick as randrange."""
    return int(rng.random() * end)


def _one(rng: random.Random, of: Sequence[str]) -> str:
    return of[_below(rng, len(of))]


def _uploaded(rng: random.Random) -> str:
    """Return the columns of an image from url to variants, as an upload writes them; there are no
    files.
    """
    bits = rng.getrandbits(256)
    digest = f"{bits:064x}"
    width, height = ((1280, 960), (960, 1280), (1280, 1280))[bits % 3]
    variants = [
        {
            "name": name,
            "url": f"{URL_MARKER}{image_key(digest, name)}",
            "width": width * longest // 1280,
            "height": height * longest // 1280,
        }
        for name, longest in SIZES.items()
    ]
    placeholder = f"{digest[:27]}="
    return f"{variants[0]['url']}\t{NULL}\t{digest}\t{width}\t{height}\t{placeholder}\t{orjson.dumps(variants).decode()}"
