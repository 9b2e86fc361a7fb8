"""Sessions of the pretend provider: a small bank of its own, kept in one file."""

import json
import secrets
import threading
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

#: What the pretend provider keeps of a payment, and how long it waits to be paid later.
FEE = Decimal("0.007")
LATER = timedelta(seconds=60)
#: Sessions that the file keeps, the newest.
KEPT = 1000
Session = dict[str, Any]


class Refusal(Exception):
    """The bank says no."""


class Sessions:
    """All sessions, by our reference; each change is on the disk before it is answered."""

    def __init__(self, file: Path, zone: tzinfo) -> None:
        self._file, self._zone = file, zone
        self._lock = threading.Lock()
        self._all: dict[str, Session] = {}
        if file.exists():
            self._all = json.loads(file.read_text(encoding="utf-8"))

    def open(self, asked: Mapping[str, Any], url: str) -> Session:
        """Open a session; the same reference again is the same session."""
        with self._lock:
            known = self._all.get(asked["our_reference"])
            if known is not None:
                return known
            session: Session = {
                **asked,
                "reference": f"PP-{secrets.token_hex(6)}",
                "state": "open",
                "received": "0",
                "fee": "0",
                "refunds": {},
                "paid_at": None,
                "later_at": None,
                "opened_at": _now().isoformat(),
            }
            session["instructions"] = _instructions(session, url)
            self._all[asked["our_reference"]] = session
            self._write()
            return session

    def find(self, our_reference: str) -> Session | None:
        """Return a session as it is now; None: there is none."""
        with self._lock:
            session = self._all.get(our_reference)
            if session is not None and session["state"] == "open":
                over = datetime.fromisoformat(session["expires_at"]) < _now()
                if over and session["later_at"] is None:
                    session["state"] = "expired"
                    self._write()
            return session

    def newest(self, most: int) -> list[Session]:
        """Return the newest sessions."""
        with self._lock:
            return list(reversed(self._all.values()))[:most]

    def pay(self, our_reference: str) -> None:
        """Take the money. Raises Refusal where it is not open."""
        with self._lock:
            session = self._open(our_reference)
            amount = Decimal(session["amount"])
            fee = (amount * FEE).quantize(Decimal(1), ROUND_HALF_UP)
            session |= {"state": "paid", "received": str(amount), "fee": str(fee)}
            session |= {"paid_at": _now().isoformat(), "later_at": None}
            self._write()

    def refuse(self, our_reference: str) -> None:
        """Say no to the buyer. Raises Refusal where it is not open."""
        with self._lock:
            self._open(our_reference)["state"] = "failed"
            self._write()

    def pay_later(self, our_reference: str) -> None:
        """Let the money come in a minute. Raises Refusal where it is not open."""
        with self._lock:
            self._open(our_reference)["later_at"] = (_now() + LATER).isoformat()
            self._write()

    def due(self) -> list[str]:
        """Return the references of what is to be paid by now."""
        now = _now().isoformat()
        with self._lock:
            return [
                each["our_reference"]
                for each in self._all.values()
                if each["state"] == "open" and each["later_at"] and each["later_at"] <= now
            ]

    def cancel(self, our_reference: str) -> Session | None:
        """Close a session; one that is not open stays as it is."""
        with self._lock:
            session = self._all.get(our_reference)
            if session is not None and session["state"] == "open":
                session["state"] = "cancelled"
                self._write()
            return session

    def refund(self, our_reference: str, key: str, amount: Decimal) -> None:
        """Send money back, once a key. Raises Refusal for more than came."""
        with self._lock:
            session = self._all.get(our_reference)
            if session is None or session["state"] != "paid":
                raise Refusal("not_paid")
            kept = session["refunds"]
            if key in kept:
                return
            if sum(map(Decimal, kept.values())) + amount > Decimal(session["received"]):
                raise Refusal("too_much")
            kept[key] = str(amount)
            self._write()

    def of_day(self, day: date) -> list[Session]:
        """Return what was paid on a day of the shop."""
        with self._lock:
            return [
                each
                for each in self._all.values()
                if each["paid_at"] and _day(each["paid_at"], self._zone) == day
            ]

    def _open(self, our_reference: str) -> Session:
        session = self._all.get(our_reference)
        if session is None or session["state"] != "open":
            raise Refusal("not_open")
        return session

    def _write(self) -> None:
        """Write all by another name and rename it: a file that is there is whole."""
        for reference in list(self._all)[:-KEPT]:
            del self._all[reference]
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(self._all), encoding="utf-8")
        fresh.replace(self._file)


def _instructions(session: Session, url: str) -> dict[str, Any]:
    reference = session["our_reference"]
    if session["channel"] == "va":
        number = f"8808{int.from_bytes(reference.encode(), 'big') % 10**9:09}"
        return {"kind": "va", "bank": "Pretend", "number": number, "holder": "Pretend provider"}
    if session["channel"] == "qris":
        return {"kind": "qris", "qr": f"{url}/pay/{reference}", "image_url": None}
    return {
        "kind": "redirect", "url": f"{url}/pay/{reference}", "app_url": None, "token": None,
    }  # fmt: skip


def _day(text: str, zone: tzinfo) -> date:
    return datetime.fromisoformat(text).astimezone(zone).date()


def _now() -> datetime:
    return datetime.now(timezone.utc)
