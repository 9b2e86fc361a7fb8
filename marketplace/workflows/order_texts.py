"""Words about orders, in the reader's language: reasons, and what happened."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from marketplace.postgres.pool import Row
from marketplace.text.messages import Text, say, spoken

#: Reasons to choose from. Any other text is taken as it stands.
BUYERS = ("changed_mind", "wrong_item", "wrong_address", "better_price", "too_slow")
SELLERS = ("out_of_stock", "wrong_price", "cannot_send", "buyer_asked")
REASONS: Mapping[str, Text] = {
    "changed_mind": say("Changed my mind"),
    "wrong_item": say("Ordered the wrong thing"),
    "wrong_address": say("The address is wrong"),
    "better_price": say("Found a better price"),
    "too_slow": say("It takes too long"),
    "out_of_stock": say("Out of stock"),
    "wrong_price": say("The price was wrong"),
    "cannot_send": say("Cannot be sent there"),
    "buyer_asked": say("The buyer asked for it"),
    "unpaid": say("It was not paid in time"),
    "not_shipped": say("It was not sent in time"),
    "refused": say("The parcel was refused"),
    "undeliverable": say("The parcel could not be delivered"),
    "lost": say("The parcel was lost"),
}
_HAPPENED: Mapping[str, Text] = {
    "order.placed": say("Ordered"),
    "order.paid": say("Paid"),
    "order.new": say("Passed on to the store"),
    "order.accepted": say("The store is preparing it"),
    "order.completed": say("Completed"),
    "refund.due": say("A refund is promised"),
    "refund.needs_bank": say("A refund waits for an account"),
    "refund.sent": say("A refund is on its way"),
    "refund.done": say("The refund has arrived"),
    "refund.given_up": say("The refund could not be paid"),
    "request.approved": say("The store agrees to the return"),
    "request.sent_back": say("The buyer has sent it back"),
    "payment.checking": say("The proof of payment is being checked"),
    "payment.refused": say("The proof of payment was refused"),
}
_OPENED: Mapping[str, Text] = {
    "cancel": say("The buyer asks to cancel"),
    "return": say("The buyer asks for a return"),
    "dispute": say("An administrator is asked to decide"),
}
_CLOSED: Mapping[str, Text] = {
    "cancel": say("The request to cancel has ended"),
    "return": say("The return has ended"),
    "dispute": say("The dispute has ended"),
}


def reason(code: str, language: str) -> str:
    """Return a reason in a language; a text of somebody's own stays as it is."""
    words = REASONS.get(code)
    return code if words is None else words.spoken(language)


def reasons(codes: Sequence[str], language: str) -> list[dict[str, str]]:
    """Return reasons to choose from."""
    return [{"code": code, "text": reason(code, language)} for code in codes]


def timeline(events: Iterable[Row], parcels: Sequence[Row], language: str) -> list[dict[str, Any]]:
    """Return what happened to an order and on the way of its parcels, in order. Each parcel is sent
    once and ends once: the first event is of the first parcel.
    """
    of_parcels = {
        "order.shipped": _each(parcels, "shipped_at"),
        "order.delivered": _each(parcels, "delivered_at"),
        "order.undelivered": _each(parcels, "ended_at"),
    }
    told = []
    for event in events:
        parcel = next(of_parcels.get(event["type"], iter(())), None)
        words = _words(event, parcel or {}, language)
        if words is not None:
            told.append(
                {
                    "at": event["created_at"],
                    "type": event["type"],
                    "text": words,
                    "by": None if event["actor"] == "nobody" else event["actor"],
                    "shipment_id": parcel["id"] if parcel else None,
                }
            )
    told += [step for parcel in parcels for step in _checkpoints(parcel)]
    return sorted(told, key=lambda moment: moment["at"])


def _each(parcels: Sequence[Row], when: str) -> Iterator[Row]:
    """Yield the parcels to which this has happened, in its order."""
    there = [parcel for parcel in parcels if parcel[when] is not None]
    return iter(sorted(there, key=lambda parcel: (parcel[when], parcel["id"])))


def _checkpoints(parcel: Row) -> Iterator[dict[str, Any]]:
    for step in parcel["checkpoints"]:
        yield {
            "at": datetime.fromisoformat(step["at"].replace("Z", "+00:00")),
            "type": "checkpoint",
            "text": step["text"],
            "by": None,
            "shipment_id": parcel["id"],
        }


def _words(event: Row, parcel: Mapping[str, Any], language: str) -> str | None:
    """Return what an event means to a reader; None: nothing of their interest."""
    kind, data = event["type"], event["data"]
    if kind == "order.shipped":
        return _sent(parcel).spoken(language)
    if kind == "order.delivered":
        assumed = parcel.get("outcome") == "assumed"
        return (say("Counted as arrived") if assumed else say("Arrived")).spoken(language)
    if kind == "order.undelivered":
        return reason(parcel.get("outcome") or "undeliverable", language)
    if kind == "order.lines_cancelled":
        return say("Pieces that will not come: {units}", units=data["units"]).spoken(language)
    if kind == "order.cancelled":
        why = reason(data.get("reason") or "", language)
        return say("Cancelled: {reason}", reason=why).spoken(language)
    if kind in ("request.opened", "request.closed"):
        words = (_OPENED if kind == "request.opened" else _CLOSED).get(data["kind"])
    else:
        words = _HAPPENED.get(kind)
    return None if words is None else spoken(words, language)


def _sent(parcel: Mapping[str, Any]) -> Text:
    courier = " ".join(filter(None, (parcel.get("courier"), parcel.get("service"))))
    return say("Sent with {courier}", courier=courier) if courier else say("Sent")
