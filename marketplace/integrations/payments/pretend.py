"""The pretend provider: for trying things out without money. Its server is
demo/pretend_provider.py, which `make run` starts.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from marketplace.config.settings import Config
from marketplace.integrations.addresses import Guard
from marketplace.integrations.payments import (
    Callback,
    Channel,
    Forged,
    Opened,
    PaymentRequest,
    Refund,
    RefundRequest,
    Refused,
    Silent,
    State,
    Status,
    wire,
)
from marketplace.text.messages import say

NAME = "pretend"
SIGNATURE = "x-pretend-signature"
CHANNELS = (
    Channel("page", "page", say("Pretend page"), 60),
    Channel("va", "va", say("Pretend virtual account"), 1440),
    Channel("qris", "qris", say("Pretend QR code"), 60),
)
STATES: Mapping[str, State] = {
    "open": "open",
    "paid": "paid",
    "failed": "failed",
    "expired": "expired",
    "cancelled": "cancelled",
}


def key_of(config: Config) -> bytes:
    """Return the key that signs callbacks: both sides have it from the key of this installation."""
    return hmac.digest(config.secret_keys[0].encode(), b"pretend provider", "sha256")


def sign(key: bytes, body: bytes) -> str:
    """Return the signature of a callback."""
    return hmac.new(key, body, hashlib.sha256).hexdigest()


class Pretend:
    """A provider whose money is a button."""

    name = NAME
    channels = CHANNELS

    def __init__(self, config: Config) -> None:
        self._url = config.pretend_url
        self._guard = Guard.configured(config.pretend_url)
        self._key = key_of(config)

    def open(self, request: PaymentRequest) -> Opened:
        """Open a session; the same reference twice is one."""
        document = {
            "our_reference": request.our_reference,
            "amount": str(request.amount),
            "currency": request.currency,
            "channel": request.channel,
            "expires_at": request.expires_at.isoformat(),
            "return_url": request.return_url,
            "lines": [[line.name, line.quantity, str(line.amount)] for line in request.lines],
        }
        status, session = self._call("open", "POST", "/sessions", document)
        if status >= 400:
            raise Refused(str(session.get("reason") or status)[:200])
        return Opened(
            str(session.get("reference")), _instructions(session), _time(session["expires_at"])
        )

    def callback(self, headers: Mapping[str, str], body: bytes) -> Callback:
        """Return what a callback is about, if it is signed."""
        if not hmac.compare_digest(
            sign(self._key, body).encode(), headers.get(SIGNATURE, "").encode()
        ):
            raise Forged("the signature is another one")
        key, about = wire.texts(wire.read(body), "id", "our_reference")
        return Callback(key, about)

    def status(self, our_reference: str) -> Status | None:
        """Return what has become of a session."""
        status, session = self._call("status", "GET", f"/sessions/{our_reference}")
        if status == 404:
            return None
        if status >= 400:
            raise Silent(f"status {status}", sent=True, status=status)
        return _status(session)

    def cancel(self, our_reference: str) -> None:
        """Close a session."""
        self._call("cancel", "POST", f"/sessions/{our_reference}/cancel")

    def refund(self, request: RefundRequest) -> Refund:
        """Send money back."""
        document = {"key": request.key, "amount": str(request.amount), "reason": request.reason}
        path = f"/sessions/{request.our_reference}/refund"
        status, answer = self._call("refund", "POST", path, document)
        if status >= 400:
            return Refund("refused", reason=str(answer.get("reason") or status)[:200])
        return Refund("done", reference=str(answer.get("reference")))

    def settled(self, day: date) -> Iterable[Status] | None:
        """Return what was paid on a day."""
        status, answer = self._call("settled", "GET", f"/days/{day.isoformat()}")
        if status >= 400:
            raise Silent(f"status {status}", sent=True, status=status)
        return [_status(session) for session in answer["sessions"]]

    def _call(
        self, name: str, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        return wire.call(
            method,
            f"{self._url}{path}",
            body,
            guard=self._guard,
            provider=NAME,
            name=name,
            headers={},
        )


def _status(session: Mapping[str, Any]) -> Status:
    return Status(
        our_reference=str(session["our_reference"]),
        state=STATES.get(session["state"], "open"),
        amount=wire.amount(session["received"]),
        currency=str(session["currency"]),
        reference=str(session["reference"]),
        fee=wire.amount(session["fee"]) if session["state"] == "paid" else None,
        refunds={key: wire.amount(each) for key, each in session["refunds"].items()},
        instructions=_instructions(session),
        expires_at=_time(session["expires_at"]),
    )


def _instructions(session: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the buyer does: the page itself shows number and code too."""
    kept: dict[str, Any] = session["instructions"]
    return kept


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
