"""The pretend provider's server: sessions, a page with four buttons, signed callbacks.

It listens on this machine alone and goes the way of any provider: adapter, callback, job.
`make run` starts it; a setting that leads to it stops the start in production.
"""

import contextlib
import html
import json
import logging
import threading
import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4
from zoneinfo import ZoneInfo

from marketplace.config.settings import Config
from marketplace.demo.pretend_sessions import Refusal, Session, Sessions
from marketplace.integrations import http
from marketplace.integrations.addresses import Guard
from marketplace.integrations.payments import pretend

FILE = "pretend.json"
PAGE = Path(__file__).with_name("pretend_page.html")
HOST = "127.0.0.1"
LARGEST = 256 * 1024
LISTED = 50
#: Seconds between tries to tell the shop.
TRIES = (0, 1, 2, 5, 10, 30)
BUTTONS = {
    "pay": ("Pay", "the money comes now"),
    "refuse": ("Refuse", "as a card without money"),
    "twice": ("Pay twice", "the money comes once and is told twice"),
    "later": ("Come back later", "the money comes in a minute"),
}
STATES = {
    "open": "Waits to be paid",
    "paid": "Paid",
    "failed": "Refused",
    "cancelled": "Closed by the shop",
    "expired": "Too late",
}
log = logging.getLogger("marketplace.pretend")


class Bank:
    """The provider behind the pages: its sessions, and how it tells the shop."""

    def __init__(self, config: Config, url: str, shop: str | None = None) -> None:
        self.url = url
        self.sessions = Sessions(config.data_dir / FILE, ZoneInfo(config.shop_time_zone))
        shop = shop or config.public_url or f"http://{HOST}:{config.port}"
        self._events = f"{shop}/api/payments/pretend/events"
        self._guard = Guard.configured(self._events)
        self._key = pretend.key_of(config)

    def press(self, our_reference: str, button: str) -> None:
        """Do what a button says, and tell the shop. Raises Refusal."""
        if button == "later":
            self.sessions.pay_later(our_reference)
            return
        (self.sessions.refuse if button == "refuse" else self.sessions.pay)(our_reference)
        for _ in range(2 if button == "twice" else 1):
            self.tell(our_reference)

    def tell(self, our_reference: str) -> None:
        """Send a callback, in a thread of its own."""
        body = json.dumps({"id": uuid4().hex, "our_reference": our_reference}).encode()
        threading.Thread(target=self._send, args=(body,), name="telling", daemon=True).start()

    def pay_due(self) -> None:
        """Take the money that was to come later."""
        for our_reference in self.sessions.due():
            self.sessions.pay(our_reference)
            self.tell(our_reference)

    def _send(self, body: bytes) -> None:
        headers = {
            "Content-Type": "application/json",
            pretend.SIGNATURE: pretend.sign(self._key, body),
        }
        for pause in TRIES:
            time.sleep(pause)
            try:
                answer = http.request(
                    "POST", self._events, headers, body,
                    guard=self._guard, provider="shop", call="callback",
                )  # fmt: skip
                if answer.status < 400:
                    return
                log.warning("the shop says %s", answer.status)
            except http.Silent:
                log.warning("the shop does not respond")


class Handler(BaseHTTPRequestHandler):
    """Requests: those of the adapter in JSON, those of a browser in HTML."""

    bank: Bank
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        """Sessions, days and pages."""
        parts = self._parts()
        if parts[:1] == ["sessions"] and len(parts) == 2:
            self._json(self.bank.sessions.find(parts[1]))
        elif parts[:1] == ["days"] and len(parts) == 2:
            day = date.fromisoformat(parts[1])
            self._json({"sessions": self.bank.sessions.of_day(day)})
        elif parts[:1] == ["pay"] and len(parts) == 2:
            session = self.bank.sessions.find(parts[1])
            self._page(_payment(session) if session else None)
        elif not parts:
            self._page(_index(self.bank.sessions.newest(LISTED)))
        else:
            self._page(None)

    def do_POST(self) -> None:
        """What the adapter asks for, and the buttons."""
        parts, body = self._parts(), self._body()
        if parts == ["sessions"]:
            self._json(self.bank.sessions.open(json.loads(body), self.bank.url), created=True)
        elif parts[:1] == ["sessions"] and parts[2:] == ["cancel"]:
            self._json(self.bank.sessions.cancel(parts[1]))
        elif parts[:1] == ["sessions"] and parts[2:] == ["refund"]:
            self._refund(parts[1], json.loads(body))
        elif parts[:1] == ["pay"] and len(parts) == 3 and parts[2] in BUTTONS:
            self._press(parts[1], parts[2])
        else:
            self._page(None)

    def _refund(self, our_reference: str, asked: dict[str, Any]) -> None:
        try:
            self.bank.sessions.refund(our_reference, asked["key"], Decimal(asked["amount"]))
            self._json({"reference": f"PR-{asked['key']}"})
        except Refusal as refusal:
            self._send(409, "application/json", json.dumps({"reason": str(refusal)}).encode())

    def _press(self, our_reference: str, button: str) -> None:
        with contextlib.suppress(Refusal):  # the page says what it is
            self.bank.press(our_reference, button)
        self._send(303, "text/plain", b"", {"Location": f"/pay/{our_reference}"})

    def _parts(self) -> list[str]:
        return [part for part in self.path.partition("?")[0].split("/") if part]

    def _body(self) -> bytes:
        return self.rfile.read(min(int(self.headers.get("Content-Length") or 0), LARGEST))

    def _json(self, document: Any, *, created: bool = False) -> None:
        status = 404 if document is None else 201 if created else 200
        self._send(status, "application/json", json.dumps(document or {}).encode())

    def _page(self, content: str | None) -> None:
        text = PAGE.read_text(encoding="utf-8")
        words = content if content is not None else "<p>There is nothing here.</p>"
        page = text.replace("<!-- content -->", words)
        self._send(404 if content is None else 200, "text/html; charset=utf-8", page.encode())

    def _send(
        self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"
        all_headers = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
            **(headers or {}),
        }
        for name, value in all_headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def parse_request(self) -> bool:
        """Refuse other names for this machine: a page of somebody else's could press a button."""
        if not super().parse_request():
            return False
        port = urlsplit(self.bank.url).port
        if self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):
            self.send_error(421)
            return False
        return True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of requests: the shop's log has them."""


def serve(config: Config, port: int, shop: str | None, stopped: Callable[[], bool]) -> None:
    """Serve on a port of this machine until the process is told to end; callbacks go to `shop`."""
    with server(config, port, shop) as running:
        bank = running.bank
        threading.Thread(target=running.serve_forever, name="serving", daemon=True).start()
        while not stopped():
            bank.pay_due()
            time.sleep(1)
        running.shutdown()


class Server(ThreadingHTTPServer):
    """The server with its bank."""

    daemon_threads = True
    bank: Bank


def server(config: Config, port: int, shop: str | None = None) -> Server:
    """Return a server that listens; 0 is any port."""
    made = Server((HOST, port), type("PretendHandler", (Handler,), {}))
    made.bank = Bank(config, f"http://{HOST}:{made.server_address[1]}", shop)
    made.RequestHandlerClass.bank = made.bank  # type: ignore[attr-defined]
    return made


def _payment(session: Session) -> str:
    """Return the page of a payment: what it is for, and the buttons or what became of it."""
    reference, state = html.escape(session["our_reference"]), session["state"]
    lines = "".join(
        f"<tr><td>{f'{quantity} × ' if quantity > 1 else ''}{html.escape(name)}</td>"
        f"<td>{_money(amount)}</td></tr>"
        for name, quantity, amount in session["lines"]
    )
    head = (
        f'<p class="amount">{html.escape(session["currency"])} {_money(session["amount"])}</p>'
        f'<p class="number">{reference}</p><table>{lines}</table>'
    )
    if state == "open" and session["later_at"] is None:
        return head + "".join(
            f'<form method="post" action="/pay/{reference}/{name}"><button class="{name}">'
            f"{title}<small>{words}</small></button></form>"
            for name, (title, words) in BUTTONS.items()
        )
    words = "Comes in a minute" if state == "open" else STATES[state]
    back = session["return_url"]
    link = f'<p><a href="{html.escape(back)}">Back to the shop</a></p>' if back else ""
    return f'{head}<p class="state {state}">{words}</p>{link}'


def _index(sessions: list[Session]) -> str:
    """Return the list of sessions, the newest first."""
    if not sessions:
        return "<p>Nothing is to be paid yet: buy something by <code>pretend</code>.</p>"
    rows = "".join(
        f'<tr><td><a href="/pay/{html.escape(each["our_reference"])}">'
        f"{html.escape(each['our_reference'])}</a> {STATES[each['state']]}</td>"
        f"<td>{_money(each['amount'])}</td></tr>"
        for each in sessions
    )
    return f"<table>{rows}</table>"


def _money(amount: str) -> str:
    return f"{Decimal(amount):,.2f}".removesuffix(".00")
