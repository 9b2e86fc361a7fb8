"""What must be true of an order's money, by the rules that are told to people and by nothing of the SQL.

One `Order` is told what somebody has done and was allowed to do; it says then what its buyer has paid and gets back, what
its store earns, what the platform takes and bears, and which pieces are where. Parts of a line are counted on from the
pieces that went before, so that all parts sum to the line.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

Pieces = Mapping[int, int]
COIN = Decimal(1)
NOTHING = Decimal(0)


def rounded(amount: Decimal) -> Decimal:
    """Half up to a whole rupiah."""
    return amount.quantize(COIN, ROUND_HALF_UP)


def share(whole: Decimal, before: int, pieces: int, of: int) -> Decimal:
    """The part of so many pieces, after those that went before."""
    return rounded(whole * (before + pieces) / of) - rounded(whole * before / of)


@dataclass
class Line:
    """A line as it was placed, and where its pieces are."""

    product: int
    quantity: int
    worth: Decimal
    subsidy: Decimal
    fee: Decimal
    fee_tax: Decimal
    cancelled: int = 0
    shipped: int = 0
    delivered: int = 0
    undelivered: int = 0
    returned: int = 0
    #: Pieces paid back, and those that went without that.
    refunded: int = 0
    forgone: int = 0
    #: Pieces settled as missing, for which a parcel that is given up pays no more; those by a sum alone.
    missing: int = 0
    by_sum: int = 0

    @property
    def gone(self) -> int:
        return self.refunded + self.forgone

    @property
    def left(self) -> int:
        """Pieces that have not left and can still be sent."""
        return self.quantity - self.cancelled - self.shipped


@dataclass
class Return:
    """What a buyer asks to give back."""

    pieces: dict[int, int]
    reason: str
    keep: bool
    amount: Decimal
    state: str = "open"
    disputed: bool = False


@dataclass
class Order:
    """An order of one store, from the moment it is placed."""

    id: int
    buyer: int
    store: int
    total: Decimal
    subsidy: Decimal
    lines: dict[int, Line]
    method: str
    cash_at: str  # who has the cash of a parcel paid on delivery
    state: str = "placed"
    paid: Decimal = NOTHING
    settled: bool = False
    promised: Decimal = NOTHING
    subsidy_back: Decimal = NOTHING
    #: What the platform has given beside the store's money.
    borne: Decimal = NOTHING
    parcels: dict[int, dict[int, int]] = field(default_factory=dict)
    asked_to_cancel: bool = False
    asked: Return | None = None
    #: Pieces for sale again, by product.
    restocked: dict[int, int] = field(default_factory=dict)
    promises: list[Decimal] = field(default_factory=list)

    # Where it is ------------------------------------------------------------------------------

    def pieces(self, name: str) -> int:
        return sum(getattr(line, name) for line in self.lines.values())

    @property
    def stage(self) -> str:
        if self.state in ("completed", "cancelled"):
            return self.state
        if not self.settled:
            return "unpaid"
        gone = self.pieces("cancelled") + self.pieces("undelivered")
        if self.pieces("delivered") + gone == self.pieces("quantity") and self.pieces("delivered"):
            return "delivered"
        if self.pieces("shipped") + self.pieces("cancelled") == self.pieces("quantity"):
            return "shipping"
        return "new" if self.state == "placed" else "to_ship"

    @property
    def rest(self) -> Decimal:
        """What was paid and is not promised back."""
        return self.paid - self.promised

    # Before it is sent ------------------------------------------------------------------------

    def pay(self) -> None:
        self.paid, self.settled = self.total, True

    def settle(self) -> None:
        """Cash on delivery, or nothing to pay: the store may act."""
        self.settled = True

    def accept(self) -> None:
        self.state = "accepted"

    def cancel(self) -> None:
        """All that is left of it: money and subsidy go back, and so does what the platform bore."""
        for line in self.lines.values():
            self._restock(line.product, line.left)
            line.cancelled += line.left
        self._promise(self.rest)
        self.subsidy_back = self.subsidy
        self.borne = NOTHING
        self.state, self.asked_to_cancel = "cancelled", False
        if self.asked is not None and self.asked.state in ("open", "approved", "sent_back"):
            self.asked.state = "done"

    def cancel_pieces(self, pieces: Pieces) -> None:
        """Pieces that will not be sent; the last of what has not come back is all of it."""
        gone = self.pieces("cancelled") + self.pieces("undelivered")
        if gone + sum(pieces.values()) == self.pieces("quantity"):
            return self.cancel()
        if self.method == "cod" or not self.paid:
            self._forgo(pieces)
        else:
            self._give_back(pieces)
        for line_id, n in pieces.items():
            self.lines[line_id].cancelled += n
            self._restock(self.lines[line_id].product, n)
        return None

    # On its way -------------------------------------------------------------------------------

    def ship(self, parcel: int, pieces: Pieces) -> None:
        self.state, self.asked_to_cancel = "accepted", False
        self.parcels[parcel] = dict(pieces)
        for line_id, n in pieces.items():
            self.lines[line_id].shipped += n

    def deliver(self, parcel: int) -> None:
        for line_id, n in self.parcels.pop(parcel).items():
            self.lines[line_id].delivered += n
        if self.method == "cod" and self.stage == "delivered":
            self.paid = self.total - self.worth_of_what_is_gone()

    def worth_of_what_is_gone(self) -> Decimal:
        """What is not to be paid at the door."""
        parts = (x.worth * (x.cancelled + x.undelivered) / x.quantity for x in self.lines.values())
        return sum(map(rounded, parts), NOTHING)

    def lose(self, parcel: int, *, lost: bool, sellable: bool) -> None:
        """A parcel that did not arrive: paid back, but for what was settled as missing before."""
        pieces = self.parcels.pop(parcel)
        gone = self.pieces("cancelled") + self.pieces("undelivered") + sum(pieces.values())
        whole = gone == self.pieces("quantity")
        if not whole:
            if self.method == "cod" or not self.paid:
                self._forgo(pieces)
            else:
                self._lose_part(pieces)
        for line_id, n in pieces.items():
            self.lines[line_id].undelivered += n
            if sellable and not lost:
                self._restock(self.lines[line_id].product, n)
        if whole:
            self.cancel()
        elif self.asked is not None and self.asked.reason == "missing" and not self.asked.disputed:
            self._answer_missing(pieces)

    def _lose_part(self, pieces: Pieces) -> None:
        owed, by_sum = {}, {}
        for line_id, n in pieces.items():
            line = self.lines[line_id]
            settled = min(n, line.missing)
            line.missing -= settled
            of_sum = min(settled, line.by_sum)
            line.by_sum -= of_sum
            owed[line_id], by_sum[line_id] = n - settled, of_sum
        self._forgo(by_sum)
        self._give_back(owed)

    def _answer_missing(self, pieces: Pieces) -> None:
        """The parcel answers what was asked for: all of it, or as much as was in it."""
        asked = self.asked
        if asked is None or asked.state not in ("open", "approved"):
            return
        left = {
            line: n - pieces.get(line, 0)
            for line, n in asked.pieces.items()
            if n > pieces.get(line, 0)
        }
        if left:
            asked.pieces = left
        else:
            asked.state = "done"

    def complete(self) -> None:
        self.state = "completed"

    # Money back -------------------------------------------------------------------------------

    def may_refund(self, pieces: Pieces) -> str | None:
        """Why a person cannot give back these pieces: a problem's code, or None."""
        for line_id, n in pieces.items():
            line = self.lines.get(line_id)
            if line is None or n < 1 or line.gone + n > line.shipped + line.cancelled:
                return "too_many_units"
        amount = sum(
            (
                share(self.lines[i].worth, self.lines[i].gone, n, self.lines[i].quantity)
                for i, n in pieces.items()
            ),
            NOTHING,
        )
        if amount > self.rest:
            return "refund_too_large"
        return "amount_invalid" if amount == 0 else None

    def give(self, amount: Decimal, *, by_platform: bool = False) -> None:
        """A sum: the sale and its commission stand."""
        self._promise(amount)
        if by_platform:
            self.borne += amount

    def give_pieces(self, pieces: Pieces) -> None:
        self._give_back(pieces)

    def _promise(self, amount: Decimal) -> None:
        if amount > 0:
            self.promised += amount
            self.promises.append(amount)

    def _give_back(self, pieces: Pieces) -> Decimal:
        """Pieces go back: what they cost, as far as something is left, with their part of the subsidy."""
        take = {}
        for line_id, n in pieces.items():
            take[line_id] = min(n, self.lines[line_id].quantity - self.lines[line_id].gone)
        take = {line_id: n for line_id, n in take.items() if n > 0}
        amount = self._of(take, "worth")
        if not take or min(amount, self.rest) == 0:
            if self.state != "completed":
                self._forgo(take)
            return NOTHING
        self.subsidy_back += min(self._of(take, "subsidy"), self.subsidy - self.subsidy_back)
        for line_id, n in take.items():
            self.lines[line_id].refunded += n
        amount = min(amount, self.rest)
        self._promise(amount)
        return amount

    def _forgo(self, pieces: Pieces) -> None:
        """Pieces go without a refund: the platform gets its part back."""
        self.subsidy_back += min(self._of(pieces, "subsidy"), self.subsidy - self.subsidy_back)
        for line_id, n in pieces.items():
            self.lines[line_id].forgone += n

    def _of(self, pieces: Pieces, what: str) -> Decimal:
        lines = [(self.lines[line_id], n) for line_id, n in pieces.items()]
        return sum((share(getattr(x, what), x.gone, n, x.quantity) for x, n in lines), NOTHING)

    def _restock(self, product: int, n: int) -> None:
        self.restocked[product] = self.restocked.get(product, 0) + n

    # Returns ----------------------------------------------------------------------------------

    def open_return(self, pieces: Pieces, reason: str, *, keep: bool) -> None:
        arrived = all(
            n <= self.lines[i].delivered - self.lines[i].returned for i, n in pieces.items()
        )
        worth = sum(
            (rounded(self.lines[i].worth * n / self.lines[i].quantity) for i, n in pieces.items()),
            NOTHING,
        )
        self.asked = Return(
            dict(pieces), reason, keep or not arrived or reason == "missing", min(worth, self.rest)
        )

    def finish_return(self, *, sellable: bool) -> None:
        """It is done: pieces that were sent back count as returned, and all are paid back."""
        asked = self._asked()
        self._come_back(asked, sellable=sellable)
        self._pay_back(asked)
        asked.state = "done"

    def decide(self, amount: Decimal, bearer: str, *, sellable: bool) -> None:
        """An admin's word. All that was asked for, against the store, is a return like any other."""
        asked = self._asked()
        if amount > 0:
            whole = bearer == "store" and amount >= asked.amount
            given = NOTHING
            if whole:
                self._come_back(asked, sellable=sellable)
                given = self._pay_back(asked)
            elif asked.reason == "missing":
                for line_id, n in asked.pieces.items():
                    self.lines[line_id].missing += n
                    self.lines[line_id].by_sum += n
            self.give(min(amount - given, self.rest), by_platform=bearer == "platform")
        asked.state = "done" if amount > 0 else "rejected"
        asked.disputed = False

    def _asked(self) -> Return:
        assert self.asked is not None
        return self.asked

    def _come_back(self, asked: Return, *, sellable: bool) -> None:
        if asked.state != "sent_back":
            return
        for line_id, n in asked.pieces.items():
            self.lines[line_id].returned += n
            if sellable:
                self._restock(self.lines[line_id].product, n)

    def _pay_back(self, asked: Return) -> Decimal:
        before = {line_id: self.lines[line_id].refunded for line_id in asked.pieces}
        given = self._give_back(asked.pieces)
        if asked.reason == "missing":
            for line_id in asked.pieces:
                self.lines[line_id].missing += self.lines[line_id].refunded - before[line_id]
        return given

    # The end ----------------------------------------------------------------------------------

    def run_out(self) -> None:
        """All timers have run, one after the other."""
        if self.stage == "unpaid" or (self.asked_to_cancel and self.stage in ("new", "to_ship")):
            return self.cancel()
        if self.stage in ("new", "to_ship"):
            if self.pieces("shipped") == self.pieces("undelivered"):
                return self.cancel()
            self.cancel_pieces({i: x.left for i, x in self.lines.items() if x.left})
        self._silence()
        for parcel in list(self.parcels) if self.method != "cod" else ():
            self.deliver(parcel)
        if self.stage == "delivered":
            self.complete()
        return None

    def _silence(self) -> None:
        """What nobody has answered: approved, and not sent back; what was sent back is paid."""
        asked = self.asked
        if asked is None or asked.disputed or asked.state not in ("open", "approved", "sent_back"):
            return
        if asked.state == "open":
            asked.state = "approved"
            if self.stage != "shipping" and asked.reason != "missing":
                asked.keep = False  # silence gives nobody goods to keep that have arrived
        if asked.state == "approved" and not asked.keep:
            asked.state = "withdrawn"
        else:
            self.finish_return(sellable=False)

    def earned(self) -> Decimal:
        """What the store has of it in the end, beside cash that it has taken itself."""
        if self.state != "completed":
            return NOTHING
        fee, tax = self.commission()
        return self.rest + self.borne + self.subsidy - self.subsidy_back - fee - tax

    def commission(self) -> tuple[Decimal, Decimal]:
        """What the platform takes: of the pieces that stayed."""
        if self.state != "completed":
            return NOTHING, NOTHING
        kept = [(x, x.gone) for x in self.lines.values()]
        fee = sum((x.fee - rounded(x.fee * gone / x.quantity) for x, gone in kept), NOTHING)
        tax = sum((x.fee_tax - rounded(x.fee_tax * gone / x.quantity) for x, gone in kept), NOTHING)
        return fee, tax

    def platform_bears(self) -> Decimal:
        """What the platform has given for it: its vouchers, and what an admin decided."""
        return (self.subsidy - self.subsidy_back if self.settled else NOTHING) + self.borne
