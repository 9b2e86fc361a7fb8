"""Ways to pay: which are offered for a checkout, why others are not, and what a buyer does then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from marketplace.config.settings import Config
from marketplace.contract.errors import Problem
from marketplace.text.messages import say
from marketplace.workflows import pricing

#: Minutes to pay in.
WITHIN = {"transfer": 1440, "store_transfer": 1440}
NAMES = {
    "none": say("Nothing to pay"),
    "cod": say("Cash on delivery"),
    "transfer": say("Bank transfer"),
    "store_transfer": say("Transfer to the store"),
}
#: A buyer who has refused so many parcels pays before.
REFUSED_PARCELS = 3
OPEN = ("opening", "open", "checking")


@dataclass(frozen=True)
class Offer:
    """What the ways to pay are offered for. `takes_cod`: every chosen way to send does; `accounts`:
    every store has one of its own.
    """

    total: Decimal
    order_totals: Sequence[Decimal]
    takes_cod: bool
    accounts: bool
    refused_parcels: int


def offered(config: Config, offer: Offer, language: str) -> list[dict[str, Any]]:
    """Return the ways to pay that are switched on, each with the reason why it is not available."""
    methods = ["none"] if offer.total == 0 and offer.order_totals else []
    return [
        _shown(config, method, offer, language) for method in (*methods, *config.payment_methods)
    ]


def _shown(config: Config, method: str, offer: Offer, language: str) -> dict[str, Any]:
    reason = _reason(config, method, offer)
    return {
        "method": method,
        "channel": None,
        "group": method,
        "name": NAMES[method].spoken(language),
        "min": None,
        "max": pricing.money(config.cod_max_total) if method == "cod" else None,
        "within_minutes": WITHIN.get(method),
        "available": reason is None,
        "reason": reason,
    }


def _reason(config: Config, method: str, offer: Offer) -> str | None:
    if method == "none":
        return None
    if offer.total == 0 or (method == "store_transfer" and 0 in offer.order_totals):
        return "total_zero"
    if method == "store_transfer":
        return None if offer.accounts else "store_account"
    if method != "cod":
        return None
    if not offer.takes_cod:
        return "delivery_option"
    if offer.total > config.cod_max_total:
        return "cod_limit"
    return "refused_parcels" if offer.refused_parcels >= REFUSED_PARCELS else None


def require_return_url(config: Config, url: str | None) -> None:
    """Refuse an address of an app whose scheme is not in RETURN_URLS."""
    if url is not None and url.partition(":")[0].lower() not in config.return_url_schemes:
        raise Problem("return_url_refused", "RETURN_URLS does not have the scheme of return_url.")


def shown(config: Config, payment: Mapping[str, Any]) -> dict[str, Any]:
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
        "poll_after": (3 if state == "opening" else 60) if waits else None,
        "problem": payment["problem"],
        "refusal": payment["refusal"],
        "version": payment["version"],
        "instructions": _instructions(config, payment) if waits else None,
    }


def _instructions(config: Config, payment: Mapping[str, Any]) -> dict[str, Any] | None:
    if payment["method"] == "transfer":
        accounts = [dict(account) for account in config.transfer_accounts]
    elif payment["method"] == "store_transfer":
        account: Mapping[str, Any] = payment.get("account") or {}
        accounts = [{name: account.get(name, "") for name in ("bank", "number", "holder")}]
        accounts = accounts if account.get("number") else []
        return {
            "kind": "transfer",
            "accounts": accounts,
            "amount": payment["amount"],
            "qris": bool(account.get("qris_upload")),
        }
    else:
        kept: dict[str, Any] | None = payment["instructions"]
        return kept
    return {"kind": "transfer", "accounts": accounts, "amount": payment["amount"]}
