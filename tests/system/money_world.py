"""A started system with stores, buyers and an admin, who do everything over HTTP; only the clock is moved by hand."""

import contextlib
import http.client
import itertools
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from conftest import make_config
from psycopg.rows import dict_row
from servers.midtrans import settings_of
from servers.midtrans_process import AtMidtrans
from support import trial_system
from support.server import Server
from support.trial_system import Program, Started, TrialSystem

from marketplace.config.settings import ROOT
from system.ha.programs import ports

PASSWORD = "kopi-susu-tanpa-gula"
ACCOUNTS = '[{"bank": "BCA", "number": "8808123", "holder": "PT Toko"}]'
HOME = {
    "label": "Rumah", "recipient": "Siti", "phone": "+6281200", "province": "Banten", "city": "Serang",
    "district": "Cipocok Jaya", "postcode": "42121", "line1": "Jl. Veteran 5",
}  # fmt: skip
#: All deadlines of all that is not ended, moved into the past.
OVER = (
    "UPDATE checkouts SET pay_by = now() - interval '1 minute' WHERE state = 'unpaid'",
    "UPDATE orders SET accept_at = now() - interval '1 minute' WHERE accept_at IS NOT NULL AND stage = 'new'",
    "UPDATE orders SET ship_by = now() - interval '1 minute' WHERE stage IN ('new', 'to_ship')",
    "UPDATE orders SET cancel_by = now() - interval '1 minute' WHERE open_request = 'cancel'",
    "UPDATE orders SET deliver_by = now() - interval '1 minute' WHERE stage = 'shipping'",
    "UPDATE orders SET complete_at = now() - interval '1 minute' WHERE stage = 'delivered' AND complete_at IS NOT NULL",
    "UPDATE order_requests SET deadline_at = now() - interval '1 minute' WHERE deadline_at IS NOT NULL",
    "UPDATE payments SET poll_at = now() WHERE state IN ('opening', 'open') AND poll_at IS NOT NULL",
    "UPDATE refunds SET try_at = now() WHERE way = 'provider' AND state IN ('due', 'sending', 'sent') AND try_at > now()",
)
#: Jobs at a provider that are not done yet, and those that were tried too often.
JOBS = "SELECT count(*) AS n FROM jobs.procrastinate_jobs WHERE queue_name = 'payments' AND status IN ('todo', 'doing')"
KEY = "SB-Mid-server-test"


class Answered(NamedTuple):
    """Status (0: the connection broke), code and document of one response."""

    status: int
    code: str
    document: dict[str, Any]

    @property
    def good(self) -> bool:
        return self.status in (200, 201)


class Store(NamedTuple):
    """A store: its id, its seller's token, who has the cash, and its products with their prices."""

    id: int
    token: str
    cash_at: str
    products: dict[int, Decimal]


class Buyer(NamedTuple):
    """Who buys: id and token."""

    id: int
    token: str


class World(TrialSystem):
    """The system, and who is in it."""

    def __init__(self, url: str, server: Server, folder: Path, seed: int) -> None:
        super().__init__(url, server)
        self.folder = folder
        self.dice = random.Random(seed)
        self.stores: dict[int, Store] = {}
        self.buyers: list[Buyer] = []
        self.admin = ""
        self.vouchers: list[str] = []
        #: What stands beside the API, by name; and whoever pays at the provider, where there is one.
        self.programs: dict[str, Program] = {}
        self.bank: AtMidtrans | None = None
        self.refused: Counter[str] = Counter()
        self._local = threading.local()
        self._numbers = itertools.count(1)

    def key(self) -> str:
        return f"hidup-{os.getpid()}-{next(self._numbers)}"

    def call(
        self, method: str, path: str, token: str, document: Any = None, key: str | None = None
    ) -> Answered:
        """One request, on the thread's own connection; one that broke is made anew."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"Idempotency-Key": key} if key else {}
        body = None if document is None else json.dumps(document)
        headers |= {"Content-Type": "application/json"} if body else {}
        conn = getattr(self._local, "conn", None)
        if conn is None:
            conn = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
            self._local.conn = conn
        try:
            conn.request(method, path, body, headers)
            answer = conn.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            conn.close()
            self._local.conn = None
            return Answered(0, "broke off", {})
        found = json.loads(text) if text[:1] == b"{" else {}
        return Answered(answer.status, found.get("code", ""), found)

    def get(self, path: str, token: str) -> dict[str, Any]:
        told = Answered(0, "", {})
        for _ in range(200):
            told = self.call("GET", path, token)
            if told.status not in (0, 503):
                break
            time.sleep(0.05)
        assert told.status == 200, (path, told)
        return told.document

    def post(
        self,
        path: str,
        token: str,
        document: Any = None,
        *,
        keyed: bool = True,
        key: str | None = None,
    ) -> Answered:
        """A POST with a key, sent again with it until it is answered; refusals are counted."""
        key = key or (self.key() if keyed else None)
        for _ in range(200):
            told = self.call("POST", path, token, document, key)
            if told.status not in (0, 503) and told.code != "request_in_progress":
                break
            time.sleep(0.05)
        if not told.good:
            self.refused[f"{told.status} {told.code}"] += 1
        return told

    def patch(self, path: str, token: str, document: Any) -> Answered:
        told = Answered(0, "", {})
        for _ in range(200):
            told = self.call("PATCH", path, token, document)
            if told.status not in (0, 503):
                break
            time.sleep(0.05)
        if not told.good:
            self.refused[f"{told.status} {told.code}"] += 1
        return told

    def owner(self) -> Any:
        """A connection with the rights of the owner; one that breaks while PostgreSQL recovers is made anew."""
        for _ in range(100):
            with contextlib.suppress(psycopg.OperationalError):
                return psycopg.connect(self.url, row_factory=dict_row, autocommit=True)
            time.sleep(0.1)
        return psycopg.connect(self.url, row_factory=dict_row, autocommit=True)

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        for _ in range(20):
            with contextlib.suppress(psycopg.OperationalError), self.owner() as conn:
                return list(conn.execute(query, values).fetchall())
        raise AssertionError("PostgreSQL does not come back")

    # Who is there -----------------------------------------------------------------------------

    def register(self) -> tuple[int, str]:
        name = f"orang{next(self._numbers)}"
        document = {"name": name, "email": f"{name}@example.com", "password": PASSWORD}
        told = self.call("POST", "/api/auth/register", "", document)
        assert told.status == 201, told
        return told.document["user"]["id"], told.document["access_token"]

    def open_up(self, stores: int, buyers: int, stock: int) -> None:
        """An admin, stores with products, vouchers of both kinds, and buyers with an address."""
        user, self.admin = self.register()
        with self.owner() as conn:
            conn.execute("UPDATE users SET role = 'admin' WHERE id = %s", [user])
            conn.execute("UPDATE commission_rules SET active_to = now() WHERE active_to IS NULL")
            conn.execute("INSERT INTO commission_rules (rate, tax_rate) VALUES (5, 11)")
        for number in range(stores):
            self._store(number, stock)
        for gives, value in (
            ("percent", "30"),
            ("amount", "7001"),
            ("free_delivery", "0"),
            ("percent", "100"),
        ):
            self._voucher("/api/vouchers", self.admin, gives, value)
        for _ in range(buyers):
            user, token = self.register()
            assert self.post("/api/users/addresses", token, HOME).good
            self.buyers.append(Buyer(user, token))

    def _store(self, number: int, stock: int) -> None:
        _, token = self.register()
        made = self.post("/api/stores", token, {"name": f"Toko Nomor {next(self._numbers)} Jaya"})
        assert made.good, made
        store = made.document["id"]
        cash_at = "platform" if number % 2 else "store"
        settings = {"cod_collector": cash_at, "taxable": number % 3 == 0}
        told = self.call("PUT", f"/api/stores/mine/settings?store_id={store}", self.admin, settings)
        assert told.good, told
        option = {
            "name": "JNE",
            "pricing": "flat",
            "price": "9000",
            "cod": True,
            "days_min": 1,
            "days_max": 3,
        }
        assert self.post("/api/stores/mine/delivery-options", token, option).good
        account = {
            "bank": "BCA",
            "number": "1234567",
            "holder": "Sari",
            "current_password": PASSWORD,
        }
        assert self.call("PUT", "/api/stores/mine/pay-account", token, account).good
        products = {}
        for _ in range(4):
            price = Decimal(
                self.dice.choice((self.dice.randrange(900, 90_000), 33_333, 10_001, 85_000))
            )
            body = {"name": f"Barang {next(self._numbers)}", "price": str(price), "stock": stock}
            made = self.post("/api/products", token, body)
            assert made.good, made
            products[made.document["id"]] = price
        self.stores[store] = Store(store, token, cash_at, products)
        self._voucher("/api/stores/mine/vouchers", token, "percent", "17")

    def _voucher(self, path: str, token: str, gives: str, value: str) -> None:
        code = f"V{next(self._numbers):06d}"
        document = {
            "code": code,
            "name": code,
            "gives": gives,
            "value": value,
            "per_buyer": 100_000,
        }
        if gives == "percent" and value == "100":
            document["max_discount"] = "60000"
        told = self.post(path, token, document)
        assert told.good, told
        self.vouchers.append(code)

    # The clock, and the proof -----------------------------------------------------------------

    def run_timers(self, rounds: int = 12) -> int:
        """Move all deadlines into the past and run all timers, until nothing moves; how many did."""
        from marketplace.postgres.database import Database
        from marketplace.workflows import checkouts, order_timers, payment_sessions, return_timers
        from marketplace.workflows import refund_sending as refunds

        moved = 0
        db = Database.of_worker(make_config(self.url, self.folder))
        try:
            for _ in range(rounds):
                with self.owner() as conn:
                    for statement in OVER:
                        conn.execute(statement)
                if self.bank is not None:
                    payment_sessions.poll_due(db)
                    refunds.claim(db)
                now = 0
                while (
                    some := checkouts.cancel_due(db) + return_timers.run(db) + order_timers.run(db)
                ):
                    now += some
                moved += now
                if not now:
                    break
        finally:
            db.close()
        return moved

    def done_there(self, seconds: float = 300) -> bool:
        """Wait until the worker has done all that is to be done at a provider."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self.rows(JOBS)[0]["n"]:
                return True
            time.sleep(0.5)
        return False


@contextlib.contextmanager
def started(seed: int, *, provider: bool = False, **settings: str) -> Iterator[World]:
    """A world of this seed; with a provider and a worker, each a process of its own, where asked for."""
    methods = "cod, transfer, store_transfer"
    settings = {"TRANSFER_ACCOUNTS": ACCOUNTS, "PAYMENT_METHODS": methods, **settings}
    (port,) = ports(1)
    url = f"http://127.0.0.1:{port}"
    if provider:
        settings |= {"PAYMENT_METHODS": f"{methods}, midtrans", **settings_of(url, KEY)}
    with trial_system.started(**settings) as it:
        world = World(it.url, it.server, it.folder, seed)
        try:
            if provider:
                _join_provider(world, it, port, settings)
            yield world
        finally:
            for each in world.programs.values():
                each.stop()


def _join_provider(world: World, it: Started, port: int, settings: dict[str, str]) -> None:
    events = f"http://127.0.0.1:{it.server.port}/api/payments/midtrans/events"
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/tests"}
    world.bank = AtMidtrans(port)
    world.programs["worker"] = trial_system.worker(it, **settings)
    world.programs["provider"] = Program(
        it.folder / "provider.log", env, "servers.midtrans_process",
        "--port", str(port), "--journal", str(it.folder / "provider.journal"), "--events", events,
    )  # fmt: skip
