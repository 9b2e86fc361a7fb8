"""The cost that what reads need of a product (document, category rows, words) adds to creating it,
in one process, side by side.
"""

import statistics
import time
from typing import NamedTuple
from unittest import mock

from marketplace.config.settings import Config
from marketplace.postgres.callers import Client
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn
from marketplace.queries import documents
from marketplace.workflows import products
from tools.bench import processes
from tools.bench.samples import Samples
from tools.bench.shop import Seller

TIMES = 300


class Cost(NamedTuple):
    """Microseconds of CPU, of this process and PostgreSQL together, with what reads need
    of it and without.
    """

    with_document: float
    without: float


def measure(
    db: Database, config: Config, seller: Seller, samples: Samples, *, times: int = TIMES
) -> Cost:
    """Create products like the existing ones, in turns; return medians. `db` has a pool of one."""
    with db.read(0) as conn:
        backend = conn.info.backend_pid
    taken: dict[bool, list[float]] = {True: [], False: []}
    for number in range(times):
        product = samples.products[number % len(samples.products)]
        for whole in (True, False):
            before = processes.running(backend) + time.thread_time() * 1e6
            with db.transaction(seller.caller) as conn:
                if whole:
                    _create(conn, config, seller, product)
                else:
                    with mock.patch.object(documents, "add"):
                        _create(conn, config, seller, product)
            taken[whole].append(processes.running(backend) + time.thread_time() * 1e6 - before)
    return Cost(statistics.median(taken[True]), statistics.median(taken[False]))


def _create(conn: Conn, config: Config, seller: Seller, product: dict[str, object]) -> None:
    body = {
        name: product[name] for name in ("name", "description", "price", "category_id", "brand_id")
    }
    client = Client(seller.caller.user_id, None, "bench")
    products.add(
        conn,
        client,
        store_id=seller.caller.store_id or 0,
        product={**body, "stock": 5},
        pictures=(),
        currency=config.currency,
    )
