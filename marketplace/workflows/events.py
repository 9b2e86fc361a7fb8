"""Who is told by mail of what happened to orders, payments and refunds.

`tell` reads on behind a cursor and enqueues mails in the transaction that moves it: each event
makes its mails once, whoever is killed in between. A mail is written when it is sent, from the
facts as they are then.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from email.message import EmailMessage
from typing import Any, NamedTuple

from marketplace.config.settings import Config
from marketplace.integrations import mail, order_mails
from marketplace.integrations.letters import Place, language_of
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import events, jobs
from marketplace.workflows.product_documents import Interrupted

READER = "mail"
BATCH = 500
DAY = 86_400
#: Days after which a buyer is reminded of money that waits for an account, from what amount on, and
#: a store of money that it has to give back itself.
REMINDERS = (1, 3, 7)
WORTH = Decimal(10_000)


class Mail(NamedTuple):
    """A mail to be sent: to the buyer, the seller or the operator, and after how many days."""

    party: str
    kind: str
    days: int = 0


def wake(conn: Conn) -> None:
    """Let the mails of this transaction's events leave soon, not only within the next minute."""
    jobs.enqueue_unless_waiting(conn, "tell", queue="quick", lock="tell")


def tell(db: Database, *, stopping: Callable[[], bool] = lambda: False) -> int:
    """Enqueue the mails of all events that were not told; return how many events. For the worker.

    Raises Interrupted.
    """
    told = 0
    while True:
        if stopping():
            raise Interrupted
        with db.working() as conn:
            found = events.next(conn, READER, BATCH)
            waiting = [
                (_args(event, each), each.days * DAY) for event in found for each in mails_of(event)
            ]
            if waiting:
                jobs.enqueue_many(conn, "send_order_mail", queue="mail", jobs=waiting)
        told += len(found)
        if len(found) < BATCH:
            return told


def mails_of(event: Row) -> Iterator[Mail]:
    """Yield who gets which mail of an event."""
    if event["order_id"] is None:
        return
    kind, was = event["type"], event["data"].get("was")
    if kind in ("order.placed", "order.paid"):
        # Cash at the door: the mail about the parcel's arrival says it all.
        if event["first"] and not (kind == "order.paid" and event["cod"]):
            yield Mail("buyer", kind.replace(".", "_"))
    elif kind == "order.cancelled" and was == "unpaid":
        if event["first"]:
            yield Mail("buyer", "order_cancelled")
    elif kind == "order.cancelled":
        yield Mail("buyer", "order_cancelled")
        yield Mail("seller", "order_cancelled_seller")
    elif kind == "request.opened" and event["data"].get("kind") == "dispute":
        yield Mail("buyer" if event["actor"] == "seller" else "seller", "dispute_opened")
        yield Mail("operator", "dispute_to_decide")
    elif kind == "request.opened":
        if event["actor"] != "seller":
            yield Mail("seller", "request_opened")
    elif kind == "refund.due":
        if event["way"] == "store":
            yield from (Mail("seller", "refund_due_store", days) for days in (0, *REMINDERS))
    elif kind == "refund.needs_bank":
        yield Mail("buyer", "refund_needs_bank")
        if Decimal(event["data"].get("amount") or 0) >= WORTH:
            yield from (Mail("buyer", "refund_needs_bank", days) for days in REMINDERS)
    elif kind in PARTIES:
        yield Mail(PARTIES[kind], kind.replace(".", "_"))


#: Events that are always one mail.
PARTIES = {
    "order.new": "seller",
    "order.shipped": "buyer",
    "order.delivered": "buyer",
    "payment.refused": "buyer",
    "refund.done": "buyer",
    "request.approved": "buyer",
    "request.sent_back": "seller",
    "request.closed": "buyer",
    "payment.problem": "operator",
    "refund.given_up": "operator",
}


def _args(event: Row, each: Mail) -> dict[str, Any]:
    return {
        "kind": each.kind,
        "party": each.party,
        "order_id": event["order_id"],
        "event_id": event["id"],
        "data": event["data"],
    }


def send(
    db: Database,
    config: Config,
    deliver: Callable[[EmailMessage], None],
    *,
    kind: str,
    party: str,
    order_id: int,
    event_id: int,
    data: dict[str, Any],
) -> None:
    """Write a mail about an order and send it; none where there is nobody to write to, or the facts
    have overtaken it. No transaction is open while it is sent.
    """
    with db.working() as conn:
        order = events.order_facts(conn, order_id, party, event_id)
        thing = _thing(conn, data)
    to = config.operator_email if party == "operator" else (order or {}).get("email")
    if order is None or not to:
        return
    place = Place(config.country, language_of(config.country))
    letter = order_mails.written(kind, order, thing, data, place)
    if letter is None:
        return
    link = {"buyer": f"orders/{order_id}", "seller": f"store/orders/{order_id}"}.get(party)
    message_id = f"<event-{event_id}-{kind}-{party}@marketplace>"
    deliver(
        mail.letter(
            config,
            letter.subject,
            letter.lines,
            to=to,
            language=place.language,
            link=link,
            message_id=message_id,
        )
    )


def _thing(conn: Conn, data: dict[str, Any]) -> Row | None:
    """Return the refund or the payment that an event is about."""
    if "refund" in data:
        return events.refund_facts(conn, data["refund"])
    if "payment" in data:
        return events.payment_facts(conn, data["payment"])
    return None
