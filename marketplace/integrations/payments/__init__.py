"""The port to payment providers: what we ask of each, and what each may respond.

An adapter is one file a provider. It calls through `integrations/http.py`, knows no table, keeps no
state and opens no transaction. `Silent` (no response in time, a broken one, a 5xx, a 429) never
means no: whoever meets it asks `status` later.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, Protocol

from marketplace.integrations.http import Silent
from marketplace.text.messages import Text

__all__ = [
    "OURS",
    "Callback",
    "Channel",
    "Forged",
    "Line",
    "Opened",
    "PaymentRequest",
    "Provider",
    "Refund",
    "RefundRequest",
    "Refused",
    "Silent",
    "State",
    "Status",
    "key_of",
    "refund_of",
]

#: Keys of our refunds begin so.
OURS = "refund-"
_OURS = re.compile(OURS + r"([1-9][0-9]{0,17})\Z")
#: What a provider says of a payment. `refunded` is money that went back by another hand than ours,
#: `charged_back` what the buyer's bank took back.
State = Literal["open", "paid", "failed", "expired", "cancelled", "charged_back", "refunded"]


class Refused(Exception):
    """The provider says no, for good: asking again makes no difference. `reason` is a short word or
    a sentence of theirs, for operators; "used" means that our reference is taken there already.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Forged(Exception):
    """A callback that its provider has not signed, or one that cannot be read."""


@dataclass(frozen=True)
class Channel:
    """One of a provider's ways to pay, as the quote offers it. Limits are in the shop's currency;
    `minutes` is how long a buyer has.
    """

    key: str
    group: str
    name: Text
    minutes: int
    least: Decimal | None = None
    most: Decimal | None = None


@dataclass(frozen=True)
class Line:
    """What is paid for. All lines sum to the amount: one named `discount` is below 0."""

    name: str
    quantity: int
    amount: Decimal


@dataclass(frozen=True)
class PaymentRequest:
    """A session to be opened at `now`: adapters have no clock. `our_reference` is ours alone, and
    the same for each try. Whom it is for is nobody's business there.
    """

    our_reference: str
    amount: Decimal
    currency: str
    channel: str | None
    expires_at: datetime
    now: datetime
    lines: tuple[Line, ...] = ()
    return_url: str | None = None


@dataclass(frozen=True)
class Opened:
    """A session that waits for the buyer. `instructions` has a `kind`: va, qris or redirect."""

    reference: str | None
    instructions: dict[str, Any]
    expires_at: datetime


@dataclass(frozen=True)
class Callback:
    """A knock that was signed. A repeat has the same `key`; ask about `our_reference`."""

    key: str
    our_reference: str


@dataclass(frozen=True)
class Status:
    """The truth about a payment. `refunds` has what went back by our keys, each in all;
    `instructions` are there where a session that was opened unseen can be shown by them; `fee` is
    None where it is not said.
    """

    our_reference: str
    state: State
    amount: Decimal
    currency: str
    reference: str
    fee: Decimal | None = None
    refunds: Mapping[str, Decimal] = field(default_factory=dict)
    instructions: dict[str, Any] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class RefundRequest:
    """Money to go back. `key` is the refund's own, `refund-N`, and the same for each try."""

    key: str
    our_reference: str
    reference: str
    amount: Decimal
    reason: str
    channel: str | None = None


@dataclass(frozen=True)
class Refund:
    """What became of a refund: done, sent (done later, `status` will tell), or refused for good."""

    state: Literal["done", "sent", "refused"]
    reference: str | None = None
    reason: str | None = None


def key_of(refund_id: int) -> str:
    """Return what a provider knows a refund of ours by."""
    return f"{OURS}{refund_id}"


def refund_of(key: str) -> int | None:
    """Return the refund of ours that a key names; None for other keys."""
    found = _OURS.match(key)
    return None if found is None else int(found[1])


class Provider(Protocol):
    """A payment provider. Every method but `callback` calls it, and raises Silent when it does not
    respond.
    """

    @property
    def name(self) -> str:
        """What payments.method says."""
        ...

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Its ways to pay that are switched on."""
        ...

    def open(self, request: PaymentRequest) -> Opened:
        """Open a session; the same `our_reference` twice is one session. Raises Refused."""
        ...

    def callback(self, headers: Mapping[str, str], body: bytes) -> Callback:
        """Return what a callback is about, its signature compared in constant time. Raises Forged.

        Names of headers are in small letters.
        """
        ...

    def status(self, our_reference: str) -> Status | None:
        """Return the truth about a payment; None where the provider knows no such one."""
        ...

    def cancel(self, our_reference: str) -> None:
        """Close a session there; one that is paid or closed already stays as it is."""
        ...

    def refund(self, request: RefundRequest) -> Refund:
        """Send money back; the same key twice is one refund. Ask `status` first all the same."""
        ...

    def settled(self, day: date) -> Iterable[Status] | None:
        """Return the payments of a day in the shop's time zone; None: the provider has no list."""
        ...
