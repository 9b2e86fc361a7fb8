"""The material of requests for the generated shop: existing ids, prices and words,
common and rare.
"""

import random
import re
import string
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql
from tools.bench import words

SQL = named_sql("samples", Path(__file__).parent)
PRODUCTS = 2000


@dataclass(frozen=True)
class Samples:
    """Categories, brands and stores (id, name, products), from the largest on; some products."""

    categories: list[Row]
    brands: list[Row]
    stores: list[Row]
    products: list[Row]

    @cached_property
    def common(self) -> list[str]:
        """Words that are in very many products, the most frequent first."""
        counted = Counter(word for product in self.products for word in _words(product))
        return [word for word, _ in counted.most_common(40)]

    @cached_property
    def rare(self) -> list[str]:
        """Words that are in a few products: model numbers."""
        found = (re.search(r"\b[A-Z]{1,3}-\d{3,4}\b", product["name"]) for product in self.products)
        return [match[0] for match in found if match]

    @cached_property
    def absent(self) -> list[str]:
        """Words that are in none, and no misspelling of any."""
        return [f"{letter}qx{letter}zvx{number}qj" for letter in "bcdfg" for number in range(20)]

    def category(self, rng: random.Random) -> int:
        """Return one of the categories, in proportion to its products."""
        return int(rng.choices(self.categories, cum_weights=self._category_weights)[0]["id"])

    def three(self, rng: random.Random) -> str:
        """Return three words of one product."""
        return " ".join(rng.sample([*dict.fromkeys(_words(rng.choice(self.products)))], 3))

    def misspelt(self, rng: random.Random) -> str:
        """Return a word of a name with one letter wrong."""
        while True:
            known = re.findall(r"[a-z]{6,}", rng.choice(self.products)["name"].lower())
            if known:
                return misspell(rng, rng.choice(known))

    @cached_property
    def _category_weights(self) -> list[float]:
        return words.cumulated(float(category["products"]) for category in self.categories)


def misspell(rng: random.Random, word: str) -> str:
    """Return it with one letter left out, doubled, changed, or exchanged with the next."""
    place = rng.randrange(1, len(word) - 1)
    before, letter, after = word[:place], word[place], word[place + 1 :]
    kind = rng.randrange(4)
    if kind == 0:
        return before + after
    if kind == 1:
        return before + letter * 2 + after
    if kind == 2:
        return before + rng.choice(string.ascii_lowercase.replace(letter, "")) + after
    return before + after[0] + letter + after[1:]


def load(conn: Conn) -> Samples:
    """Read them; takes about a second at a million products."""
    return Samples(
        conn.execute(SQL["categories"]).fetchall(),
        conn.execute(SQL["brands"]).fetchall(),
        conn.execute(SQL["stores"]).fetchall(),
        conn.execute(SQL["products"], {"number": PRODUCTS}).fetchall(),
    )


def _words(product: Row) -> list[str]:
    return re.findall(r"[a-z]{3,}", f"{product['name']} {product['description']}".lower())
