"""Ways to pay: which are offered for a checkout, why others are not, and what a buyer does then."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import psycopg

from marketplace.config.providers import PROVIDERS
from marketplace.config.settings import Config
from marketplace.contract.errors import FieldError, Problem
from marketplace.integrations.payments import Channel
from marketplace.integrations.payments.providers import channels
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import payment_sessions
from marketplace.text.messages import ENGLISH, say
from marketplace.workflows import pricing

#: Minutes to pay in.
WITHIN = {"transfer": 1440, "store_transfer": 1440}
NAMES = {
    "none": say("Nothing to pay"),
    "cod": say("Cash on delivery"),
    "transfer": say("Bank transfer"),
    "store_transfer": say("Transfer to the store"),
}
#: Bank -> the name of its app.
APPS = {"BCA": "m-BCA", "BNI": "BNI Mobile Banking", "BRI": "BRImo", "Permata": "PermataMobile X"}
OTHERS = say("Any bank's app or machine")
STEPS = (
    say("Choose the transfer to a virtual account."),
    say("Enter the number, and check the name and the amount that are shown."),
    say("Confirm with your PIN. Come back here: it takes a moment."),
)
#: A buyer who has refused so many parcels pays before.
REFUSED_PARCELS = 3
OPEN = ("opening", "open", "checking")
TRANSFERS = ("transfer", "store_transfer")
#: Age of a payment in seconds -> seconds until it is worth asking again.
POLLS = ((60, 3), (600, 10))
SLOW = 60


@dataclass(frozen=True)
class Offer:
    """What the ways to pay are offered for. `takes_cod`: every chosen way to send does; `accounts`:
    every store has one of its own; `silent`: providers that do not respond at the moment.
    """

    total: Decimal
    order_totals: Sequence[Decimal]
    takes_cod: bool
    accounts: bool
    refused_parcels: int
    silent: frozenset[str] = frozenset()


def of_total(total: Decimal, silent: frozenset[str]) -> Offer:
    """Return what a checkout that is placed can still be paid by: a transfer or a provider."""
    return Offer(total, (total,), False, False, 0, silent)


def offered(config: Config, offer: Offer, language: str) -> list[dict[str, Any]]:
    """Return the ways to pay that are switched on, each with the reason why it is not available."""
    return [*_offered(config, offer, language)]


def _offered(config: Config, offer: Offer, language: str) -> Iterator[dict[str, Any]]:
    methods = ["none"] if offer.total == 0 and offer.order_totals else []
    by_provider = channels(config)
    for method in (*methods, *config.payment_methods):
        for channel in by_provider.get(method) or (None,):
            yield _shown(config, method, channel, offer, language)


def choose(
    config: Config, offer: Offer, method: str, channel: str | None, *, at: str = ""
) -> tuple[str | None, int]:
    """Return the channel and the minutes of a way to pay; the first channel where none is named.

    Raises 409 payment_not_offered for one that is not available.
    """
    found = [
        each
        for each in offered(config, offer, ENGLISH)
        if each["method"] == method and (channel in (None, each["channel"]) or not each["channel"])
    ]
    usable = [each for each in found if each["available"]]
    if not usable:
        reason = found[0]["reason"] if found else "not_offered"
        error = FieldError(f"{at}/method", reason, "choose another way to pay")
        raise Problem("payment_not_offered", errors=[error])
    return usable[0]["channel"], usable[0]["within_minutes"] or 60


def _shown(
    config: Config, method: str, channel: Channel | None, offer: Offer, language: str
) -> dict[str, Any]:
    reason = _reason(config, method, channel, offer)
    most = channel.most if channel else None
    if method == "cod":
        most = config.cod_max_total
    return {
        "method": method,
        "channel": channel and channel.key,
        "group": channel.group if channel else method,
        "name": (channel.name if channel else NAMES[method]).spoken(language),
        "min": pricing.money(channel.least) if channel and channel.least is not None else None,
        "max": pricing.money(most) if most is not None else None,
        "within_minutes": channel.minutes if channel else WITHIN.get(method),
        "available": reason is None,
        "reason": reason,
    }


def _reason(config: Config, method: str, channel: Channel | None, offer: Offer) -> str | None:
    if method == "none":
        return None
    if offer.total == 0 or (method == "store_transfer" and 0 in offer.order_totals):
        return "total_zero"
    if channel is not None:
        return _reason_of_channel(method, channel, offer)
    if method == "store_transfer":
        return None if offer.accounts else "store_account"
    if method != "cod":
        return None
    if not offer.takes_cod:
        return "delivery_option"
    if offer.total > config.cod_max_total:
        return "cod_limit"
    return "refused_parcels" if offer.refused_parcels >= REFUSED_PARCELS else None


def _reason_of_channel(method: str, channel: Channel, offer: Offer) -> str | None:
    if method in offer.silent:
        return "silent"
    if channel.least is not None and offer.total < channel.least:
        return "amount_too_small"
    too_large = channel.most is not None and offer.total > channel.most
    return "amount_too_large" if too_large else None


def silent(conn: Conn, config: Config) -> frozenset[str]:
    """Return the providers that do not respond at the moment, if there are any."""
    return frozenset(row["provider"] for row in send_silent(conn, config) or ())


def send_silent(conn: Conn, config: Config) -> psycopg.Cursor[Row] | None:
    """Return where rows with such a `provider` will be, once a pipeline has ended."""
    named = {*PROVIDERS} & {*config.payment_methods}
    return payment_sessions.silent(conn) if named else None


def require_return_url(config: Config, url: str | None) -> None:
    """Refuse an address of an app whose scheme is not in RETURN_URLS."""
    if url is not None and url.partition(":")[0].lower() not in config.return_url_schemes:
        raise Problem("return_url_refused", "RETURN_URLS does not have the scheme of return_url.")


def shown(config: Config, payment: Mapping[str, Any], language: str = ENGLISH) -> dict[str, Any]:
    """Return a payment as apps meet it, with what the buyer has to do."""
    state = payment["state"]
    waits = state in OPEN
    return {
        "id": payment["id"],
        "order_id": payment["order_id"],
        "method": payment["method"],
        "channel": payment["channel"],
        "state": state,
        "amount": payment["amount"],
        "currency": payment["currency"],
        "expires_at": payment["expires_at"],
        "poll_after": _poll_after(payment) if waits else None,
        "problem": payment["problem"],
        "refusal": payment["refusal"],
        "version": payment["version"],
        "instructions": _instructions(config, payment, language) if waits else None,
    }


def _poll_after(payment: Mapping[str, Any]) -> int:
    """Return the seconds until it is worth asking again."""
    if payment["state"] == "opening":
        return 1
    if payment["method"] in TRANSFERS:
        return SLOW
    age = (datetime.now(timezone.utc) - payment["created_at"]).total_seconds()
    return next((seconds for most, seconds in POLLS if age < most), SLOW)


def _instructions(
    config: Config, payment: Mapping[str, Any], language: str
) -> dict[str, Any] | None:
    if payment["method"] not in TRANSFERS:
        kept: dict[str, Any] | None = payment["instructions"]
        return {**kept, **_steps(kept, language)} if kept else None
    transfer = {"kind": "transfer", "amount": payment["amount"]}
    if payment["method"] == "transfer":
        return {**transfer, "accounts": [dict(each) for each in config.transfer_accounts]}
    account: Mapping[str, Any] = payment.get("account") or {}
    own = {name: account.get(name, "") for name in ("bank", "number", "holder")}
    return {
        **transfer,
        "accounts": [own] if account.get("number") else [],
        "qris": bool(account.get("qris_upload")),
    }


def _steps(instructions: Mapping[str, Any], language: str) -> dict[str, Any]:
    """Return how a virtual account is paid, in words."""
    if instructions.get("kind") != "va":
        return {}
    bank = str(instructions.get("bank"))
    titles = [APPS[bank]] if bank in APPS else []
    titles.append(OTHERS.spoken(language))
    steps = [step.spoken(language) for step in STEPS]
    return {"steps": [{"title": title, "steps": steps} for title in titles]}
