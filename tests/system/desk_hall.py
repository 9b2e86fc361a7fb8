"""A started system with a store, its seller, buyers, an admin and a worker's login: what trials of the order desk
share.
"""

import contextlib
import http.client
import itertools
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import psycopg
from support import trial_system
from support.server import Server
from support.trial_system import TrialSystem

ACCOUNT = '[{"bank": "BCA", "number": "123", "holder": "PT Toko"}]'
HOME = {
    "recipient": "Siti", "phone": "+6281200", "province": "Banten", "city": "Serang", "district": "Cipocok Jaya",
    "postcode": "42121", "line1": "Jl. Veteran 5",
}  # fmt: skip
OPTION = {"name": "Kurir", "pricing": "flat", "price": "9000", "cod": True}
PRICE = 85_000


class Told(NamedTuple):
    """The response to one request; status 0: the connection broke."""

    status: int
    body: dict[str, Any]
    text: str

    @property
    def code(self) -> str:
        """200, or the status with the code of the problem."""
        return f"{self.status} {self.body.get('code', '')}".strip()


class Person(NamedTuple):
    """Who signs in: id and token; a seller's store."""

    id: int
    token: str
    store_id: int | None = None


class Hall(TrialSystem):
    """The system, and who is in it."""

    def __init__(self, url: str, server: Server) -> None:
        super().__init__(url, server)
        self._local = threading.local()
        self._numbers = itertools.count(1)
        self.admin = self.person("admin")
        self.seller = self.open_store()
        self.other = self.open_store()
        self.buyer = self.person("buyer")
        self.stranger = self.person("buyer")
        self.call("POST", "/api/users/addresses", self.buyer, HOME)

    # Requests -------------------------------------------------------------------------------------

    def key(self) -> str:
        return f"hall-{os.getpid()}-{next(self._numbers)}"

    def call(
        self,
        method: str,
        path: str,
        who: Person | None,
        body: Any = None,
        key: str | None = None,
        **headers: str,
    ) -> Told:
        """One request on the thread's own connection."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent |= {"Content-Type": "application/json"} if body is not None else {}
        sent |= {"Authorization": f"Bearer {who.token}"} if who else {}
        sent |= {"Idempotency-Key": key} if key else {}
        conn = getattr(self._local, "conn", None)
        if conn is None:
            conn = self._local.conn = http.client.HTTPConnection(
                "127.0.0.1", self.server.port, timeout=30
            )
        try:
            conn.request(method, path, None if body is None else json.dumps(body), sent)
            answer = conn.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException):
            conn.close()
            self._local.conn = None
            return Told(0, {}, "")
        return Told(answer.status, json.loads(text) if text[:1] == "{" else {}, text)

    def cut(self, path: str, who: Person, body: Any, key: str | None, seconds: float) -> None:
        """POST, and hang up before the response is read."""
        conn = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        sent = {"Authorization": f"Bearer {who.token}", "Content-Type": "application/json"}
        sent |= {"Idempotency-Key": key} if key else {}
        conn.request("POST", path, None if body is None else json.dumps(body), sent)
        time.sleep(seconds)
        conn.close()

    def verb(
        self, who: Person, order: int, verb: str, body: Any = None, key: str | None = None
    ) -> Told:
        """Move an order."""
        needed = verb == "ship" or (isinstance(body, dict) and "lines" in body)
        return self.call(
            "POST",
            f"/api/orders/{order}/{verb}",
            who,
            body,
            key or (self.key() if needed else None),
        )

    def page(self, order: int, who: Person | None = None) -> dict[str, Any]:
        found = self.call("GET", f"/api/orders/{order}", who or self.admin)
        assert found.status == 200, found
        return found.body

    # People and things ----------------------------------------------------------------------------

    def person(self, role: str) -> Person:
        email = f"p{next(self._numbers)}.{os.getpid()}@example.com"
        body = {"name": "Sari", "email": email, "password": "kopi-susu-tanpa-gula"}
        made = self.call("POST", "/api/auth/register", None, body)
        assert made.status == 201, made
        one = Person(made.body["user"]["id"], made.body["access_token"])
        if role == "admin":
            self.sql("UPDATE users SET role = 'admin' WHERE id = %s", one.id)
        return one

    def open_store(self) -> Person:
        """A seller who sends, paid before or at the door."""
        one = self.person("buyer")
        made = self.call(
            "POST", "/api/stores", one, {"name": f"Toko {next(self._numbers)} {os.getpid()}"}
        )
        assert made.status == 201, made
        option = self.call("POST", "/api/stores/mine/delivery-options", one, OPTION)
        assert option.status == 201, option
        return one._replace(store_id=made.body["id"])

    def product(self, stock: int = 10_000) -> int:
        body = {"name": "Kopi Gayo", "price": f"{PRICE}.00", "stock": stock}
        made = self.call("POST", "/api/products", self.seller, body)
        assert made.status == 201, made
        return int(made.body["id"])

    def place(
        self, *wanted: tuple[int, int], method: str = "transfer", **more: Any
    ) -> dict[str, Any]:
        """Place what a quote says; the checkout."""
        lines = [{"product_id": product, "quantity": pieces} for product, pieces in wanted]
        asked = {"lines": lines, "buy_now": True, **more}
        quoted = self.call("POST", "/api/checkout/quote", self.buyer, asked)
        assert quoted.status == 200, quoted
        payment = {"method": method} if quoted.body["total"] != "0.00" else None
        body = {**asked, "expected_total": quoted.body["total"], "payment": payment}
        placed = self.call("POST", "/api/checkouts", self.buyer, body, self.key())
        assert placed.status == 201, placed
        return placed.body

    def order(self, *wanted: tuple[int, int], method: str = "transfer", **more: Any) -> int:
        """An order that its store may send."""
        placed = self.place(*wanted, method=method, **more)
        for payment in placed["payments"]:
            paid = self.pay(payment)
            assert paid.status == 200, paid
        return int(placed["orders"][0]["id"])

    def pay(self, payment: dict[str, Any]) -> Told:
        """The admin has seen the money."""
        path = f"/api/payments/{payment['id']}/confirm"
        return self.call("POST", path, self.admin, {"received": payment["amount"]}, self.key())

    # The database ---------------------------------------------------------------------------------

    def sql(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """What a statement returns to the owner of the tables."""
        with self.owner() as conn:
            done = conn.execute(query, values)
            return done.fetchall() if done.description else []

    def one(self, query: str, *values: Any) -> Any:
        (row,) = self.sql(query, *values)
        return next(iter(row.values()))

    def refused(self, query: str) -> str | None:
        """The SQLSTATE with which the API's role is refused; None: it is not."""
        with self.owner() as conn:
            conn.execute("SET ROLE marketplace_app")
            try:
                conn.execute(query.encode())
            except psycopg.Error as error:
                return error.sqlstate
        return None


def at_once(dice: random.Random, *works: Callable[[], Any], within: float = 0.006) -> list[Any]:
    """Do these at the same instant, each a little late at random; what each returned."""
    gate = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)
    late = [dice.uniform(0, within) for _ in works]

    def run(side: int) -> None:
        gate.wait()
        time.sleep(late[side])
        results[side] = works[side]()

    threads = [threading.Thread(target=run, args=(side,)) for side in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@contextlib.contextmanager
def opened() -> Iterator[Hall]:
    """A hall with all who are in it."""
    with trial_system.started(TRANSFER_ACCOUNTS=ACCOUNT) as it:
        yield Hall(it.url, it.server)
