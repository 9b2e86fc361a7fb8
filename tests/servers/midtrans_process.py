"""Midtrans in a process of its own: what it has answered it knows again after a kill -9.

    PYTHONPATH=.:tests .venv/bin/python -m servers.midtrans_process --port 9123 --journal FILE

Each transaction that changes is a line of its journal, written before it is answered. `AtMidtrans`
is what a trial asks it by, as buyers and banks do.
"""

import argparse
import contextlib
import http.client
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

from servers.midtrans import Midtrans, Transaction

#: Transactions of which the money has come, whatever became of it.
CAME = ("settlement", "refund", "partial_refund", "chargeback")
OPEN = ("pending", "deny")
Answer = tuple[int, dict[str, Any]]


class Kept(Midtrans):
    """Midtrans with a journal."""

    def __init__(self, port: int, journal: Path, events: str) -> None:
        known = read(journal)
        self._journal = journal.open("a", encoding="utf-8", buffering=1)
        super().__init__(port=port, **known)
        self.events = events

    def charge(self, asked: dict[str, Any]) -> Answer:
        return self._kept(asked["transaction_details"]["order_id"], super().charge(asked))

    def snap(self, asked: dict[str, Any]) -> Answer:
        return self._kept(asked["transaction_details"]["order_id"], super().snap(asked))

    def close_session(self, order_id: str, word: str) -> Answer:
        return self._kept(order_id, super().close_session(order_id, word))

    def refund(self, order_id: str, asked: dict[str, Any]) -> Answer:
        return self._kept(order_id, super().refund(order_id, asked))

    def control(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Do what buyers and banks do: pay, become, tell; or show the books."""
        order_id = asked.get("order_id", "")
        if asked.get("do") == "pay":
            return {"came": self._kept(order_id, self._pay(order_id, asked))}
        if asked.get("do") == "become":
            if order_id not in self.transactions:
                self.choose(order_id)
            self.become(order_id, asked["status"])
            return self._kept(order_id, {})
        if asked.get("do") == "tell":
            return {"told": self.notify(order_id, asked["times"])}
        if asked.get("do") == "books":
            return {"transactions": self.transactions}
        return super().control(asked)

    def _pay(self, order_id: str, asked: dict[str, Any]) -> bool:
        """Whether the money has come: what is closed takes none."""
        with self._lock:
            made = self.transactions.get(order_id)
            if made is None and order_id not in self.tokens:
                return False
            if made is None or made["transaction_status"] in OPEN:
                self.pay(order_id, asked.get("amount"))
                self.transactions[order_id]["currency"] = asked.get("currency", "IDR")
            return self.transactions[order_id]["transaction_status"] in CAME

    def _kept(self, order_id: str, answer: Any) -> Any:
        with self._lock:
            line = [order_id, self.transactions.get(order_id), self.tokens.get(order_id)]
            self._journal.write(json.dumps(line) + "\n")
        return answer


def read(journal: Path) -> dict[str, dict[str, Transaction]]:
    """What a journal knows; a line that was being written at the kill was never answered."""
    known: dict[str, dict[str, Transaction]] = {"transactions": {}, "tokens": {}}
    for line in journal.read_text(encoding="utf-8").splitlines() if journal.exists() else ():
        with contextlib.suppress(ValueError):
            order_id, transaction, token = json.loads(line)
            for name, value in (("transactions", transaction), ("tokens", token)):
                if value is not None:
                    known[name][order_id] = value
    return known


class AtMidtrans:
    """Buyers and banks, who come again while nobody is there."""

    def __init__(self, port: int) -> None:
        self.port = port

    def pay(self, order_id: str, **how: str) -> bool:
        """Pay; whether the money has come."""
        return bool(self._ask(do="pay", order_id=order_id, **how)["came"])

    def came(self, order_id: str) -> bool:
        """Whether the money has come."""
        made = self.books().get(order_id)
        return made is not None and made["transaction_status"] in CAME

    def become(self, order_id: str, status: str) -> None:
        self._ask(do="become", order_id=order_id, status=status)

    def tell(self, order_id: str, times: int = 1) -> None:
        """Have it tell the shop, until the shop has heard."""
        while 200 not in self._ask(do="tell", order_id=order_id, times=times).get("told", ()):
            time.sleep(0.3)

    def fault(self, call: str, fault: str) -> None:
        self._ask(faults=[[call, fault]])

    def books(self) -> dict[str, Transaction]:
        """All transactions, by our reference."""
        return dict(self._ask(do="books")["transactions"])

    def _ask(self, **asked: Any) -> dict[str, Any]:
        end = time.monotonic() + 120
        while True:
            conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            with contextlib.closing(conn):
                try:
                    conn.request("POST", "/_control", json.dumps(asked))
                    return dict(json.loads(conn.getresponse().read()))
                except (OSError, http.client.HTTPException, ValueError):
                    if time.monotonic() > end:
                        raise
            time.sleep(0.2)


def main() -> int:
    """Serve until somebody ends it."""
    parser = argparse.ArgumentParser(description="Midtrans on this machine.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--events", default="", help="where the shop is told")
    args = parser.parse_args()
    Kept(args.port, args.journal, args.events)
    threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
