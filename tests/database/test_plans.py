"""Every public read is held to a budget: pages of the database it may touch, on a shop of a hundred
thousand products.

The budget stands beside the statement's name (`-- budget: 300 buffers`), where it is seen before it
is broken. Times differ from machine to machine and hour to hour; buffers do not. What is asked for
is common, rare and absent; whatever it is, no large table is read from end to end.
"""

import random
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode

import falcon.testing
import pytest
from conftest import created, make_config
from psycopg.rows import dict_row

from marketplace import app
from marketplace.app import create_app
from marketplace.config.settings import Config
from marketplace.contract import operations
from marketplace.postgres.database import Database
from marketplace.postgres.statements import QUERIES
from marketplace.queries import areas
from tools.bench import fill, samples, yardstick
from tools.bench.catalogue import Catalogue
from tools.bench.samples import Samples

PRODUCTS = 100_000
LARGE = 5_000  # rows
_BUDGET = re.compile(r"^-- name: (\w+)\n-- budget: (\d+) buffers$", re.MULTILINE)
BUDGETS = {
    f"{path.stem}.{name}": int(buffers)
    for path in sorted(QUERIES.glob("*.sql"))
    for name, buffers in _BUDGET.findall(path.read_text(encoding="utf-8"))
}
#: Public paths that read no table of the shop.
ELSEWHERE = {
    *("/api/config", "/healthz", "/readyz", "/metrics", "/docs", "/api/openapi.json"),
    "/api/uploads/file",  # a file by its signed address: the database is not asked
}

pytestmark = pytest.mark.long  # to make the shop takes a minute


class Run(NamedTuple):
    """One execution of a statement: for which request, how many pages it touched, which large
    tables it read whole.

    What a page number leaves out (OFFSET) costs a page a row, and is not in the budget.
    """

    path: str
    buffers: int
    scanned: list[str]


@pytest.fixture(scope="module")
def config(
    owner_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Config]:
    with created(owner_url, f"{template}_plans", template) as url:
        fill.fill(url, Catalogue(PRODUCTS, seed=1), lambda line: None)
        with fill.connected(url) as conn:
            conn.execute("SELECT refresh_search_words(20000)")
            conn.execute("VACUUM ANALYZE search_words")
            codes = list(country())
            areas.load(conn, "ID", codes, [f"Kota {code}" for code in codes], [""] * len(codes))
            conn.execute("VACUUM ANALYZE areas")
        yield make_config(url, tmp_path_factory.mktemp("plans"), pool_size=1)


@pytest.fixture(scope="module")
def asked(config: Config) -> list[str]:
    with fill.connected(config.database_url) as conn:
        return list(paths(samples.load(conn), config))


@pytest.fixture(scope="module")
def runs(config: Config, asked: list[str]) -> dict[str, list[Run]]:
    """What each statement did, by its name."""
    found: dict[str, list[Run]] = {}
    heard = yardstick.overhear(config, asked)
    db = Database(config)
    with db.read(0) as conn, conn.cursor(row_factory=dict_row) as cursor:
        large = {
            row["name"]
            for row in cursor.execute(
                "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'r' AND "
                "reltuples > %s",
                [LARGE],
            )
        }
        for path, statements in zip(asked, heard, strict=True):
            for sent in statements:
                if sent.text.startswith("EXPLAIN"):
                    continue
                explain = f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {sent.text}"
                answer = cursor.execute(explain.encode(), sent.values, prepare=False).fetchone()
                assert answer is not None
                plan = answer["QUERY PLAN"][0]["Plan"]
                run = Run(
                    path,
                    plan["Shared Hit Blocks"]
                    + plan["Shared Read Blocks"]
                    - sent.values.get("offset", 0) * 11 // 10,
                    [node["Relation Name"] for node in nodes(plan) if whole(node, large)],
                )
                found.setdefault(sent.text.rpartition("-- ")[2], []).append(run)
    db.close()
    return found


def country() -> Iterator[str]:
    """Codes of areas, four levels of them: 55,000."""
    for province in range(11, 31):
        yield f"{province}"
        for city in range(1, 15):
            yield f"{province}.{city:02}"
            for district in range(1, 15):
                within = f"{province}.{city:02}.{district:02}"
                yield within
                yield from (f"{within}.{village}" for village in range(2001, 2014))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def whole(node: dict[str, Any], large: set[str]) -> bool:
    """Whether a node that ran read a large table from end to end."""
    return (
        node["Node Type"] == "Seq Scan"
        and node["Actual Loops"] > 0
        and node["Relation Name"] in large
    )


def paths(known: Samples, config: Config) -> Iterator[str]:
    """Requests of every kind."""
    rng = random.Random(1)
    product = known.products[500]
    owners = {
        "category_id": [
            known.categories[0]["id"],
            known.categories[40]["id"],
            known.categories[-1]["id"],
            10**9,
        ],
        "brand_id": [known.brands[0]["id"], known.brands[-1]["id"], 10**9],
        "store_id": [known.stores[0]["id"], known.stores[-1]["id"], 10**9],
    }
    price = int(product["price"])
    prices = [{"min_price": price, "max_price": price * 2}, {"max_price": 1}, {"min_price": price}]
    texts = [
        known.common[0], known.rare[0], known.absent[0], known.three(rng), known.misspelt(rng), product["name"],
        f"{known.common[0]} -{known.common[1]}", " ".join(known.common[:6]), f"{known.common[2]} "
                                                                             f"{known.absent[1]}",
    ]  # fmt: skip
    queries: list[dict[str, Any]] = [{}]
    queries += [{name: value} for name, values in owners.items() for value in values]
    queries += prices
    queries += [{"category_id": owners["category_id"][0], "brand_id": owners["brand_id"][0]}]
    queries += [{"category_id": owners["category_id"][1], **range_} for range_ in prices]
    queries += [{"brand_id": owners["brand_id"][0], **range_} for range_ in prices]
    queries += [
        {
            "category_id": owners["category_id"][0],
            "store_id": owners["store_id"][1],
            "in_stock": "true",
        }
    ]
    sorts = [
        {},
        {"sort_by": "price"},
        {"sort_by": "price", "sort_order": "desc"},
        {"sort_by": "name"},
    ]
    for query in queries:
        for sort in sorts:
            for stock in ({}, {"in_stock": "true"}, {"in_stock": "false"}):
                yield f"/api/products?{urlencode({**query, **sort, **stock})}"
        yield f"/api/products?{urlencode({**query, 'facets': 'category,brand,price,in_stock'})}"
    yield f"/api/products?ids={','.join(str(each['id']) for each in known.products[:20])}"
    for text in texts:
        for more in (
            {},
            {"sort_by": "price"},
            {"category_id": owners["category_id"][0]},
            {"facets": "brand,price"},
        ):
            yield f"/api/products?{urlencode({'search': text, **more})}"
        for length in (1, 3, 40):
            yield f"/api/products/suggest?{urlencode({'q': text[:length]})}"
    yield from pages(config)
    for last in ("1", str(product["id"]), str(10**9)):
        yield f"/api/products/{last}"
        yield f"/api/products/{last}/images"
        yield from (f"/api/{noun}/{last}" for noun in ("brands", "categories", "stores"))
        yield f"/api/stores/{last}/delivery-options"
    name = known.brands[0]["name"]
    yield from (
        f"/api/brands?{urlencode({'search': text})}" for text in (name, name[:2], "a", "qqqxqqq")
    )
    yield from (
        "/api/brands",
        "/api/categories",
        "/api/stores",
        "/api/changes",
        "/api/changes?types=brand,store",
        "/api/areas",
        "/api/areas?parent=11",
        "/api/areas?parent=11.01.01",
        "/api/areas?search=Kota",
        "/api/areas?search=30.14.14&parent=30",
        "/api/areas?search=qqqxqqq",
    )


def pages(config: Config) -> Iterator[str]:
    """Cursors far down, and the deepest pages."""
    yield "/api/products?page=500"
    yield "/api/products?category_id=1&page=500"
    db = Database(config)
    client = falcon.testing.TestClient(create_app(config, db))
    for path in (
        "/api/products?per_page=100",
        "/api/products?per_page=100&category_id=1",
        "/api/brands?per_page=100",
    ):
        follow = path
        for _ in range(20):
            answer = client.simulate_get(follow).json
            follow = f"{path}&{urlencode({'cursor': answer['next_cursor']})}"
        yield follow
    db.close()


def test_every_public_read_is_asked(config: Config, asked: list[str]):
    db = Database(config)
    templates = {
        template
        for template, resource in app.route_table(config, db)
        if (declared := operations.of(resource, "GET"))
        and declared.public
        and template not in ELSEWHERE
    }
    db.close()
    seen = {
        template
        for template in templates
        if any(
            re.fullmatch(re.sub(r"\{\w+:id\}", "[0-9]+", template) + r"(\?.*)?", path)
            for path in asked
        )
    }
    aliases = {each for each in templates if re.match("/api/products/(categories|brands)", each)}
    assert templates - seen - aliases == set()


def test_what_is_read_for_the_public_has_a_budget(runs: dict[str, list[Run]]):
    assert sorted(set(runs) - set(BUDGETS)) == []
    assert sorted(set(BUDGETS) - set(runs)) == [], "nobody asks for it"


@pytest.mark.parametrize("name", sorted(BUDGETS))
def test_no_more_pages_are_touched_than_the_budget_has(runs: dict[str, list[Run]], name: str):
    dearest = max(runs[name], key=lambda run: run.buffers)
    assert dearest.buffers <= BUDGETS[name], dearest.path


def test_no_large_table_is_read_from_end_to_end(runs: dict[str, list[Run]]):
    assert [
        (name, run.path, run.scanned)
        for name, found in runs.items()
        for run in found
        if run.scanned
    ] == []


def test_a_budget_is_not_far_above_what_is_needed(runs: dict[str, list[Run]]):
    """So that what makes a statement three times as dear is noticed."""
    loose = {
        name: most
        for name, most in BUDGETS.items()
        if most > 100 + 3 * max(run.buffers for run in runs[name])
    }
    assert loose == {}
