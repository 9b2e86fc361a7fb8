"""Returns in random lives: what buyers ask for, what sellers and admins say, and what the oracle is told of it."""

from collections import Counter
from decimal import Decimal
from random import Random
from typing import Any

from system.money_oracle import Order
from system.money_world import Answered, World

REASONS = ("damaged", "wrong", "not_as_described", "changed_mind")


class Returning:
    """Orders that may be sent back, each with what must be true of it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.orders: dict[int, Order] = {}
        self.faults: list[str] = []
        self.did: Counter[str] = Counter()

    def _at(self, order: Order, path: str, token: str, body: Any = None) -> Answered:
        return self.world.post(f"/api/orders/{order.id}/{path}", token, body)

    def _seller(self, order: Order) -> str:
        return self.world.stores[order.store].token

    def _buyer(self, order: Order) -> str:
        return next(each.token for each in self.world.buyers if each.id == order.buyer)

    def _open(self, order: Order, dice: Random) -> str | None:
        if order.stage not in ("shipping", "delivered", "completed"):
            return None
        missing = dice.random() < 0.3
        if missing:  # the promised days and two more are over
            self.world.rows(
                "UPDATE shipments SET shipped_at = shipped_at - interval '9 days' WHERE order_id = %s RETURNING id",
                order.id,
            )
        there = {
            i: (line.quantity - line.cancelled - line.undelivered - line.delivered) if missing else line.delivered - line.returned
            for i, line in order.lines.items()
        }  # fmt: skip
        pieces = {
            i: dice.randrange(1, n + 1) for i, n in there.items() if n > 0 and dice.random() < 0.8
        }
        if not pieces:
            return None
        keep = dice.random() < 0.3
        reason = "missing" if missing else dice.choice(REASONS)
        lines = [{"line_id": i, "quantity": n} for i, n in pieces.items()]
        body = {
            "lines": lines,
            "reason": reason,
            "keep_goods": keep,
            "message": f"rusak {dice.random()}",
        }
        if not self._at(order, "returns", self._buyer(order), body).good:
            return None
        order.open_return(pieces, reason, keep=keep)
        return "return opened"

    def _asked_id(self, order: Order) -> int:
        page = self.world.get(f"/api/orders/{order.id}", self.world.admin)
        return int(page["returns"][0]["id"])

    def _step(self, order: Order, dice: Random) -> str | None:
        asked = order.asked
        if asked is None:
            return None
        step = dice.choice(
            (
                "approved",
                "approved",
                "sent_back",
                "sent_back",
                "done",
                "done",
                "rejected",
                "withdrawn",
            )
        )
        token = self._buyer(order) if step in ("sent_back", "withdrawn") else self._seller(order)
        body: dict[str, Any] = {"state": step}
        sellable = dice.random() < 0.5
        if step == "done":
            body["sellable"] = sellable
        path = f"/api/orders/{order.id}/returns/{self._asked_id(order)}"
        if not self.world.patch(path, token, body).good or asked.state == step:
            return None
        if step == "done":
            order.finish_return(sellable=sellable)
        else:
            asked.state = step
        return f"return {step}"

    def _dispute(self, order: Order, dice: Random) -> str | None:
        asked = order.asked
        if asked is None or asked.disputed or dice.random() < 0.4:
            return None
        token = dice.choice((self._buyer(order), self._seller(order)))
        path = f"/api/orders/{order.id}/returns/{self._asked_id(order)}"
        told = self.world.patch(path, token, {"disputed": True})
        if not told.good or "decide" not in self.world.get(path, self.world.admin)["can"]:
            return None
        asked.disputed = True
        return "disputed"

    def _decide(self, order: Order, dice: Random) -> str | None:
        asked = order.asked
        if asked is None or not asked.disputed:
            return None
        bearer = dice.choice(("store", "platform"))
        amount = min(
            order.rest, Decimal(dice.choice((0, 500, int(asked.amount), int(asked.amount) + 77)))
        )
        path = f"/api/orders/{order.id}/returns/{self._asked_id(order)}"
        body = {"decision": {"amount": str(amount), "bearer": bearer}, "sellable": True}
        if not self.world.patch(path, self.world.admin, body).good:
            return None
        order.decide(amount, bearer, sellable=True)
        return f"decided for {bearer}"
