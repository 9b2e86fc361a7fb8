"""Apps that poll the change feed while many writers commit, and what each copy must hold at the end.

In a round writers make changes of all kinds (made, changed, hidden, shown, sold, renamed, moved,
deleted, rebuilt), in transactions of one to four, some open for seconds, some rolled back.
Meanwhile apps poll. An app's copy must be the database's state, and nothing comes twice in a pass.
system/feed.py does it over HTTP.
"""

import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from psycopg.rows import dict_row

from marketplace.postgres.callers import Client
from marketplace.queries import brands as brand_queries
from marketplace.queries import categories as category_queries
from marketplace.workflows import brands, categories, product_documents
from marketplace.workflows import products as product_workflow

Thing = tuple[str, int]
NOBODY = Client(0, None, None)  # the database's owner acts here, and no user
Fetch = Callable[[dict[str, Any]], dict[str, Any]]

#: Everything that is public, as the API answers it, read from the tables themselves.
STATE = """
SELECT 'product' AS type, p.id, (d.document || '}')::jsonb || jsonb_build_object(
    'stock', i.quantity, 'in_stock', i.quantity > 0, 'sold', 0, 'description', p.description,
    'blocked', p.blocked, 'condition', p.condition, 'min_quantity', p.min_quantity,
    'max_per_buyer', p.max_per_buyer, 'preorder_days', p.preorder_days, 'weight_grams', p.weight_grams, 'length_cm', p.length_cm, 'width_cm', p.width_cm,
    'height_cm', p.height_cm, 'variants', v.variants
) AS state
FROM products AS p
JOIN product_documents AS d ON d.product_id = p.id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(s.quantity) FILTER (WHERE s.on_sale), 0) AS quantity FROM inventory AS s WHERE s.product_id = p.id
) AS i
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'id', k.id, 'options', k.options, 'sku', k.sku, 'barcode', k.barcode, 'price', k.price::text,
        'price_before', k.price_before::text, 'image_id', k.image_id, 'weight_grams', k.weight_grams,
        'stock', s.quantity, 'in_stock', s.quantity > 0, 'hidden', k.hidden
    ) ORDER BY k.position, k.id), '[]') AS variants
    FROM variants AS k
    JOIN inventory AS s ON s.product_id = k.product_id AND s.variant_id = k.id
    WHERE k.product_id = p.id AND NOT k.hidden
) AS v
WHERE NOT p.hidden
UNION ALL
SELECT 'store', s.id, jsonb_build_object('id', s.id, 'name', s.name, 'description', s.description, 'version', s.version,
    'created_at', to_char(s.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'updated_at', to_char(s.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
FROM stores AS s
UNION ALL
SELECT 'category', c.id, jsonb_build_object('id', c.id, 'name', c.name, 'slug', c.slug, 'parent_id', c.parent_id,
    'version', c.version,
    'created_at', to_char(c.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'updated_at', to_char(c.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
FROM categories AS c
WHERE c.listed
UNION ALL
SELECT 'brand', b.id, jsonb_build_object('id', b.id, 'name', b.name, 'slug', b.slug, 'version', b.version,
    'created_at', to_char(b.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'updated_at', to_char(b.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
FROM brands AS b
WHERE b.listed
"""


def truth(url: str) -> dict[Thing, Any]:
    """What the database holds: all that is public, by type and id."""
    with psycopg.connect(url) as conn:
        return {(kind, thing_id): state for kind, thing_id, state in conn.execute(STATE)}


class Copy:
    """An app's copy of the catalogue. `fetch` sends the query of one call and gives the JSON of
    its answer.
    """

    def __init__(self, fetch: Fetch, **query: Any) -> None:
        self.fetch = fetch
        self.query = query
        self.cursor: str | None = None
        self.things: dict[Thing, Any] = {}
        self.passes = self.told = self.longest_delay = 0

    def go_through(self) -> int:
        """One pass: ask until nothing is left; the longest delay it was told of, in seconds."""
        seen: set[Thing] = set()
        delay, has_next = 0, True
        while has_next:
            answer = self.fetch({**self.query, **({"cursor": self.cursor} if self.cursor else {})})
            for change in answer["changes"]:
                thing = change["type"], change["id"]
                assert thing not in seen, f"{thing} came twice in a pass"
                seen.add(thing)
                self.take(thing, change)
            self.cursor, has_next = answer["next_cursor"], answer["has_next"]
            delay = max(delay, answer["delay_seconds"])
        self.passes += 1
        self.told += len(seen)
        self.longest_delay = max(self.longest_delay, delay)
        return delay

    def take(self, thing: Thing, change: dict[str, Any]) -> None:
        """Put one change into the copy."""
        if change["deleted"]:
            self.things.pop(thing, None)
        else:
            self.things[thing] = change[thing[0]]

    def catch_up(self) -> None:
        """Go on until nothing is withheld: for when all writers have ended."""
        deadline = time.monotonic() + 60
        while self.go_through():
            assert time.monotonic() < deadline, "a change is withheld for ever"
            time.sleep(0.05)


class Shop:
    """What writers know of the database: its stores, and the ids that were there once."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.ids: dict[str, list[int]] = {"product": [], "store": [], "category": [], "brand": []}
        self.counts: Counter[str] = Counter()
        self.lock = threading.Lock()

    def connect(self) -> Any:
        """A connection of the owner's, whom the guards let through."""
        conn = psycopg.connect(self.url, row_factory=dict_row, autocommit=True)
        conn.execute("SET lock_timeout = '5s'")
        return conn

    def fill(self) -> None:
        """Something of each to begin with."""
        with self.connect() as conn:
            for kind, number in (("store", 8), ("category", 12), ("brand", 12), ("product", 200)):
                for _ in range(number):
                    self.ids[kind].append(_add(conn, random.Random(), self, kind))


def _add(conn: Any, rng: random.Random, shop: Shop, kind: str) -> int:
    name = f"{kind} {secrets.token_hex(6)}"
    if kind == "product":
        product = {
            "name": name, "price": rng.randrange(1, 10**6), "stock": rng.randrange(3), "hidden": rng.random() < 0.1,
            "category_id": rng.choice([None, *shop.ids["category"][:3]]), "description": rng.choice([None, name]),
            "brand": rng.choice([None, f"brand {rng.randrange(20)}"]),
        }  # fmt: skip
        store_id = rng.choice(shop.ids["store"])
        return product_workflow.add(
            conn, NOBODY, store_id=store_id, product=product, pictures=[], currency="IDR"
        )
    if kind == "category":
        return categories.add(
            conn, name=name, parent_id=rng.choice([None, *shop.ids["category"][:3]])
        )
    if kind == "brand":
        kept = (
            len(shop.ids["brand"]) < 6 or rng.random() < 0.5
        )  # else as a seller makes it: public with its first product
        return conn.execute(
            "INSERT INTO brands (name, kept, listed) VALUES (%s, %s, %s) RETURNING id",
            [name, kept, kept],
        ).fetchone()["id"]
    return conn.execute(
        "WITH u AS (INSERT INTO users (name, email, role) VALUES (%(name)s, %(name)s, 'seller') "
        "RETURNING id) "
        "INSERT INTO stores (owner_id, name) SELECT u.id, %(name)s FROM u RETURNING id",
        {"name": name},
    ).fetchone()["id"]


#: As products.find_own, which asks whose session it is; here the owner of the tables acts.
FIND_OWN = """
SELECT p.*, i.quantity AS stock
FROM products AS p
JOIN inventory AS i ON i.product_id = p.id
WHERE p.id = %s
FOR UPDATE OF i, p
"""


def _change_product(conn: Any, rng: random.Random, shop: Shop) -> None:
    before = conn.execute(FIND_OWN, [rng.choice(shop.ids["product"])]).fetchone()
    field = rng.choice(["name", "price", "description", "hidden", "hidden", "brand_id", "stock"])
    value = {
        "name": f"product {rng.random()}", "price": rng.randrange(10**6), "description": str(rng.random()),
        "hidden": not before["hidden"], "brand_id": rng.choice([None, *shop.ids["brand"][:6]]),
        "stock": rng.randrange(4),
    }[field]  # fmt: skip
    after = {**{name: before[name] for name in before if name != "stock"}, field: value}
    product_workflow.change(conn, before, None, after, "IDR")


def _sell(conn: Any, rng: random.Random, shop: Shop) -> None:
    """Stock of several products, as an order takes it: one statement, in the order of ids."""
    ids = sorted(rng.sample(shop.ids["product"], 3))
    conn.execute(
        "WITH held AS (SELECT product_id FROM inventory WHERE product_id = ANY(%s) ORDER BY "
        "product_id FOR UPDATE) "
        "UPDATE inventory AS i SET quantity = (i.quantity + 2) %% 3 FROM held WHERE i.product_id "
        "= held.product_id",
        [ids],
    )


def _rename(conn: Any, rng: random.Random, shop: Shop, kind: str) -> None:
    """A name of its own for each: what readers see is then surely this one."""
    name, which = f"{kind} {secrets.token_hex(6)}", rng.choice(shop.ids[kind])
    if kind == "brand":
        before = brand_queries.lock(conn, which)
        if before is not None:
            brands.change(conn, which, before, name)
    elif kind == "store":
        conn.execute(
            "UPDATE stores SET name = %s, version = version + 1 WHERE id = %s", [name, which]
        )
    else:
        parent = rng.choice([None, *(each for each in shop.ids["category"][:6] if each < which)])
        before = categories.hold(conn, which)
        if before is not None:
            categories.change(conn, before, name=name, parent_id=parent)


def _remove(conn: Any, rng: random.Random, shop: Shop, kind: str) -> None:
    """Not the first ones: the writers need some that stay. Refused where it is used and nothing
    takes its products.
    """
    workflow = brands if kind == "brand" else categories
    which = rng.choice(shop.ids[kind][6:] or [0])
    if workflow.hold(conn, which) is not None:
        workflow.remove(conn, which, rng.choice([None, shop.ids[kind][0]]))


def _settle(conn: Any, rng: random.Random, shop: Shop) -> None:
    """What the worker does: brands and categories on sale are listed, and no others."""
    brand_queries.settle(conn, None)
    category_queries.clear(conn)


def _rebuild(conn: Any, rng: random.Random, shop: Shop) -> None:
    """A batch of what the worker does after a rename."""
    ids = sorted(rng.sample(shop.ids["product"], min(20, len(shop.ids["product"]))))
    conn.execute("SELECT id FROM products WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [ids])
    product_documents.refresh(conn, ids, "IDR")


OPERATIONS: list[tuple[str, int]] = [
    ("add product", 20), ("add brand", 4), ("add category", 3), ("add store", 1), ("change", 35), ("sell", 20),
    ("rename brand", 4), ("rename category", 3), ("rename store", 3), ("remove brand", 4), ("remove category", 3),
    ("rebuild", 3), ("settle", 3),
]  # fmt: skip


def _operate(conn: Any, rng: random.Random, shop: Shop, name: str) -> Thing | None:
    """One change; the thing that it adds, if it is one that adds."""
    verb, _, kind = name.partition(" ")
    if verb == "add":
        return kind, _add(conn, rng, shop, kind)
    if verb in ("rename", "remove"):
        (_rename if verb == "rename" else _remove)(conn, rng, shop, kind)
    else:
        {"change": _change_product, "sell": _sell, "rebuild": _rebuild, "settle": _settle}[verb](
            conn, rng, shop
        )
    return None


def write(shop: Shop, rng: random.Random, changes: int, longest: float) -> None:
    """One writer: transactions at random until all writers together have committed so many
    changes.
    """
    names, weights = zip(*OPERATIONS, strict=True)
    with shop.connect() as conn:
        while shop.counts["committed"] < changes:
            chosen = rng.choices(names, weights, k=rng.choice([1, 1, 1, 2, 4]))
            patience = rng.choices([0.02, 0.2, longest], [84, 14, 2])[0]
            keep = rng.random() < 0.9
            added: list[Thing | None] = []
            try:
                with conn.transaction(force_rollback=not keep):
                    for name in chosen:
                        added.append(_operate(conn, rng, shop, name))
                        time.sleep(rng.random() * patience * 2 / len(chosen))
            except (
                psycopg.Error
            ) as error:  # a category in use, a lock that was not to be had, a deadlock
                with shop.lock:
                    shop.counts[type(error).__name__] += 1
                continue
            with shop.lock:
                shop.counts["committed" if keep else "rolled back"] += len(chosen)
                shop.counts["long transactions"] += patience == longest
                for kind, thing_id in filter(None, added if keep else []):
                    shop.ids[kind].append(thing_id)


def compete(
    shop: Shop,
    copies: list[Copy],
    late: Copy,
    *,
    seed: int,
    writers: int,
    changes: int,
    longest: float,
) -> None:
    """One round: writers and polling apps at once, of which `late` begins in the middle. Raises
    AssertionError when an app ends with anything but what the database holds.
    """
    shop.counts.clear()
    rng = random.Random(seed)
    begin = rng.randrange(changes)

    def poll(copy: Copy) -> None:
        while any(not writer.done() for writer in at_work):
            if copy is not late or shop.counts["committed"] >= begin:
                copy.go_through()
            time.sleep(0.01)
        copy.catch_up()

    with ThreadPoolExecutor(writers + len(copies) + 1) as pool:
        at_work = [
            pool.submit(write, shop, random.Random(rng.random()), changes, longest)
            for _ in range(writers)
        ]
        for done in [*(pool.submit(poll, copy) for copy in (*copies, late)), *at_work]:
            done.result()
    expected = truth(shop.url)
    for copy in (*copies, late):
        kind = {"products": "product"}.get(copy.query.get("types", ""))
        wanted = {thing: state for thing, state in expected.items() if kind in (None, thing[0])}
        wrong = {
            thing
            for thing in wanted.keys() | copy.things.keys()
            if wanted.get(thing) != copy.things.get(thing)
        }
        assert not wrong, [
            (thing, copy.things.get(thing), wanted.get(thing)) for thing in sorted(wrong)[:3]
        ]
