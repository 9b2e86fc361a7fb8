"""A market whose buyers pay at a provider."""

import contextlib
import http.client
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from servers.midtrans import Midtrans
from support.server import Server

from system.checkout.market import DELIVERY, PRICE, Market

TOTAL = PRICE + DELIVERY
STATES = "SELECT state FROM checkouts WHERE id = ANY(%s)"


class Paying(Market):
    """A market whose buyers pay at a provider."""

    def __init__(self, url: str, server: Server, bank: Midtrans) -> None:
        super().__init__(url, server)
        self.bank = bank
        bank.events = f"http://127.0.0.1:{server.port}/api/payments/midtrans/events"

    def buy(self, token: str, product: int, channel: str = "bca_va") -> dict[str, Any]:
        """Place one piece; the checkout. Who is told that the provider is silent comes again a little later."""
        payment = {"method": "midtrans", "channel": channel}
        end = time.monotonic() + 900
        while time.monotonic() < end:
            made = self.place(token, {product: 1}, 1, payment=payment)
            if made.status == 201:
                return made.document
            assert made.code in ("payment_not_offered", "broke off") or made.status == 503, made
            time.sleep(random.uniform(8, 16) if made.code == "payment_not_offered" else 1)
        raise AssertionError(made)

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with self.owner() as conn:
            return list(conn.execute(query, values).fetchall())

    def counted(self, query: str, *values: Any) -> Counter[str]:
        return Counter(next(iter(row.values())) for row in self.rows(query, *values))

    def until(self, condition: Callable[[], bool], seconds: float) -> float:
        """Wait for it; the seconds it took, -1 where it did not come."""
        start = time.monotonic()
        while time.monotonic() - start < seconds:
            if condition():
                return time.monotonic() - start
            time.sleep(0.5)
        return -1

    def opened(self, checkouts: list[dict[str, Any]], seconds: float = 60) -> None:
        """Wait until all sessions are open."""
        ids = [each["id"] for each in checkouts]
        query = "SELECT state FROM payments WHERE checkout_id = ANY(%s)"
        assert self.until(lambda: "opening" not in self.counted(query, ids), seconds) >= 0

    def tell(self, body: bytes) -> tuple[int, float]:
        """Send a callback; status and seconds."""
        start = time.monotonic()
        conn = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        with contextlib.closing(conn):
            headers = {"Content-Type": "application/json"}
            conn.request("POST", "/api/payments/midtrans/events", body, headers)
            answer = conn.getresponse()
            answer.read()
            return answer.status, time.monotonic() - start
