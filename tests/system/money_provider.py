"""Lives that are paid at a provider: told twice, late, wrong, refused, taken back, or told to nobody.

Each checkout has a plan, a generator that goes on when what it waits for has come. What the oracle is told follows from
what the bank says has come, and from what the shop has answered to the buyer, never from what the shop has in its tables.
"""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from system.money_oracle import Order
from system.money_world import Buyer

if TYPE_CHECKING:
    from system.money_lives import Lives

CHANNELS = ("bca_va", "bca_va", "qris", "snap", "snap")
#: Seconds after which a payment that has come should be everywhere, whoever was killed meanwhile.
PATIENCE = 900
#: Faults of the provider that the next calls meet.
FAULTS = (
    ("charge", "cut_after"), ("charge", "cut_before"), ("charge", "500"), ("snap", "cut_after"), ("status", "500"),
    ("cancel", "500"), ("cancel", "cut_after"), ("refund", "cut_after"), ("refund", "500"), ("refund", "refund_refused"),
    ("refund", "no_balance"), ("refund", "cut_before"),
)  # fmt: skip
Plan = Generator[None, None, None]


@dataclass
class Checkout:
    """A checkout at the till."""

    id: int
    number: str
    total: int
    orders: list[Order]
    buyer: Buyer
    dice: Random
    name: str = ""
    plan: Plan | None = None
    since: float = field(default_factory=time.monotonic)
    looked: float = 0.0

    def pay(self) -> None:
        for order in self.orders:
            if order.stage == "unpaid":
                order.pay()

    def cancel(self) -> None:
        for order in self.orders:
            if order.stage == "unpaid":
                order.cancel()


class Till:
    """What one thread has waiting to be paid."""

    method = "midtrans"

    def __init__(self, told: "Lives") -> None:
        self._told, self._world = told, told.world
        assert told.world.bank is not None
        self._bank = told.world.bank
        self._waiting: list[Checkout] = []
        self._ending = False
        self._plans: dict[str, tuple[int, Callable[[Checkout], Plan]]] = {
            "told": (36, self._paid),
            "told to nobody": (8, self._untold),
            "refused, then another way": (8, self._refused),
            "two ways at once": (10, self._two_ways),
            "given up, and paid before": (8, self._paid_then_cancelled),
            "given up, and paid after": (6, self._cancelled_then_paid),
            "a wrong amount": (9, self._wrong_amount),
            "another currency": (3, self._wrong_currency),
            "charged back": (4, self._charged_back),
            "never": (5, self._never),
            "at the last moment": (5, self._at_last),
        }

    def payment(self, dice: Random) -> dict[str, str]:
        """How somebody pays."""
        return {"method": self.method, "channel": dice.choice(CHANNELS)}

    def take(self, placed: dict[str, Any], orders: list[Order], buyer: Buyer, dice: Random) -> None:
        """Take a checkout, with a plan."""
        names = list(self._plans)
        (name,) = dice.choices(names, [self._plans[each][0] for each in names])
        it = Checkout(
            placed["id"], placed["number"], int(float(placed["total"])), orders, buyer, dice, name
        )
        it.plan = self._plans[name][1](it)
        if dice.random() < 0.12:
            self._bank.fault(*dice.choice(FAULTS))
        self._waiting.append(it)

    def goes_on(self) -> list[Order]:
        """Let all plans go on; orders of those that have come to their end."""
        done: list[Order] = []
        for it in list(self._waiting):
            if time.monotonic() - it.looked < 0.4:
                continue
            it.looked = time.monotonic()
            if it.plan is None or next(it.plan, it) is it:
                self._waiting.remove(it)
                self._told.did[f"paid: {it.name}"] += 1
                done += it.orders
            elif self._is_due(it) and self._is_late(it):
                self._waiting.remove(it)
        return done

    @property
    def waits(self) -> bool:
        """Whether anybody waits for more than the last moment."""
        return any(self._is_due(it) for it in self._waiting)

    def end(self) -> None:
        """The last moment has come: what was kept for it is paid now."""
        self._ending = True
        for it in self._waiting:
            it.since = time.monotonic()

    def _is_due(self, it: Checkout) -> bool:
        return self._ending or it.name != "at the last moment"

    def _is_late(self, it: Checkout) -> bool:
        late = time.monotonic() - it.since > PATIENCE
        if late:
            self._told.faults.append(f"checkout {it.id} ({it.name}) waits: {self._rows(it)}")
        return late

    # Steps ------------------------------------------------------------------------------------

    def _rows(self, it: Checkout) -> list[dict[str, Any]]:
        return self._world.rows(
            "SELECT id, our_reference, state, problem, reversed FROM payments WHERE checkout_id = %s ORDER BY id",
            it.id,
        )

    def _opened(self, it: Checkout, besides: str = "") -> Generator[None, None, str | None]:
        """Wait for a session that can be paid; its reference, None where the shop has refused it."""
        while True:
            newest = self._rows(it)[-1]
            if newest["state"] == "open" and newest["our_reference"] != besides:
                return str(newest["our_reference"])
            if newest["state"] in ("failed", "cancelled", "expired"):
                return None
            yield

    def _until(self, it: Checkout, reference: str, name: str = "state", is_: Any = "paid") -> Plan:
        while True:
            (row,) = [each for each in self._rows(it) if each["our_reference"] == reference]
            if row[name] == is_:
                return
            yield

    def _pay(
        self, it: Checkout, reference: str, *, tell: bool = True, **how: str
    ) -> Generator[None, None, bool]:
        """Pay and wait until the shop knows; whether the money has come."""
        came = self._bank.pay(reference, **how)
        if came and tell:
            self._bank.tell(reference, it.dice.choice((1, 1, 2, 3)))
        if came:
            yield from self._until(it, reference)
        return came

    def _another_way(self, it: Checkout) -> Generator[None, None, bool]:
        """Choose another way to pay; whether the shop has taken it."""
        path, wish = f"/api/checkouts/{it.id}/payments", self.payment(it.dice)
        while True:
            answer = self._world.post(path, it.buyer.token, wish)
            if answer.code != "payment_not_offered":
                return answer.good
            yield  # the provider is silent, or takes no such sum by this way
            wish = self.payment(it.dice)

    # Plans ------------------------------------------------------------------------------------

    def _paid(self, it: Checkout) -> Plan:
        reference = yield from self._opened(it)
        if reference is not None and (yield from self._pay(it, reference)):
            it.pay()

    def _untold(self, it: Checkout) -> Plan:
        reference = yield from self._opened(it)
        if reference is not None and (yield from self._pay(it, reference, tell=False)):
            it.pay()

    def _refused(self, it: Checkout) -> Plan:
        reference = yield from self._opened(it)
        if reference is None:
            return
        self._bank.become(reference, "failure")
        self._bank.tell(reference)
        yield from self._until(it, reference, is_="failed")
        if (yield from self._another_way(it)):
            yield from self._paid(it)

    def _two_ways(self, it: Checkout) -> Plan:
        first = yield from self._opened(it)
        if first is None or not (yield from self._another_way(it)):
            return
        came = self._bank.pay(first)  # unless the shop has closed it there by now
        second = yield from self._opened(it, besides=first)
        if second is not None:
            came = (yield from self._pay(it, second)) or came
        if came:
            it.pay()
        if self._bank.came(first):  # a page that nobody asks about any more is told
            self._bank.tell(first)
            yield from self._until(it, first)

    def _paid_then_cancelled(self, it: Checkout) -> Plan:
        reference = yield from self._opened(it)
        if reference is None:
            return
        came = self._bank.pay(reference)
        if it.dice.random() < 0.5 and came:
            self._bank.tell(reference)
        path = f"/api/checkouts/{it.id}/cancel"
        cancelled = self._world.post(path, it.buyer.token, {}).good
        if came:
            yield from self._until(it, reference)
        if cancelled:
            it.cancel()
        elif came:
            it.pay()

    def _cancelled_then_paid(self, it: Checkout) -> Plan:
        reference = yield from self._opened(it)
        if reference is None:
            return
        if self._world.post(f"/api/checkouts/{it.id}/cancel", it.buyer.token, {}).good:
            it.cancel()
        yield from self._pay(it, reference)  # a page is not closed before something is chosen on it

    def _wrong_amount(self, it: Checkout) -> Plan:
        reference = yield from self._opened(it)
        if reference is None:
            return
        amount = f"{it.dice.choice((1, it.total - 1, it.total + 5000))}.00"
        yield from self._pay(it, reference, amount=amount)
        yield from self._until(it, reference, "problem", "amount_mismatch")
        if it.dice.random() < 0.6 and (yield from self._another_way(it)):
            yield from self._paid(it)

    def _wrong_currency(self, it: Checkout) -> Plan:
        reference = yield from self._opened(it)
        if reference is not None:
            yield from self._pay(it, reference, currency="USD")
            yield from self._until(it, reference, "problem", "currency_mismatch")

    def _charged_back(self, it: Checkout) -> Plan:
        reference = yield from self._opened(it)
        if reference is None or not (yield from self._pay(it, reference)):
            return
        it.pay()
        self._bank.become(reference, "chargeback")
        self._bank.tell(reference)
        yield from self._until(it, reference, "reversed", "charged_back")

    def _never(self, it: Checkout) -> Plan:
        yield from self._opened(it)

    def _at_last(self, it: Checkout) -> Plan:
        """The money comes just before the timers, and nobody is told."""
        while not self._ending:
            yield
        reference = yield from self._opened(it)
        if reference is not None and (yield from self._pay(it, reference, tell=False)):
            it.pay()
