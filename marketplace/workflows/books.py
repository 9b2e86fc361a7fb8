"""Entries in the books that an admin makes by hand."""

import hashlib
from decimal import Decimal

from psycopg.errors import NumericValueOutOfRange

from marketplace.contract.errors import FieldError, Problem
from marketplace.postgres.pool import Conn
from marketplace.queries import books
from marketplace.text.messages import say
from marketplace.workflows import pricing

#: A source of an entry has room for so much of a key.
LONGEST = 100


def require_coins(amount: Decimal, currency: str) -> None:
    """Raise 422 for an amount with a part of the smallest coin. The database refuses it as well,
    once there are checkouts: it knows the currency by them.
    """
    if amount % pricing.step_of(currency):
        words = say("the amount is above 0, in the currency's coins")
        raise Problem("amount_invalid", errors=[FieldError("/amount", "invalid", words)])


def post(
    conn: Conn,
    kind: str,
    key: str,
    *,
    debit: str,
    credit: str,
    store_id: int | None,
    amount: Decimal,
    note: str | None,
) -> int:
    """Make an entry once a key, for ever; return its id. Raises 422 for a key that another entry
    was made by: responses are kept for a day, the books for good; and for a balance that is above
    the type.
    """
    source = key if len(key) <= LONGEST else hashlib.sha256(key.encode()).hexdigest()
    try:
        posted = books.post(
            conn, kind, source,
            debit=debit, credit=credit, store_id=store_id, amount=amount, note=note,
        )  # fmt: skip
    except NumericValueOutOfRange:
        raise pricing.too_large() from None
    entry = None if posted is None else books.find(conn, posted)
    if posted is None or entry is None:
        raise Problem("forbidden")
    wanted = {(debit, amount), (credit, -amount)}
    made = {(each["account"], Decimal(each["amount"])) for each in entry["postings"]}
    stores = {each["store_id"] for each in entry["postings"]} - {None}
    if made != wanted or stores != ({store_id} - {None}) or entry["note"] != note:
        raise Problem(
            "idempotency_key_reused", "This Idempotency-Key came with another entry before."
        )
    return posted
