"""Places and payments while the primary moves: what was acknowledged is there afterwards, once.

Half of it is paid by transfers that an administrator confirms, half at a provider whose callback is acknowledged. Every
write has a key (a callback its own), is sent until it is acknowledged, and goes to another host where one does not answer.
"""

import http.client
import itertools
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from servers.midtrans import Midtrans, settings_of
from support.placing import ADDRESS, OPTION

from system.ha.hosts import DATABASE, Host
from system.ha.load import PASSWORD, Answer, Client, Record, gap, seller
from system.ha.nodes import Cluster

PRICE, DELIVERY = 85_000, 9_000
THREADS = 6
BUYERS = 12
#: Places and payments at least, how many before the primary moves and after it has; and a buyer's pause in seconds.
MANY, BEFORE, AFTER, PAUSE = 200, 60, 60, 0.3
#: Seconds until the worker has applied what was acknowledged.
PATIENCE = 120


def settings(bank: Midtrans) -> dict[str, str]:
    """What a host's environment needs."""
    return {
        "PAYMENT_METHODS": "transfer, midtrans",
        "TRANSFER_ACCOUNTS": '[{"bank": "BCA", "number": "123", "holder": "PT Toko"}]',
        **settings_of(bank.url, bank.key),
    }


class Trade:
    """Buyers, an administrator and a provider, over all hosts."""

    def __init__(self, cluster: Cluster, hosts: list[Host], bank: Midtrans) -> None:
        self.record = Record()
        self.placed: dict[int, str] = {}
        self.paid: dict[int, int] = {}
        self._cluster, self._hosts, self._bank = cluster, hosts, bank
        self._numbers, self._over = itertools.count(1), threading.Event()
        client = Client(hosts[0])
        self._admin, admin = _user(client, "admin")
        token = seller(hosts[0], "toko")
        store = client.call("GET", "/api/stores/mine", None, token).json["id"]
        made = client.call(
            "POST", "/api/products", {"name": "Kopi", "price": str(PRICE), "stock": 100_000}, token
        )
        self.product = int(made.json["id"])
        users = [_user(client, f"pembeli{number}") for number in range(BUYERS)]
        self._buyers = [token for token, _ in users]
        self.ids = [user for _, user in users]
        with cluster.primary.connect(DATABASE) as conn:
            conn.execute("UPDATE users SET role = 'admin' WHERE id = %s", [admin])
            conn.execute(OPTION, [store])
            for user in self.ids:
                conn.execute(ADDRESS, [user])

    def run(self, meanwhile: Callable[[], None]) -> tuple[float, float]:
        """Buy MANY times at least, and on until something in the middle has happened: when it began and ended."""
        threads = [threading.Thread(target=self._buy, args=(n,)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        try:
            self._come_to(BEFORE)
            started = time.monotonic()
            meanwhile()
            ended = time.monotonic()
            self._come_to(max(MANY, len(self.paid) + AFTER))
        finally:
            self._over.set()
            for thread in threads:
                thread.join()
        return started, ended

    def _come_to(self, many: int) -> None:
        end = time.monotonic() + PATIENCE
        while len(self.paid) < many and time.monotonic() < end:
            time.sleep(0.05)

    def _buy(self, number: int) -> None:
        clients, turn = [Client(host) for host in self._hosts], number
        while not self._over.wait(PAUSE):
            count = next(self._numbers)
            buyer = self._buyers[count % BUYERS]
            method = "midtrans" if count % 2 else "transfer"
            turn, placed = self._until(
                clients, turn, "POST", "/api/checkouts", _document(self.product, method), buyer
            )
            self.placed[placed["id"]] = placed["number"]
            payment = placed["payments"][0]["id"]
            if method == "transfer":
                body = {"received": f"{PRICE + DELIVERY}.00"}
                path = f"/api/payments/{payment}/confirm"
                turn, _ = self._until(clients, turn, "POST", path, body, self._admin)
            else:
                turn = self._pay_there(clients, turn, placed, buyer)
            self.paid[payment] = placed["id"]

    def _pay_there(
        self, clients: list[Client], turn: int, placed: dict[str, Any], buyer: str
    ) -> int:
        path, reference = f"/api/checkouts/{placed['id']}", f"{placed['number']}.1"
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            turn, now = self._until(clients, turn, "GET", path, None, buyer)
            if now["payments"][0]["state"] != "opening":
                break
            time.sleep(0.3)
        self._bank.pay(reference)
        told = self._bank.notification(reference)
        turn, _ = self._until(clients, turn, "POST", "/api/payments/midtrans/events", told, "")
        return turn

    def _until(
        self, clients: list[Client], turn: int, method: str, path: str, body: Any, token: str
    ) -> tuple[int, dict[str, Any]]:
        """Send one request until it is acknowledged, with one key: whose turn it is then, and its document."""
        key, end = str(uuid.uuid4()), time.monotonic() + PATIENCE
        headers = {"Idempotency_Key": key} if method == "POST" and token else {}
        while time.monotonic() < end:
            client, start = clients[turn % len(clients)], time.monotonic()
            answer: Answer | None = None
            try:
                if isinstance(body, bytes):
                    sent = {"Content-Type": "application/json"}
                    answer = client._exchange(method, path, body, sent)
                else:
                    answer = client.call(method, path, body, token, **headers)
            except (OSError, http.client.HTTPException):
                pass
            self.record.note(client, answer, time.monotonic() - start, reading=method == "GET")
            if answer is not None and answer.status in (200, 201):
                return turn, dict(answer.json)
            turn += answer is None
            time.sleep(0.1 if answer is None else float(answer.headers.get("retry-after", "1")))
        self.record.never.append(path)
        raise AssertionError(path)


def check(cluster: Cluster, hosts: list[Host], bank: Midtrans) -> tuple[str, list[str]]:
    """Move the primary in the middle of places and payments: what was measured, and what is wrong."""
    trade = Trade(cluster, hosts, bank)
    started, ended = trade.run(cluster.switch_over)
    cluster.settle()
    stood = gap(trade.record.written_at, started, time.monotonic())
    wrong = list(trade.record.wrong[:3])
    rows = _stored(cluster, trade)
    open_ = [row for row in rows.values() if row["state"] != "settled"]
    lost = [each for each in trade.placed if each not in rows]
    unpaid = [each for each in trade.paid.values() if each in rows and rows[each] in open_]
    unknown = [each for each in rows if each not in trade.placed]
    twice = [each for each, row in rows.items() if row["entries"] != 1 or row["payments"] != 1]
    for what, found in (
        ("acknowledged places are lost", lost),
        ("acknowledged payments are lost", unpaid),
        ("checkouts are there that nobody was told of", unknown),
        ("were paid twice, or not booked", twice),
        ("did not come through", trade.record.never),
    ):
        wrong += [f"{len(found)} {what}: {found[:3]}"] if found else []
    with cluster.primary.connect(DATABASE) as conn:
        broken = conn.execute("SELECT name, broken FROM broken_invariants()").fetchall()
    wrong += [f"invariants: {broken}"] if broken else []
    wrong += [f"connections were cut: {trade.record.cut}"] if trade.record.cut else []
    if len(trade.paid) < MANY or not [at for at in trade.record.written_at if at > ended]:
        wrong.append(f"{len(trade.paid)} payments: too few, or none after the switchover")
    return (
        f"{len(trade.placed)} places and {len(trade.paid)} payments acknowledged, a switchover of "
        f"{ended - started:.0f} s among them: "
        f"{len(lost)} and {len(unpaid)} lost, {len(twice) + len(unknown)} twice; {len(trade.record.refused)} answers 503; "
        f"writes stood still {stood:.1f} s",
        wrong,
    )


def _stored(cluster: Cluster, trade: Trade) -> dict[int, dict[str, Any]]:
    """All checkouts of its buyers, when the worker has applied what it can."""
    query = (
        "SELECT c.id, c.state, count(p.id), count(e.id) FROM checkouts AS c LEFT JOIN payments AS p ON p.checkout_id = c.id"
        " LEFT JOIN ledger_entries AS e ON e.kind = 'payment' AND e.source = 'payment ' || p.id"
        " WHERE c.buyer_id = ANY(%s) GROUP BY c.id"
    )
    end = time.monotonic() + PATIENCE
    while True:
        with cluster.primary.connect(DATABASE) as conn:
            found = conn.execute(query, [trade.ids]).fetchall()
        if time.monotonic() > end or all(row[1] == "settled" for row in found):
            names = ("state", "payments", "entries")
            return {row[0]: dict(zip(names, row[1:], strict=True)) for row in found}
        time.sleep(0.5)


def _document(product: int, method: str) -> dict[str, Any]:
    payment = {"method": method} | ({"channel": "bca_va"} if method == "midtrans" else {})
    return {
        "lines": [{"product_id": product, "quantity": 1}],
        "buy_now": True,
        "expected_total": f"{PRICE + DELIVERY}.00",
        "payment": payment,
    }


def _user(client: Client, name: str) -> tuple[str, int]:
    """Somebody new: token and id."""
    body = {"name": name, "email": f"{name}@trade.example", "password": PASSWORD}
    made = client.call("POST", "/api/auth/register", body)
    if made.status != 201:
        raise SystemExit(f"nobody can register: {made}")
    return str(made.json["access_token"]), int(made.json["user"]["id"])
