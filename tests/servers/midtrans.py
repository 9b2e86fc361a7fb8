"""Midtrans, as its public pages say: charge, Snap, status, cancel, expire, refund, notifications.

A state machine behind http.server on this machine. `fault` breaks the next calls; the same by HTTP:
`POST /_control {"faults": [["charge", "cut_after"]]}`, `{"pay": "ORDER.1"}`.
"""

import base64
import contextlib
import hashlib
import http.client
import json
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

JAKARTA = timezone(timedelta(hours=7))
MESSAGES = {
    "bank_transfer": "Success, Bank Transfer transaction is created",
    "permata": "Success, PERMATA VA transaction is successful",
    "qris": "QRIS transaction is created",
}
#: What a call can be told to do instead of answering.
FAULTS = (
    "timeout", "cut_before", "cut_after", "500", "429", "wrong_amount", "wrong_currency",
    "fee_on_top", "refund_refused", "key_used", "no_balance",
)  # fmt: skip
#: Transaction status -> the status code of its notification.
CODES = {"pending": "201", "deny": "202", "expire": "407", "failure": "202"}
CLOSED = ("settlement", "cancel", "expire", "failure", "refund", "partial_refund", "chargeback")
Transaction = dict[str, Any]


def signature(order_id: str, status_code: str, gross_amount: str, key: str) -> str:
    """SHA512(order_id + status_code + gross_amount + server key), as the page says."""
    return hashlib.sha512(f"{order_id}{status_code}{gross_amount}{key}".encode()).hexdigest()


def snap_at(url: str) -> str:
    """Where sessions of its page are made."""
    return f"{url}/snap/v1/transactions"


def settings_of(url: str, key: str) -> dict[str, str]:
    """What the environment of an installation says that is paid there."""
    return {
        "MIDTRANS_SERVER_KEY": key,
        "MIDTRANS_URL": url,
        "MIDTRANS_SNAP_URL": snap_at(url),
    }


class Midtrans:
    """The provider: what it knows, what it is told to break, what it was asked."""

    def __init__(self, key: str = "SB-Mid-server-test", port: int = 0, **known: Any) -> None:
        self.key = key
        self.events = ""
        self.transactions: dict[str, Transaction] = known.get("transactions", {})
        self.tokens: dict[str, Transaction] = known.get("tokens", {})
        self.asked: Counter[str] = Counter()
        self.refunded: Counter[str] = Counter()
        self.silent = False
        self._faults: dict[str, deque[str]] = {}
        self._lock = threading.RLock()
        handler = type("MidtransHandler", (_Handler,), {"bank": self})
        self._server = _Server(("127.0.0.1", port), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.snap_url = snap_at(self.url)
        threading.Thread(target=self._server.serve_forever, name="midtrans", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fault(self, call: str, *faults: str) -> None:
        """Break the next calls of a kind: charge, snap, status, cancel, refund."""
        assert set(faults) <= set(FAULTS)
        self._faults.setdefault(call, deque()).extend(faults)

    def take_fault(self, call: str) -> str | None:
        with self._lock:
            waiting = self._faults.get(call)
            return waiting.popleft() if waiting else None

    # What buyers and banks do ---------------------------------------------------------------

    def choose(self, order_id: str, payment_type: str = "gopay") -> None:
        """A buyer chooses a way to pay on the page: only then the transaction is there."""
        with self._lock:
            made = self.tokens[order_id]
            self.transactions[order_id] = {**made, "payment_type": payment_type}

    def pay(self, order_id: str, amount: str | None = None) -> None:
        """The money comes."""
        with self._lock:
            if order_id not in self.transactions:
                self.choose(order_id)
            made = self.transactions[order_id]
            made["transaction_status"] = "settlement"
            made["settlement_time"] = _time(_now())
            if amount is not None:
                made["gross_amount"] = amount

    def become(self, order_id: str, status: str, **more: Any) -> None:
        """Set what a transaction has become: deny, expire, chargeback and so on."""
        with self._lock:
            self.transactions[order_id] |= {"transaction_status": status, **more}

    def fee_on_top(self, order_id: str, fee: int) -> None:
        """The buyer bears a fee: the gross amount is more than what was asked for."""
        with self._lock:
            made = self.transactions[order_id]
            original = made["gross_amount"]
            made["gross_amount"] = f"{float(original) + fee:.2f}"
            info = {"gross_amount_info": {"original_amount": original}}
            made["metadata"] = {"extra_info": info}

    def control(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Do what a test asks for by HTTP."""
        for call, fault in asked.get("faults", ()):
            self.fault(call, fault)
        for order_id in filter(None, [asked.get("pay")]):
            self.pay(order_id)
        self.silent = bool(asked.get("silent", self.silent))
        return {"asked": dict(self.asked), "refunded": dict(self.refunded)}

    # Notifications --------------------------------------------------------------------------

    def notification(self, order_id: str, status: str | None = None, key: str = "") -> bytes:
        """The body of a notification, signed; `status` tells an earlier state, `key` forges."""
        with self._lock:
            made = {**(self.transactions.get(order_id) or _unknown(order_id))}
        made["transaction_status"] = status or made["transaction_status"]
        made["status_code"] = CODES.get(made["transaction_status"], "200")
        made["signature_key"] = signature(
            order_id, made["status_code"], made["gross_amount"], key or self.key
        )
        made["status_message"] = "midtrans payment notification"
        return json.dumps(_shown(made)).encode()

    def notify(self, order_id: str, times: int = 1) -> list[int]:
        """Send it, with retries left to the test; the statuses that came back."""
        parts = urlsplit(self.events)
        found = []
        for _ in range(times):
            conn = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=15)
            with contextlib.closing(conn):
                headers = {"Content-Type": "application/json"}
                conn.request("POST", parts.path, self.notification(order_id), headers)
                found.append(conn.getresponse().status)
        return found

    # What merchants ask ---------------------------------------------------------------------

    def charge(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        details, kind = asked["transaction_details"], asked["payment_type"]
        if not isinstance(details["gross_amount"], int):
            return 400, _said("400", "One or more parameters in the payload is invalid.")
        with self._lock:
            if details["order_id"] in self.transactions:
                return 406, _said("406", "The request could not be completed: duplicate order ID.")
            made = self._made(details, kind, _expiry(asked.get("custom_expiry")))
            made["status_message"] = MESSAGES[kind]
            if kind == "bank_transfer":
                bank = asked["bank_transfer"]["bank"]
                number = f"8808{int(uuid4()) % 10**9:09}"
                if bank == "permata":
                    made |= {"permata_va_number": number, "status_message": MESSAGES[bank]}
                else:
                    made["va_numbers"] = [{"bank": bank, "va_number": number}]
            elif kind == "qris":
                url = f"{self.url}/v2/qris/{made['transaction_id']}/qr-code"
                action = {"name": "generate-qr-code", "method": "GET", "url": url}
                made |= {"actions": [action], "qr_string": "00020101021226620014COM.GO-JEK"}
            self.transactions[details["order_id"]] = made
            return 201, {**_shown(made), "status_code": "201"}

    def snap(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        details = asked["transaction_details"]
        with self._lock:
            if details["order_id"] in self.transactions or details["order_id"] in self.tokens:
                words = "transaction_details.order_id has already been taken"
                return 400, {"error_messages": [words]}
            self.tokens[details["order_id"]] = self._made(details, "gopay", None)
        token = str(uuid4())
        return 201, {"token": token, "redirect_url": f"{self.url}/snap/v4/redirection/{token}"}

    def status(self, order_id: str) -> tuple[int, dict[str, Any]]:
        with self._lock:
            made = self.transactions.get(order_id)
            if made is None:
                return 200, _said("404", "Transaction doesn't exist.")
            code = "201" if made["transaction_status"] == "pending" else "200"
            return 200, {**_shown(made), "status_code": code}

    def close_session(self, order_id: str, word: str) -> tuple[int, dict[str, Any]]:
        with self._lock:
            made = self.transactions.get(order_id)
            if made is None:
                return 404, _said("404", "Transaction doesn't exist.")
            if made["transaction_status"] in CLOSED:
                return 412, _said("412", "Transaction status cannot be updated.")
            made["transaction_status"] = word
            return 200, {**_shown(made), "status_code": "200"}

    def refund(self, order_id: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        with self._lock:
            made = self.transactions.get(order_id)
            if made is None:
                return 404, _said("404", "Transaction doesn't exist.")
            settled = made["transaction_status"] in ("settlement", "partial_refund", "refund")
            if not settled or made["payment_type"] == "bank_transfer":
                return 412, _said("412", "Payment provider doesn't allow refund.")
            gone = made.setdefault("refunds", [])
            if all(each["refund_key"] != asked["refund_key"] for each in gone):
                whole = sum(float(each["refund_amount"]) for each in gone) + asked["amount"]
                if whole > float(made["gross_amount"]):
                    return 412, _said("412", "Refund amount is larger than gross amount.")
                self.refunded[asked["refund_key"]] += 1
                gone.append(
                    {
                        "refund_chargeback_id": len(gone) + 1,
                        "refund_amount": f"{asked['amount']:.2f}",
                        "created_at": _time(_now()),
                        "reason": asked["reason"],
                        "refund_key": asked["refund_key"],
                        "refund_method": "direct",
                    }
                )
                made["refund_amount"] = f"{whole:.2f}"
                all_of_it = whole == float(made["gross_amount"])
                made["transaction_status"] = "refund" if all_of_it else "partial_refund"
            answer = {**_said("200", "Success, refund request is approved"), **_shown(made)}
            return 200, {**answer, "status_code": "200", "refund_key": asked["refund_key"]}

    def _made(self, details: dict[str, Any], kind: str, until: datetime | None) -> Transaction:
        now = _now()
        return {
            "transaction_id": str(uuid4()),
            "order_id": details["order_id"],
            "merchant_id": "G812785002",
            "gross_amount": f"{details['gross_amount']:.2f}",
            "currency": "IDR",
            "payment_type": kind,
            "transaction_time": _time(now),
            "transaction_status": "pending",
            "fraud_status": "accept",
            "expiry_time": _time(until or now + timedelta(hours=24)),
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gives up is no news."""


class _Handler(BaseHTTPRequestHandler):
    bank: Midtrans
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._respond("GET")

    def do_POST(self) -> None:
        self._respond("POST")

    def _respond(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = json.loads(body) if body else {}
        parts = [part for part in self.path.split("/") if part]
        if parts == ["_control"]:
            self._send(200, self.bank.control(asked))
            return
        call, done = self._call(method, parts)
        self.bank.asked[call] += 1
        fault = "timeout" if self.bank.silent else self.bank.take_fault(call)
        if fault == "timeout":
            self._wait()
        elif fault == "cut_before":
            self._cut()
        elif fault in ("500", "429"):
            self._send(int(fault), _said(fault, "Sorry. Our system is recovering."))
        elif fault in REFUSED:
            self._send(*REFUSED[fault])
        elif not self._known():
            self._send(401, _said("401", "Unknown Merchant server_key/id"))
        else:
            status, answer = _spoiled(fault, *done(asked))
            if fault == "cut_after":
                self._cut()
            else:
                self._send(status, answer)

    def _call(self, method: str, parts: list[str]) -> tuple[str, Any]:
        bank = self.bank
        if method == "POST" and parts == ["v2", "charge"]:
            return "charge", bank.charge
        if method == "POST" and parts == ["snap", "v1", "transactions"]:
            return "snap", bank.snap
        if method == "GET" and len(parts) == 3 and parts[2] == "status":
            return "status", lambda asked: bank.status(parts[1])
        if method == "POST" and parts[2:] == ["refund", "online", "direct"]:
            return "refund", lambda asked: bank.refund(parts[1], asked)
        if method == "POST" and len(parts) == 3 and parts[2] in ("cancel", "expire"):
            return "cancel", lambda asked: bank.close_session(parts[1], parts[2])
        return "nothing", lambda asked: (404, _said("404", "The requested resource is not found"))

    def _known(self) -> bool:
        token = base64.b64encode(f"{self.bank.key}:".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {token}"

    def _wait(self) -> None:
        """Keep the connection and say nothing, until the client has enough or we are back."""
        self.connection.settimeout(0.1)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with contextlib.suppress(TimeoutError):
                if not self.connection.recv(1):
                    break
        self.close_connection = True

    def _cut(self) -> None:
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _spoiled(fault: str | None, status: int, answer: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    if fault == "key_used":
        return 406, _said("406", "Refund key has been used.")
    if fault == "wrong_amount":
        return status, {**answer, "gross_amount": "1.00"}
    if fault == "wrong_currency":
        return status, {**answer, "currency": "USD"}
    if fault == "fee_on_top":
        amount = answer["gross_amount"]
        info = {"extra_info": {"gross_amount_info": {"original_amount": amount}}}
        return status, {**answer, "gross_amount": f"{float(amount) + 4000:.2f}", "metadata": info}
    return status, answer


def _shown(made: Transaction) -> dict[str, Any]:
    return {name: value for name, value in made.items() if value is not None}


def _unknown(order_id: str) -> Transaction:
    return {"order_id": order_id, "gross_amount": "1.00", "transaction_status": "settlement"}


def _said(code: str, words: str) -> dict[str, Any]:
    return {"status_code": code, "status_message": words, "id": str(uuid4())}


#: What is refused with nothing done.
REFUSED = {
    "refund_refused": (412, _said("412", "Payment provider doesn't allow refund.")),
    "no_balance": (414, _said("414", "Refund request is rejected due to insufficient funds.")),
}


def _expiry(custom: dict[str, Any] | None) -> datetime | None:
    if custom is None:
        return None
    start = datetime.strptime(custom["order_time"], "%Y-%m-%d %H:%M:%S %z")
    assert custom["unit"] == "minute"
    return start + timedelta(minutes=custom["expiry_duration"])


def _time(moment: datetime) -> str:
    return moment.astimezone(JAKARTA).strftime("%Y-%m-%d %H:%M:%S")


def _now() -> datetime:
    return datetime.now(timezone.utc)


@contextlib.contextmanager
def running(key: str = "SB-Mid-server-test") -> Iterator[Midtrans]:
    """Midtrans on this machine, gone at the end of the block."""
    server = Midtrans(key)
    try:
        yield server
    finally:
        server.close()
