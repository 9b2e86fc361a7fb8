"""What placing a checkout and taking its payment costs the database, beside the least that writing the
same rows can cost; and what the request costs in Python, beside creating a product.

The floor (floor.sql) is one prepared statement that writes the same rows into tables with the same
indexes and checks, without triggers, foreign keys and policies. All are measured in turns.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import falcon.testing
import orjson
import psycopg
from psycopg.rows import dict_row

from marketplace.app import create_app
from marketplace.config import settings
from marketplace.config.settings import Config
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn
from marketplace.postgres.statements import named_sql, one
from marketplace.security.tokens import Tokens, hashed, new_secret
from marketplace.workflows import pricing
from tools.bench import processes, shop
from tools.bench.fill import Report

NAME = "marketplace_placing"
SQL = named_sql("placing", Path(__file__).parent)
FLOOR = Path(__file__).parent / "floor.sql"
#: Tables of which a transaction only changes rows that are there.
CHANGED_BY_PLACE = ["inventory", "carts", "changes"]
CHANGED_BY_PAY = [
    "checkouts", "orders", "order_lines", "payments", "holds", "inventory", "changes",
]  # fmt: skip
DAY = 86_400
#: What passes: times the floor, and of the request in Python times that of creating a product.
MOST = {"place": 8.0, "pay": 10.0, "WAL": 1.2, "Python": 1.0}
MOST_PRICING = 300.0
ACCOUNT = {"bank": "BCA", "number": "123", "holder": "PT Toko"}


class Spent(NamedTuple):
    """What one call took: microseconds of the database, of Python, and bytes of its log."""

    database: float
    python: float
    log: float


class Client:
    """Sends requests to the application in this process; `backend` is the only connection it has."""

    def __init__(self, config: Config) -> None:
        self.db = Database(config)
        self.app = create_app(config, self.db)
        with self.db.primary() as conn:
            self.backend = conn.info.backend_pid

    def post(self, path: str, token: str, document: Any, key: str) -> dict[str, Any]:
        """POST a document; the response. Raises AssertionError if nothing was made."""
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        environ = falcon.testing.create_environ(
            path, method="POST", headers=headers, body=orjson.dumps(document).decode()
        )
        said: list[str] = []

        def start_response(status: str, _: object) -> Callable[[bytes], None]:
            said.append(status)
            return lambda _: None

        started = time.thread_time_ns()
        body = b"".join(self.app(environ, start_response))
        self.python = (time.thread_time_ns() - started) / 1000
        if not said[0].startswith("201"):
            raise AssertionError(f"{path}: {said[0]} {body[:500]!r}")
        made: dict[str, Any] = orjson.loads(body)
        return made


class Market:
    """Two stores with three products, and buyers each with a cart of them."""

    def __init__(self, conn: Conn, config: Config) -> None:
        self.conn, self.tokens = conn, Tokens(config)
        owners = self._ids("users", {"role": "seller", "users": 2})
        stores = self._ids("stores", {"owners": owners})
        conn.execute(SQL["options"], {"stores": stores})
        self.products = self._ids("products", {"stores": stores})
        conn.execute(SQL["stock"], {"products": self.products})
        self.seller = self._signed_in(owners[:1])[0]

    def buyers(self, count: int) -> list[str]:
        """So many new buyers with a full cart; their tokens."""
        users = self._ids("users", {"role": "buyer", "users": count})
        values = {"users": users, "products": self.products}
        for name in ("homes", "carts", "cart_lines"):
            self.conn.execute(SQL[name], values)
        return self._signed_in(users)

    def _ids(self, name: str, values: dict[str, Any]) -> list[int]:
        return [row["id"] for row in self.conn.execute(SQL[name], values)]

    def _signed_in(self, users: list[int]) -> list[str]:
        secrets = [new_secret() for _ in users]
        values = {"users": users, "hashes": [hashed(secret) for secret in secrets]}
        self.conn.execute(SQL["sign_in"], values)
        return [
            self.tokens.access(user, secret, DAY)
            for user, secret in zip(users, secrets, strict=True)
        ]


class Bench:
    """Calls in turns: place and its floor, pay and its floor, create a product."""

    def __init__(self, owner: str, api: str) -> None:
        self.config = settings.load(
            database_url=api,
            pool_size=1,
            secret_keys=(shop.new_key(),),
            transfer_accounts=(ACCOUNT,),
            payment_methods=("cod", "transfer", "store_transfer"),
            rate_limits={},
        )
        self.watch, self.worker = (
            psycopg.connect(owner, row_factory=dict_row, autocommit=True) for _ in range(2)
        )
        # EXECUTE takes its values in the text.
        self.floor = psycopg.connect(
            owner, row_factory=dict_row, autocommit=True, cursor_factory=psycopg.ClientCursor
        )
        self.worker.execute(SQL["act_as_worker"])
        self.backends = {
            name: one(conn, SQL["own_backend"])["pid"]
            for name, conn in (("floor", self.floor), ("worker", self.worker))
        }
        self.client = Client(self.config)
        self.market = Market(self.watch, self.config)
        self.pricing: list[float] = []
        self.calls = 0

    def close(self) -> None:
        """Close all connections."""
        for conn in (self.watch, self.floor, self.worker):
            conn.close()
        self.client.db.close()

    def prepare(self) -> None:
        """Make the floor from what one place and one payment write. Raises AssertionError where
        the floor writes anything else.
        """
        self.floor.execute(FLOOR.read_bytes())
        (warm, token) = self.market.buyers(2)
        self._pay(self._place(warm))  # what is made once: accounts of the books, a job
        placed = self._place(token)
        self._floor_of("floor_of_place", "tx", CHANGED_BY_PLACE)
        self._pay(placed)
        self._floor_of("floor_of_pay", "paid_tx", CHANGED_BY_PAY)

    def _floor_of(self, name: str, tx: str, changed: list[str]) -> None:
        real = one(self.watch, SQL["placed"])[tx]
        values = {"name": name, "tx": real, "changed": changed}
        self.floor.execute(SQL["prepare"], values)
        self.calls = max(self.calls, 1)
        with self.floor.transaction():
            self.floor.execute(SQL[name], {"call": 1})
            own = one(self.floor, SQL["own_transaction"])["tx"]
        both = [
            one(self.watch, SQL["written"], {"place": place, "tx": each})["written"]
            for place, each in (("public", real), ("floor", own))
        ]
        if both[0] != both[1]:
            raise AssertionError(f"{name} writes {both[1]}, and the verb {both[0]}")

    def round(self, count: int) -> dict[str, list[Spent]]:
        """Do everything so often, in turns; what each call took."""
        spent: dict[str, list[Spent]] = {}
        for token in self.market.buyers(count):
            for name, each in self._once(token).items():
                spent.setdefault(name, []).append(each)
        return spent

    def _once(self, token: str) -> dict[str, Spent]:
        """Everything once; what each took."""
        self.calls += 1
        placed: list[dict[str, Any]] = []
        steps: list[tuple[str, int, Callable[[], object]]] = [
            ("place", self.client.backend, lambda: placed.append(self._place(token))),
            ("floor of place", self.backends["floor"], lambda: self._run("floor_of_place")),
            ("pay", self.backends["worker"], lambda: self._pay(placed[0])),
            ("floor of pay", self.backends["floor"], lambda: self._run("floor_of_pay")),
            ("product", self.client.backend, self._make),
        ]
        return {name: self._spent(backend, step) for name, backend, step in steps}

    def _spent(self, backend: int, step: Callable[[], object]) -> Spent:
        position, used = self._position(), processes.running(backend)
        step()
        used = processes.running(backend) - used
        return Spent(used, self.client.python, self._position() - position)

    def _position(self) -> float:
        return float(one(self.watch, SQL["position"])["bytes"])

    def _run(self, name: str) -> None:
        self.floor.execute(SQL[name], {"call": self.calls})

    def _make(self) -> None:
        document = {"name": "Kopi Gayo 250 g", "description": "Arabika.", "price": "85000"}
        seller, key = self.market.seller, f"product-{self.calls}"
        self.client.post("/api/products", seller, {**document, "stock": 5}, key)

    def _place(self, token: str) -> dict[str, Any]:
        document = {"expected_total": "273000", "payment": {"method": "transfer"}}
        return self.client.post("/api/checkouts", token, document, "place")

    def _pay(self, placed: dict[str, Any]) -> None:
        (payment,) = placed["payments"]
        values = {"payment_id": payment["id"], "amount": Decimal(payment["amount"])}
        with self.worker.transaction():
            outcome = one(self.worker, SQL["pay"], values)["outcome"]
        if outcome != "paid":
            raise AssertionError(f"apply_payment: {outcome}")


@contextmanager
def timed_pricing(bench: Bench) -> Iterator[None]:
    """Note what the pure functions take in each request of the block."""
    price = pricing.price

    def timed(*args: Any) -> Any:
        started = time.thread_time_ns()
        try:
            return price(*args)
        finally:
            bench.pricing.append((time.thread_time_ns() - started) / 1000)

    with mock.patch.object(pricing, "price", timed):
        yield


def measure(owner: str, api: str, report: Report, *, calls: int, rounds: int) -> list[str]:
    """Report what each costs; return what is above what passes. `owner` and `api` are logins of an
    empty, migrated database.
    """
    bench = Bench(owner, api)
    ratios: dict[str, list[float]] = {}
    try:
        bench.prepare()
        bench.round(max(calls // 10, 3))  # plans are kept from the sixth time on
        with timed_pricing(bench):
            for _ in range(rounds):
                told = summed(bench.round(calls), report)
                for name, ratio in told.items():
                    ratios.setdefault(name, []).append(ratio)
        taken = statistics.median(bench.pricing)
    finally:
        bench.close()
    report(f"pricing: {taken / 1000:.3f} ms, at most {MOST_PRICING / 1000}")
    above = [
        name
        for name, found in ratios.items()
        if statistics.median(found) > MOST[name.partition(" ")[0]]
    ]
    return above + (["pricing"] if taken > MOST_PRICING else [])


def summed(spent: dict[str, list[Spent]], report: Report) -> dict[str, float]:
    """Report the medians of a round; return the ratios."""

    def middle(name: str, what: int) -> float:
        return statistics.median(each[what] for each in spent[name])

    ratios = {}
    for name, what, most, unit in (
        ("place", 0, "place", "ms of PostgreSQL"),
        ("pay", 0, "pay", "ms of PostgreSQL"),
        ("place", 2, "WAL", "kB of WAL"),
        ("pay", 2, "WAL", "kB of WAL"),
    ):
        mine, least = middle(name, what), middle(f"floor of {name}", what)
        ratio = ratios[most if what == 0 else f"WAL of {name}"] = mine / least
        numbers = f"{mine / 1000:6.2f} {unit}, floor {least / 1000:.2f}"
        report(f"{name:6} {numbers}: {ratio:.2f} x, at most {MOST[most]}")
    mine, product = middle("place", 1), middle("product", 1)
    ratios["Python"] = mine / product
    numbers = f"{mine / 1000:6.2f} ms of Python, POST /api/products {product / 1000:.2f}"
    report(f"place  {numbers}: {mine / product:.2f} x, at most {MOST['Python']}")
    return ratios
