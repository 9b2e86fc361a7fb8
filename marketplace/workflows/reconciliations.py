"""A day of payments, ours beside the provider's: differences are named, mailed and counted.

Compared by reference, so that one from the edge of a day is no difference. A payment of ours that
came and was not told is asked about, and applied; nothing else is moved by itself.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

from marketplace.config.settings import Config
from marketplace.integrations import mail
from marketplace.integrations.letters import language_of
from marketplace.integrations.payments import Provider, Status
from marketplace.integrations.payments.providers import Providers
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import jobs, payment_sessions, reconciliations
from marketplace.text.messages import Text, say
from marketplace.workflows import payment_sessions as sessions

#: The hour of the shop at which the day before is compared.
HOUR = 6
DAY = timedelta(days=1)
#: Lines of a mail; the table has them all.
LINES = 50
NOTHING = Decimal(0)
#: What a difference is called in a mail.
WORDS = {
    "unknown": say("they have it, we do not know it"),
    "not_here": say("they have it, here it is not paid; it is asked about now"),
    "not_there": say("we have it, they do not"),
    "amount": say("the amounts differ"),
}
log = logging.getLogger("marketplace.payments")


def run(db: Database, providers: Providers, config: Config, now: datetime | None = None) -> int:
    """Compare yesterday, from six o'clock on, unless it was compared; return how many providers
    were. Raises Silent.
    """
    here = (now or datetime.now(timezone.utc)).astimezone(ZoneInfo(config.shop_time_zone))
    if here.hour < HOUR:
        return 0
    done = 0
    for provider in providers.values():
        with db.working() as conn:
            known = reconciliations.find(conn, provider.name, here.date() - DAY)
        if known is None:
            done += compare(db, provider, config, here.date() - DAY) is not None
    return done


def compare(
    db: Database, provider: Provider, config: Config, day: date
) -> list[dict[str, Any]] | None:
    """Compare a day and keep the outcome; the differences, None: the provider has no list.

    Raises Silent.
    """
    theirs = provider.settled(day)
    if theirs is None:
        return None
    listed = {status.our_reference: status for status in theirs}
    around = {**listed}
    for other in (day - DAY, day + DAY):
        around |= {each.our_reference: each for each in provider.settled(other) or ()}
    with db.working() as conn:
        ours = reconciliations.ours(conn, provider.name, day, config.shop_time_zone)
        known = {
            row["our_reference"]: row
            for row in reconciliations.known(conn, provider.name, [*listed])
        }
        differences = [*_missing_there(ours, around), *_missing_here(listed.values(), known)]
        reconciliations.write(
            conn,
            provider.name,
            day,
            ours=sum((row["received"] for row in ours), NOTHING),
            theirs=sum((status.amount for status in listed.values()), NOTHING),
            differences=differences,
        )
        _ask_about(conn, known, differences)
        _book_fees(conn, listed, known)
        if differences:
            _tell(conn, provider.name, day)
    log.info("a day was compared", extra={"provider": provider.name, "rows": len(differences)})
    return differences


def _missing_there(ours: Iterable[Row], theirs: Mapping[str, Status]) -> Iterable[dict[str, Any]]:
    for row in ours:
        if row["our_reference"] not in theirs:
            yield _difference("not_there", row["our_reference"], row["received"], None)


def _missing_here(theirs: Iterable[Status], known: Mapping[str, Row]) -> Iterable[dict[str, Any]]:
    for status in theirs:
        reference, row = status.our_reference, known.get(status.our_reference)
        if row is None:
            yield _difference("unknown", reference, None, status.amount)
        elif row["state"] != "paid":
            yield _difference("not_here", reference, None, status.amount)
        elif row["received"] != status.amount:
            yield _difference("amount", reference, row["received"], status.amount)


def _difference(
    what: str, reference: str, ours: Decimal | None, theirs: Decimal | None
) -> dict[str, Any]:
    return {"what": what, "reference": reference, "ours": ours, "theirs": theirs}


def _ask_about(
    conn: Conn, known: Mapping[str, Row], differences: Iterable[Mapping[str, Any]]
) -> None:
    """Let jobs ask about payments of ours that came: the provider's own word is applied."""
    for each in differences:
        if each["what"] == "not_here":
            sessions.enqueue(conn, "settle_payment", known[each["reference"]])


def _book_fees(conn: Conn, theirs: Mapping[str, Status], known: Mapping[str, Row]) -> None:
    """Book what the provider kept, where only its list says it."""
    for row in known.values():
        status = theirs[row["our_reference"]]
        same = row["state"] == "paid" and row["received"] == status.amount
        if same and status.fee and row["provider_fee"] is None:
            payment_sessions.apply(
                conn, row["id"], "paid", status.amount, status.currency, status.fee
            )


def _tell(conn: Conn, provider: str, day: date) -> None:
    jobs.enqueue(conn, "send_reconciliation", queue="mail", provider=provider, day=day.isoformat())


def send(
    db: Database,
    config: Config,
    deliver: Callable[[EmailMessage], None],
    *,
    provider: str,
    day: str,
) -> None:
    """Mail the differences of a day to the operator, if there is one."""
    with db.working() as conn:
        found = reconciliations.find(conn, provider, date.fromisoformat(day))
    if found is None or not found["differences"] or not config.operator_email:
        return
    language = language_of(config.country)
    subject = say("Payments of {day} differ: {provider}", day=day, provider=provider)
    deliver(
        mail.letter(
            config,
            subject,
            _lines(found),
            to=config.operator_email,
            language=language,
            link=None,
            message_id=f"<reconciliation-{provider}-{day}@marketplace>",
        )
    )


def _lines(found: Row) -> list[str]:
    sums: Text = say("Ours: {ours}. Theirs: {theirs}.", ours=found["ours"], theirs=found["theirs"])
    lines: list[str] = [sums]
    for each in found["differences"][:LINES]:
        lines.append(
            say(
                "{reference}: {what} (ours {ours}, theirs {theirs})",
                reference=each["reference"],
                what=WORDS[each["what"]],
                ours=each["ours"] or "–",
                theirs=each["theirs"] or "–",
            )
        )
    return lines
