"""A started system with stores that send, buyers with an address and an admin; and what is asked of
it after each trial.
"""

import contextlib
import http.client
import itertools
import json
import os
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from conftest import multipart
from support import trial_system
from support.images import picture
from support.placing import ADDRESS, OPTION
from support.server import Server
from support.trial_system import TrialSystem

PRICE, DELIVERY = 85_000, 9_000
PASSWORD = "kopi-susu-tanpa-gula"
ACCOUNT = '[{"bank": "BCA", "number": "123", "holder": "PT Toko"}]'
JSON = "application/json"


class Figure(NamedTuple):
    """What a trial is measured by: what passes, what was found, whether it is good."""

    trial: str
    passes: str
    found: str
    good: bool


class Answered(NamedTuple):
    """What became of one request: status (0: the connection broke), code, document, seconds, and
    whether it said when to try again.
    """

    status: int
    code: str
    document: dict[str, Any]
    seconds: float
    waits: bool = False

    @property
    def word(self) -> str:
        """Status and code, to be counted."""
        return f"{self.status} {self.code}".strip()

    @property
    def is_put_off(self) -> bool:
        """Whether the service had no room for it and said when it will."""
        return self.status == 503 and self.waits


class Seller(NamedTuple):
    """Who has a store, and their token."""

    token: str
    store: int
    option: int


class Market(TrialSystem):
    """Stores, buyers and an admin of a started system; `url` is the owner's."""

    def __init__(self, url: str, server: Server) -> None:
        super().__init__(url, server)
        self.buyers: list[str] = []
        self.admin = ""
        self._local = threading.local()
        self._keys = itertools.count(1)

    def key(self) -> str:
        return f"trial-{os.getpid()}-{next(self._keys)}"

    def call(
        self, method: str, token: str, path: str, document: Any = None, key: str | None = None
    ) -> Answered:
        """One request, on the thread's own connection; a broken one is made anew."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"Idempotency-Key": key} if key else {}
        body = None
        if isinstance(document, tuple):
            body, headers["Content-Type"] = document
        elif document is not None:
            body, headers["Content-Type"] = json.dumps(document).encode(), JSON
        start, conn = time.monotonic(), None
        try:
            conn = getattr(self._local, "conn", None)
            if conn is None:
                conn = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
                self._local.conn = conn
            conn.request(method, path, body, headers)
            answer = conn.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            if conn is not None:
                conn.close()
            self._local.conn = None
            return Answered(0, "broke off", {}, time.monotonic() - start)
        seconds = time.monotonic() - start
        found = json.loads(text) if text[:1] == b"{" else {}
        waits = answer.headers["Retry-After"] is not None
        return Answered(answer.status, found.get("code", ""), found, seconds, waits)

    def steady(self, method: str, token: str, path: str, document: Any = None) -> dict[str, Any]:
        """What is not tried itself: sent again, with its key, while there is no room for it."""
        key = self.key() if method == "POST" else None
        for _ in range(60):
            found = self.call(method, token, path, document, key)
            if found.status not in (0, 409, 429, 503):
                break
            time.sleep(0.5)
        assert 200 <= found.status < 300, found
        return found.document

    def get(self, token: str, path: str) -> dict[str, Any]:
        return self.steady("GET", token, path)

    def post(self, token: str, path: str, document: Any, key: str | None = None) -> Answered:
        return self.call("POST", token, path, document, key)

    def quote(self, token: str, **body: Any) -> dict[str, Any]:
        """The checkout screen."""
        return self.steady("POST", token, "/api/checkout/quote", body)

    def place(
        self, token: str, lines: dict[int, int], stores: int, key: str | None = None, **more: Any
    ) -> Answered:
        """Buy these pieces now at what they cost at first, paid on delivery unless `method` says
        otherwise.
        """
        total = PRICE * sum(lines.values()) + DELIVERY * stores
        wanted = [{"product_id": product, "quantity": n} for product, n in lines.items()]
        method, named = more.pop("method", "cod"), more.pop("wanted", wanted)
        document = {
            "lines": named,
            "buy_now": True,
            "expected_total": str(total),
            "payment": {"method": method},
            **more,
        }
        return self.post(token, "/api/checkouts", document, key or self.key())

    def do(self, statement: str, *values: Any) -> Any:
        """The first row of a statement of the owner's, if it has any."""
        with self.owner() as conn:
            cursor = conn.execute(statement, values)
            return cursor.fetchone() if cursor.description else None

    def user(self) -> tuple[str, int]:
        """Somebody new: token and id."""
        made = Answered(0, "", {}, 0)
        while made.status in (0, 503):  # a worker of before may have been killed
            email = f"b{next(self._keys)}.{os.getpid()}@example.com"
            body = {"name": "Siti", "email": email, "password": PASSWORD}
            made = self.post("", "/api/auth/register", body)
        assert made.status == 201, made
        return made.document["access_token"], made.document["user"]["id"]

    def register(self, count: int) -> None:
        """So many buyers with an address, and an admin."""
        while len(self.buyers) < count:
            token, user = self.user()
            self.do(ADDRESS, user)
            self.buyers.append(token)
        if not self.admin:
            self.admin, user = self.user()
            self.do("UPDATE users SET role = 'admin' WHERE id = %s", user)

    def seller(self) -> Seller:
        """Somebody with a store that sends."""
        token, _ = self.user()
        name = {"name": f"Toko {next(self._keys)}"}
        store = int(self.steady("POST", token, "/api/stores", name)["id"])
        return Seller(token, store, self.do(OPTION, store)["id"])

    def product(self, seller: Seller, quantity: int) -> int:
        """A product of theirs; its id."""
        body = {"name": "Kopi", "price": str(PRICE), "stock": quantity}
        return int(self.steady("POST", seller.token, "/api/products", body)["id"])

    def sell(self, products: int, stores: int, quantity: int) -> dict[int, int]:
        """Put products of so many new stores on sale: product -> store."""
        sellers = [self.seller() for _ in range(stores)]
        return {
            self.product(sellers[number % stores], quantity): sellers[number % stores].store
            for number in range(products)
        }

    def send_proof(self, token: str, payment: int) -> Answered:
        """Show that the buyer has transferred."""
        form = multipart([("file", "bukti.jpg", picture())], {"purpose": "proof"})
        image = self.steady("POST", token, "/api/uploads", form)
        return self.post(token, f"/api/payments/{payment}/proof", {"upload": image["id"]})

    def confirm(self, token: str, payment: int, amount: str) -> Answered:
        """Say that a transfer has arrived."""
        return self.post(
            token, f"/api/payments/{payment}/confirm", {"received": amount}, self.key()
        )

    def age(self, checkout: int, hours: float) -> None:
        """Let so many hours pass for a checkout: all its times go back."""
        with self.owner() as conn:
            for statement in (
                "UPDATE checkouts SET placed_at = placed_at - %(by)s, pay_by = pay_by - %(by)s WHERE id = %(id)s",
                "UPDATE payments SET expires_at = expires_at - %(by)s, proof_at = proof_at - %(by)s"
                " WHERE checkout_id = %(id)s",
                "UPDATE holds AS h SET expires_at = h.expires_at - %(by)s FROM orders AS o"
                " WHERE o.checkout_id = %(id)s AND h.order_id = o.id",
            ):
                conn.execute(
                    statement.replace("%(by)s", "make_interval(secs => %(by)s)"),
                    {"by": hours * 3600, "id": checkout},
                )


@contextlib.contextmanager
def started(buyers: int) -> Iterator[Market]:
    """A market with so many buyers."""
    with trial_system.started(TRANSFER_ACCOUNTS=ACCOUNT) as it:
        market = Market(it.url, it.server)
        market.register(buyers)
        yield market
