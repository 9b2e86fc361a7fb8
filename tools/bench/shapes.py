"""The measured requests, by their names in the table."""

import random
from urllib.parse import urlencode

import orjson

from tools.bench.load import Connection, get, post
from tools.bench.samples import Samples

KINDS = 200  # different requests a shape has
DEEP = 10_000  # pages of 20
HELLO, LISTING, FIRST, DETAIL, CREATE = (
    "hello, application",
    "listing",
    "page 1",
    "detail",
    "create",
)
DEEP_NAME = "page 10,000 by cursor"
FACETS = "category,brand,price,in_stock"
Shapes = dict[str, list[bytes]]


def build(samples: Samples, port: int, token: str, seed: int) -> Shapes:
    """Return all of them. `port` is of a running server: cursors come from it."""
    rng = random.Random(seed)  # noqa: S311 - which requests, no secret
    shapes = {
        HELLO: [get("/healthz")],
        LISTING: [
            get(
                f"/api/products?{urlencode({'category_id': samples.category(rng), 'page': 1 + number % 5})}"
            )
            for number in range(KINDS)
        ],
        FIRST: [get("/api/products")],
        # Return one page, as page 1 is one: several would be colder, which is not the question.
        DEEP_NAME: [
            get(f"/api/products?{urlencode({'cursor': cursor})}") for cursor in deepest(port, DEEP)
        ],
        DETAIL: [
            get(f"/api/products/{product['id']}")
            for product in rng.choices(samples.products, k=KINDS)
        ],
        "search, common word": _searches([rng.choice(samples.common[:20]) for _ in range(KINDS)]),
        "search, rare word": _searches([rng.choice(samples.rare) for _ in range(KINDS)]),
        "search, absent word": _searches(samples.absent),
        "search, three words": _searches([samples.three(rng) for _ in range(KINDS)]),
        "search, misspelt word": _searches([samples.misspelt(rng) for _ in range(KINDS)]),
        "facets": [
            get(
                f"/api/products?{urlencode({'category_id': samples.category(rng), 'facets': FACETS})}"
            )
            for _ in range(KINDS)
        ],
        CREATE: [post("/api/products", body, token) for body in _bodies(rng, samples)],
    }
    return {**shapes, "mix": _mix(rng, shapes)}


def deepest(port: int, pages: int) -> list[str]:
    """Return the cursor so many pages of 20 after the start, by going there; the deepest of a
    smaller shop, if it has any.
    """
    connection = Connection(port)
    found: list[str] = []
    path = "/api/products?per_page=100"
    for _ in range(max(pages // 5, 1)):
        follow = orjson.loads(connection.ask(get(path)).body)["next_cursor"]
        if follow is None:
            break
        found = [follow]
        path = f"/api/products?{urlencode({'per_page': 100, 'cursor': follow})}"
    connection.close()
    return found


def _searches(texts: list[str]) -> list[bytes]:
    return [get(f"/api/products?{urlencode({'search': text})}") for text in texts]


def _bodies(rng: random.Random, samples: Samples) -> list[bytes]:
    """Return new products like the existing ones."""
    return [
        orjson.dumps(
            {
                "name": product["name"],
                "description": product["description"],
                "price": str(product["price"]),
                "category_id": product["category_id"],
                "brand_id": product["brand_id"],
                "stock": rng.randrange(100),
            }
        )
        for product in rng.choices(samples.products, k=KINDS)
    ]


def _mix(rng: random.Random, shapes: Shapes) -> list[bytes]:
    """Return a thousand requests of an evening: mostly lists and products, a
    search now and then.
    """
    shares = {
        LISTING: 350, FIRST: 100, DEEP_NAME: 50, DETAIL: 300, "search, common word": 50, "search, rare word": 30,
        "search, absent word": 10, "search, three words": 60, "search, misspelt word": 20, "facets": 20, CREATE: 10,
    }  # fmt: skip
    mixed = [rng.choice(shapes[name]) for name, count in shares.items() for _ in range(count)]
    rng.shuffle(mixed)
    return mixed
