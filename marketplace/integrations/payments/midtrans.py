"""Midtrans: virtual accounts and QRIS by its Core API, everything else by its page (Snap).

Written from docs.midtrans.com. Amounts are whole rupiah. No lines are sent (their sum would have to
be the amount) and nothing about the buyer. What a notification says is not believed: it is signed,
and the status is asked.
"""

import base64
import csv
import hashlib
import hmac
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple, TextIO

from marketplace.config.settings import Config
from marketplace.integrations.addresses import Guard
from marketplace.integrations.payments import (
    OURS,
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

NAME = "midtrans"
#: Its times have no zone, and are those of Jakarta.
JAKARTA = timezone(timedelta(hours=7))
LEAST, MOST_QRIS = Decimal(10_000), Decimal(10_000_000)
BANKS = {"bca_va": "BCA", "bni_va": "BNI", "bri_va": "BRI", "permata_va": "Permata"}
CHANNELS = (
    *(
        Channel(key, "va", say("{bank} Virtual Account", bank=bank), 1440, LEAST)
        for key, bank in BANKS.items()
    ),
    Channel("qris", "qris", say("QRIS"), 60, Decimal(1000), MOST_QRIS),
    Channel("snap", "page", say("Cards, wallets and more"), 1440, Decimal(1000)),
)
STATES: Mapping[str, State] = {
    "settlement": "paid",
    "pending": "open",
    "authorize": "open",
    "challenge": "open",
    "deny": "open",  # it may be tried again
    "failure": "failed",
    "expire": "expired",
    "cancel": "cancelled",
    "refund": "paid",
    "partial_refund": "paid",
    "chargeback": "charged_back",
    "partial_chargeback": "charged_back",
}
USED, TOO_LATE, NO_BALANCE = 406, 412, 414
log = logging.getLogger("marketplace.payments")


class Settled(NamedTuple):
    """A row of the file about a day that Midtrans has paid out."""

    order_id: str
    amount: Decimal
    fee: Decimal
    day: date


class Midtrans:
    """Midtrans as a provider; `statement` are the rows of its file, where an operator has one."""

    name = NAME

    def __init__(self, config: Config, statement: Sequence[Settled] | None = None) -> None:
        self.channels = channels(config)
        self._key = config.midtrans_server_key
        self._url, self._snap = config.midtrans_url, config.midtrans_snap_url
        self._guards = {url: Guard.configured(url) for url in (self._url, self._snap)}
        token = base64.b64encode(f"{self._key}:".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}"}
        self._statement = statement

    def open(self, request: PaymentRequest) -> Opened:
        """Open a session. Raises Refused: "used" where our reference is taken."""
        if request.currency != "IDR" or request.amount % 1:
            raise Refused("only whole rupiah are taken")
        details = {"order_id": request.our_reference, "gross_amount": int(request.amount)}
        if request.channel == "snap":
            return self._open_page(request, {"transaction_details": details})
        document: dict[str, Any] = {"transaction_details": details, **_expiry(request)}
        if request.channel == "qris":
            document |= {"payment_type": "qris", "qris": {"acquirer": "gopay"}}
        elif request.channel in BANKS:
            bank = request.channel.removesuffix("_va")
            document |= {"payment_type": "bank_transfer", "bank_transfer": {"bank": bank}}
        else:
            raise Refused("there is no such channel")
        code, answer = self._ask("open", "POST", f"{self._url}/v2/charge", document)
        instructions = _instructions(answer)
        if code not in (200, 201) or instructions is None:
            raise Refused("used" if code == USED else _words(code, answer))
        until = _time(answer.get("expiry_time")) or request.expires_at
        return Opened(_text(answer.get("transaction_id")), instructions, until)

    def _open_page(self, request: PaymentRequest, document: dict[str, Any]) -> Opened:
        document["expiry"] = {
            "start_time": _begin(request), "unit": "minute", "duration": _minutes(request),
        }  # fmt: skip
        if request.return_url is not None:
            document["callbacks"] = {"finish": request.return_url}
        code, answer = self._ask("open", "POST", self._snap, document)
        url, token = _text(answer.get("redirect_url")), _text(answer.get("token"))
        if code not in (200, 201) or url is None or token is None:
            words = _words(code, answer)
            raise Refused("used" if "already been taken" in words else words)
        instructions = {"kind": "redirect", "url": url, "app_url": None, "token": token}
        return Opened(token, instructions, request.expires_at)

    def callback(self, headers: Mapping[str, str], body: bytes) -> Callback:
        """Return what a notification is about: it is signed by the key that we share."""
        order_id, code, gross, signed = wire.texts(
            wire.read(body), "order_id", "status_code", "gross_amount", "signature_key"
        )
        right = signature(order_id, code, gross, self._key)
        if not hmac.compare_digest(right.encode(), signed.encode()):
            raise Forged("the signature is another one")
        return Callback(hashlib.sha256(body).hexdigest(), order_id)

    def status(self, our_reference: str) -> Status | None:
        """Return the truth about a payment; None too where a page was opened and nothing chosen."""
        code, answer = self._ask("status", "GET", f"{self._url}/v2/{our_reference}/status")
        if code == 404:
            return None
        if code >= 400 and "transaction_status" not in answer:
            raise Silent(_words(code, answer), sent=True, status=code)
        return _status(our_reference, answer)

    def cancel(self, our_reference: str) -> None:
        """Close a session: cancelled, else expired; too late is fine."""
        for verb in ("cancel", "expire"):
            code, _ = self._ask("cancel", "POST", f"{self._url}/v2/{our_reference}/{verb}")
            if code in (200, 404, 407):
                return

    def refund(self, request: RefundRequest) -> Refund:
        """Send money back at once. No balance there is Silent: it is tried again."""
        document = {
            "refund_key": request.key,
            "amount": int(request.amount),
            "reason": request.reason,
        }
        url = f"{self._url}/v2/{request.our_reference}/refund/online/direct"
        code, answer = self._ask("refund", "POST", url, document)
        if code in (200, 201):
            reference = answer.get("refund_chargeback_uuid") or answer.get("refund_chargeback_id")
            return Refund("done" if code == 200 else "sent", str(reference or request.key)[:200])
        if code in (USED, NO_BALANCE):  # a key that is used was sent: the status will tell
            raise Silent(_words(code, answer), sent=True, status=code)
        return Refund("refused", reason=_words(code, answer))

    def settled(self, day: date) -> Iterable[Status] | None:
        """Return a day of the file; Midtrans has no list that can be asked for."""
        if self._statement is None:
            return None
        return [
            Status(row.order_id, "paid", row.amount, "IDR", row.order_id, row.fee)
            for row in self._statement
            if row.day == day
        ]

    def _ask(
        self, name: str, method: str, url: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Return its own status code, which stands in the document, and the document."""
        guard = self._guards[self._snap if url == self._snap else self._url]
        http_status, answer = wire.call(
            method, url, body, guard=guard, provider=NAME, name=name, headers=self._headers
        )
        text = str(answer.get("status_code") or http_status)
        code = int(text) if text.isascii() and text.isdigit() and len(text) == 3 else http_status
        if code >= 500 or code == 429:
            raise Silent(_words(code, answer), sent=True, status=code)
        return code, answer


def channels(config: Config) -> tuple[Channel, ...]:
    """Return the ways to pay that are switched on."""
    return tuple(each for each in CHANNELS if each.key in config.midtrans_channels)


def signature(order_id: str, status_code: str, gross_amount: str, key: str) -> str:
    """Return the signature of a notification."""
    text = f"{order_id}{status_code}{gross_amount}{key}"
    return hashlib.sha512(text.encode()).hexdigest()


def statement(file: TextIO) -> list[Settled]:
    """Return the rows of a file about what was paid out: columns order id, amount, fee, date.

    Raises ValueError, with the line, for one that cannot be read.
    """
    rows: list[Settled] = []
    for row in csv.DictReader(file):
        kept = {(name or "").strip().lower(): (text or "").strip() for name, text in row.items()}
        try:
            amount, fee = Decimal(kept["amount"]), Decimal(kept["fee"] or 0)
            if not kept["order id"] or not (amount.is_finite() and fee.is_finite() and amount > 0):
                raise ValueError
            day = date.fromisoformat(kept["date"][:10])
        except (KeyError, ValueError, ArithmeticError):
            number = len(rows) + 2
            raise ValueError(f"row {number} needs order id, amount, fee and date") from None
        rows.append(Settled(kept["order id"], amount, fee, day))
    return rows


def _status(our_reference: str, answer: Mapping[str, Any]) -> Status:
    word = str(answer.get("transaction_status"))
    state = STATES.get(word)
    if word == "capture":
        state = "paid" if answer.get("fraud_status") == "accept" else "open"
    if state is None:
        log.warning("a status of Midtrans is not known", extra={"status": word[:40]})
        state = "open"
    refunds, foreign = _refunds(answer)
    if word in ("refund", "partial_refund") and foreign:
        state = "refunded"
    return Status(
        our_reference=our_reference,
        state=state,
        amount=_amount(answer),
        currency=str(answer.get("currency") or "IDR"),
        reference=_text(answer.get("transaction_id")) or our_reference,
        refunds=refunds,
        instructions=_instructions(answer),
        expires_at=_time(answer.get("expiry_time")),
    )


def fee_on_top(body: bytes) -> bool:
    """Return whether a notification has a fee on top of what was asked for. Raises Forged or Silent
    for one that cannot be read.
    """
    told = wire.read(body)
    return _amount(told) != wire.amount(told.get("gross_amount"))


def _amount(answer: Mapping[str, Any]) -> Decimal:
    """Return what was asked for: a fee on top of it is the buyer's, and stands in gross_amount."""
    found: Any = answer
    for name in ("metadata", "extra_info", "gross_amount_info", "original_amount"):
        found = found.get(name) if isinstance(found, dict) else None
    return wire.amount(answer.get("gross_amount") if found is None else found)


def _refunds(answer: Mapping[str, Any]) -> tuple[dict[str, Decimal], bool]:
    """Return what went back by our keys, and whether more went back than that."""
    listed = answer.get("refunds")
    ours: dict[str, Decimal] = {}
    foreign = False
    for each in listed if isinstance(listed, list) else ():
        key, amount = str(each.get("refund_key")), wire.amount(each.get("refund_amount"))
        if key.startswith(OURS):
            ours[key] = ours.get(key, Decimal(0)) + amount
        else:
            foreign = True
    total = answer.get("refund_amount")
    more = total is not None and wire.amount(total) > sum(ours.values())
    return ours, foreign or more


def _instructions(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the buyer does, from an answer to a charge or a status; None: it is not said."""
    numbers = answer.get("va_numbers")
    bank, number = "Permata", _text(answer.get("permata_va_number"))
    if isinstance(numbers, list) and numbers and isinstance(numbers[0], dict):
        bank, number = str(numbers[0].get("bank")).upper(), _text(numbers[0].get("va_number"))
    if number is not None:
        return {"kind": "va", "bank": bank, "number": number, "holder": None}
    actions = answer.get("actions")
    images = [
        _text(each.get("url"))
        for each in (actions if isinstance(actions, list) else ())
        if isinstance(each, dict) and str(each.get("name")).startswith("generate-qr-code")
    ]
    code = _text(answer.get("qr_string"))
    if code is None and not images:
        return None
    return {"kind": "qris", "qr": code, "image_url": images[0] if images else None}


def _expiry(request: PaymentRequest) -> dict[str, Any]:
    return {
        "custom_expiry": {
            "order_time": _begin(request), "expiry_duration": _minutes(request), "unit": "minute",
        }
    }  # fmt: skip


def _begin(request: PaymentRequest) -> str:
    return request.now.astimezone(JAKARTA).strftime("%Y-%m-%d %H:%M:%S +0700")


def _minutes(request: PaymentRequest) -> int:
    return max(1, int((request.expires_at - request.now).total_seconds() // 60))


def _time(text: Any) -> datetime | None:
    try:
        return datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=JAKARTA)
    except ValueError:
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 2000 else None


def _words(code: int, answer: Mapping[str, Any]) -> str:
    messages = answer.get("error_messages") or answer.get("validation_messages")
    said = " ".join(map(str, messages)) if isinstance(messages, list) else ""
    return f"{code} {said or answer.get('status_message') or ''}".strip()[:200]
