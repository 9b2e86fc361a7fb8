"""What mails about orders say: to buyers, sellers and the operator, in their language.

Written from the facts as they are when the mail is sent. What a seller has typed (names of products
and of the store) is one short line each; no mail has an address, a phone number or a buyer's name.
"""

from collections.abc import Callable
from typing import Any

from marketplace.integrations import return_mails
from marketplace.integrations.letters import (
    Facts,
    Letter,
    Place,
    goods,
    moment,
    money,
    pieces,
    short,
)
from marketplace.text.messages import say

#: What a parcel is found by.
PARCEL = ("courier", "service", "tracking_number")
REASONS = {
    "unpaid": say("it was not paid in time"),
    "not_shipped": say("the store did not send it in time"),
    "out_of_stock": say("it is out of stock"),
    "changed_mind": say("the buyer has changed their mind"),
    "wrong_item": say("the wrong thing was ordered"),
    "wrong_address": say("the address is wrong"),
    "better_price": say("the buyer has found a better price"),
    "too_slow": say("it takes too long"),
    "wrong_price": say("the price was wrong"),
    "cannot_send": say("the store cannot send it there"),
    "buyer_asked": say("the buyer asked for it"),
    "cancel_asked": say("the buyer asked for it"),
    "refused": say("the parcel was refused"),
    "undeliverable": say("the parcel could not be delivered"),
    "lost": say("the parcel was lost"),
}
REFUSALS = {
    "not_received": say("no money has arrived"),
    "unreadable": say("the image cannot be read"),
    "wrong_amount": say("the amount is another one"),
}


def written(
    kind: str, order: Facts, thing: Facts | None, data: Facts, place: Place
) -> Letter | None:
    """Return the mail of a kind; None where the facts have overtaken it.

    `thing` is the refund or the payment that the event is about; `data` is the event's own.
    """
    return KINDS[kind](order, thing or {}, data, place)


def _placed(order: Facts, thing: Facts, data: Facts, place: Place) -> Letter | None:
    if order["checkout_state"] == "cancelled":
        return None
    total = money(order["checkout_total"], order["currency"], place)
    subject = say("Your order {number}", number=order["checkout_number"])
    lines: list[str] = []
    if order["method"] == "cod":
        lines.append(say("Thank you for your order. Pay {total} when it arrives.", total=total))
    elif order["method"] == "none":
        lines.append(say("Thank you for your order. There is nothing to pay."))
    elif order["checkout_state"] == "settled":
        lines.append(say("Thank you for your order of {total}.", total=total))
    else:
        until = moment(order["pay_by"], place)
        words = say(
            "Thank you for your order. Please pay {total} by {until}, or it is cancelled.",
            total=total, until=until,
        )  # fmt: skip
        lines += [words, *_how_to_pay(order, place)]
    return Letter(subject, [*lines, *goods(order, place, whole=True)])


def _how_to_pay(order: Facts, place: Place) -> list[str]:
    """Return the lines that say where the money goes."""
    lines: list[str] = []
    for payment in order["payments"]:
        told = payment["instructions"] or {}
        amount = money(payment["amount"], order["currency"], place)
        if told.get("kind") == "transfer":
            words = say("Transfer {amount}, then send the proof in the app:", amount=amount)
            lines += ["", words, *_accounts(told.get("accounts") or ())]
        elif told.get("kind") == "va":
            words = say("Pay {amount} to this virtual account:", amount=amount)
            lines += ["", words, *_accounts([told])]
        elif told.get("kind") == "qris":
            lines += ["", say("Open the app and scan the QR code.")]
        else:
            lines += ["", say("Open the app to pay.")]
    return lines or ["", say("Open the app to pay.")]


def _accounts(accounts: Any) -> list[str]:
    kept = [[each.get("bank"), each.get("number"), each.get("holder")] for each in accounts]
    return [f"    {' · '.join(short(str(word)) for word in words if word)}" for words in kept]


def _paid(order: Facts, thing: Facts, data: Facts, place: Place) -> Letter:
    total = money(order["checkout_total"], order["currency"], place)
    return Letter(
        say("Your payment has arrived: order {number}", number=order["checkout_number"]),
        [
            say("Your payment for the order of {total} has arrived.", total=total),
            *goods(order, place, whole=True),
        ],
    )


def _new(order: Facts, thing: Facts, data: Facts, place: Place) -> Letter | None:
    if order["state"] == "cancelled":
        return None
    lines: list[str] = [say("You have a new order. The address is in the app.")]
    if order["cod"]:
        lines.append(say("It is paid in cash when it arrives."))
    if order["ship_by"] is not None:
        lines.append(say("Please send it by {until}.", until=moment(order["ship_by"], place)))
    subject = say("New order {number}", number=order["number"])
    return Letter(subject, [*lines, *goods(order, place, whole=False)])


def _because(order: Facts, data: Facts) -> list[str]:
    reason = REASONS.get(data.get("reason") or order["cancel_reason"] or "")
    return [say("The reason: {reason}.", reason=reason)] if reason else []


def _cancelled(order: Facts, thing: Facts, data: Facts, place: Place) -> Letter:
    whole = data.get("was") == "unpaid"
    number = order["checkout_number"] if whole else order["number"]
    back = [say("What you have paid for it is sent back to you.")] if order["paid"] else []
    return Letter(
        say("Order {number} was cancelled", number=number),
        [
            say("Your order was cancelled."),
            *_because(order, data),
            *back,
            *goods(order, place, whole=whole),
        ],
    )


def _cancelled_seller(order: Facts, thing: Facts, data: Facts, place: Place) -> Letter:
    return Letter(
        say("Order {number} was cancelled", number=order["number"]),
        [
            say("This order was cancelled. Please do not send it."),
            *_because(order, data),
            *goods(order, place, whole=False),
        ],
    )


def _shipped(order: Facts, thing: Facts, data: Facts, place: Place) -> Letter | None:
    parcel = order["parcel"]
    if parcel is None:
        return None
    sent = say("The store has sent your order.")
    part = say("The store has sent a part of your order.")
    lines: list[str] = [sent if parcel["whole"] else part]
    if found_by := " · ".join(short(parcel[name]) for name in PARCEL if parcel[name]):
        lines += ["", f"    {found_by}"]
    subject = say("Order {number} is on its way", number=order["number"])
    return Letter(subject, [*lines, *pieces(order, parcel["lines"])])


def _delivered(order: Facts, thing: Facts, data: Facts, place: Place) -> Letter | None:
    if order["state"] == "completed":
        return None  # the buyer has said so
    parcel = order["parcel"]
    if parcel is None:
        return None
    whole = say("Your order has arrived. Please confirm it in the app.")
    part = say("A part of your order has arrived. Please confirm it in the app.")
    lines: list[str] = [whole if parcel["whole"] else part]
    if order["stage"] == "delivered" and order["complete_at"] is not None:
        until = moment(order["complete_at"], place)
        words = say("If something is wrong, tell it there by {until}.", until=until)
        lines.append(words)
    subject = say("Order {number} has arrived", number=order["number"])
    return Letter(subject, [*lines, *pieces(order, parcel["lines"])])


def _refused(order: Facts, thing: Facts, data: Facts, place: Place) -> Letter | None:
    if thing.get("state") == "paid":
        return None
    lines: list[str] = [say("We could not match your proof of payment with money that arrived.")]
    reason = REFUSALS.get(str(data.get("reason") or ""))
    lines += [say("The reason: {reason}.", reason=reason)] if reason else []
    if order["checkout_state"] == "unpaid":
        until = moment(order["pay_by"], place)
        lines.append(say("Please pay, or send another proof, by {until}.", until=until))
    subject = say("Your proof was not accepted: order {number}", number=order["checkout_number"])
    return Letter(subject, lines)


def _needs_bank(order: Facts, thing: Facts, data: Facts, place: Place) -> Letter | None:
    if thing.get("state") != "needs_bank":
        return None
    amount = money(thing["amount"], thing["currency"], place)
    return Letter(
        say("Where should we send your money? Order {number}", number=order["number"]),
        [
            say("{amount} is to be sent back to you.", amount=amount),
            say("Please enter your bank account in the app."),
        ],
    )


def _refunded(order: Facts, thing: Facts, data: Facts, place: Place) -> Letter | None:
    if not thing:
        return None
    amount = money(thing["amount"], thing["currency"], place)
    return Letter(
        say("Your money was sent back: order {number}", number=order["number"]),
        [say("{amount} was sent back to you. A bank may take some days.", amount=amount)],
    )


def _asked(order: Facts, thing: Facts, data: Facts, place: Place) -> Letter | None:
    if order["open_request"] is None:
        return None
    if data.get("kind") != "cancel":
        return Letter(
            say("A return of order {number}", number=order["number"]),
            [
                say("The buyer asks to return something. Please reply in the app."),
                *pieces(order, order["return_lines"]),
            ],
        )
    lines: list[str] = [say("The buyer asks you to cancel this order.")]
    if order["cancel_by"] is not None:
        until = moment(order["cancel_by"], place)
        lines.append(say("Please reply by {until}, or it is cancelled.", until=until))
    subject = say("The buyer wants to cancel order {number}", number=order["number"])
    return Letter(subject, [*lines, *goods(order, place, whole=False)])


def _decided(order: Facts, thing: Facts, data: Facts, place: Place) -> Letter | None:
    if data.get("kind") == "cancel":
        if order["state"] == "cancelled":
            return None  # another mail says so
        return Letter(
            say("Order {number} goes on", number=order["number"]),
            [say("The store has not agreed to cancel your order, or has sent it already.")],
        )
    return Letter(
        say("Your return of order {number} was decided", number=order["number"]),
        [say("The outcome is in the app.")],
    )


def _problem(order: Facts, thing: Facts, data: Facts, place: Place) -> Letter:
    words = say(
        "Payment {payment} of order {number} needs somebody to look at it: {problem}.",
        payment=data.get("payment"), number=order["checkout_number"], problem=data.get("problem"),
    )  # fmt: skip
    return Letter(say("A payment needs you: order {number}", number=order["number"]), [words])


def _given_up(order: Facts, thing: Facts, data: Facts, place: Place) -> Letter:
    amount = money(thing["amount"], thing["currency"], place) if thing else "?"
    words = say(
        "Refund {refund} of order {number}, {amount}, was given up.",
        refund=data.get("refund"), number=order["number"], amount=amount,
    )  # fmt: skip
    return Letter(say("A refund was given up: order {number}", number=order["number"]), [words])


KINDS: dict[str, Callable[[Facts, Facts, Facts, Place], Letter | None]] = {
    "order_placed": _placed,
    "order_paid": _paid,
    "order_new": _new,
    "order_cancelled": _cancelled,
    "order_cancelled_seller": _cancelled_seller,
    "order_shipped": _shipped,
    "order_delivered": _delivered,
    "payment_refused": _refused,
    "refund_needs_bank": _needs_bank,
    "refund_done": _refunded,
    "request_opened": _asked,
    "request_closed": _decided,
    "payment_problem": _problem,
    "refund_given_up": _given_up,
    **return_mails.KINDS,
}
