"""What mails about returns, disputes and money that a store gives back say."""

from collections.abc import Callable

from marketplace.integrations.letters import Facts, Letter, Place, moment, money, pieces
from marketplace.text.messages import say


def _agreed(order: Facts, thing: Facts, data: Facts, place: Place) -> Letter | None:
    if order["return_state"] != "approved":
        return None
    if order["keep_goods"]:
        lines: list[str] = [say("The store agrees. Nothing has to be sent back.")]
    else:
        lines = [say("The store agrees. Send the goods back, and say so in the app.")]
        if order["return_by"] is not None:
            until = moment(order["return_by"], place)
            lines.append(say("After {until} the return ends by itself.", until=until))
    return Letter(say("Your return of order {number}", number=order["number"]), lines)


def _on_its_way_back(order: Facts, thing: Facts, data: Facts, place: Place) -> Letter | None:
    if order["return_state"] != "sent_back":
        return None
    lines: list[str] = [say("The buyer has sent the goods back. Say in the app that they came.")]
    if order["return_by"] is not None:
        until = moment(order["return_by"], place)
        lines.append(say("After {until} the money goes back by itself.", until=until))
    subject = say("Goods of order {number} come back", number=order["number"])
    return Letter(subject, [*lines, *pieces(order, order["return_lines"])])


def _disputed(order: Facts, thing: Facts, data: Facts, place: Place) -> Letter | None:
    if order["open_request"] != "dispute":
        return None
    return Letter(
        say("A dispute about order {number}", number=order["number"]),
        [say("The other side asks us to decide. Whatever shows how it was belongs in the app.")],
    )


def _to_decide(order: Facts, thing: Facts, data: Facts, place: Place) -> Letter | None:
    if order["open_request"] != "dispute":
        return None
    return Letter(
        say("A dispute needs you: order {number}", number=order["number"]),
        [say("Buyer and store do not agree about a return. Please decide.")],
    )


def _store_owes(order: Facts, thing: Facts, data: Facts, place: Place) -> Letter | None:
    if (thing.get("way"), thing.get("state")) != ("store", "due"):
        return None
    amount = money(thing["amount"], thing["currency"], place)
    return Letter(
        say("Please give money back: order {number}", number=order["number"]),
        [
            say("You have {amount} that belongs to the buyer.", amount=amount),
            say("Please send it to them, and say so in the app."),
        ],
    )


KINDS: dict[str, Callable[[Facts, Facts, Facts, Place], Letter | None]] = {
    "request_approved": _agreed,
    "request_sent_back": _on_its_way_back,
    "dispute_opened": _disputed,
    "dispute_to_decide": _to_decide,
    "refund_due_store": _store_owes,
}
