"""Settings of selling: ways to pay, accounts, the zone whose days count, addresses of apps."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from marketplace.config import providers
from marketplace.config.env import ConfigError, integer

#: Ways to pay, in the order in which they are offered.
METHODS = (*providers.PROVIDERS, "cod", "transfer", "store_transfer")
#: What a way to pay cannot do without.
NEEDS = {
    "midtrans": "MIDTRANS_SERVER_KEY",
    "pretend": "PRETEND_URL",
    "transfer": "TRANSFER_ACCOUNTS",
}
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,40}\Z")
_ACCOUNT = ("bank", "number", "holder")


def loaded(env: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of selling. Raises ConfigError."""
    accounts, of_providers = _accounts(env), providers.loaded(env)
    lacking = {*providers.PROVIDERS} - {*providers.available(of_providers)}
    return {
        **of_providers,
        "transfer_accounts": accounts,
        "payment_methods": _methods(env, lacking if accounts else lacking | {"transfer"}),
        "cod_max_total": Decimal(integer(env, "COD_MAX_TOTAL", 5_000_000, 0, 10**12)),
        "return_url_schemes": _schemes(env),
        "shop_time_zone": _zone(env),
    }


def _methods(env: Mapping[str, str], lacking: set[str]) -> tuple[str, ...]:
    """PAYMENT_METHODS: those that are switched on; `lacking` are those that miss a setting."""
    text = env.get("PAYMENT_METHODS")
    named = METHODS if text is None else tuple(text.replace(",", " ").split())
    unknown = [name for name in named if name not in METHODS]
    if unknown:
        raise ConfigError(
            f"PAYMENT_METHODS must be of {', '.join(METHODS)}, with commas; not {unknown[0]!r}."
        )
    for name in named if text is not None else ():
        if name in lacking:
            raise ConfigError(f"PAYMENT_METHODS has {name}, which needs {NEEDS[name]}.")
    return tuple(name for name in METHODS if name in named and name not in lacking)


def _accounts(env: Mapping[str, str]) -> tuple[Mapping[str, str], ...]:
    """TRANSFER_ACCOUNTS: a JSON list of bank, number and holder."""
    text = env.get("TRANSFER_ACCOUNTS") or "[]"
    try:
        accounts = json.loads(text)
        good = isinstance(accounts, list) and all(map(_is_account, accounts))
    except (ValueError, RecursionError):
        good = False
    if not good:
        raise ConfigError(
            'TRANSFER_ACCOUNTS must be a JSON list such as [{"bank": "BCA", "number": "123",'
            ' "holder": "PT Toko"}].'
        )
    return tuple(accounts)


def _is_account(account: Any) -> bool:
    return (
        isinstance(account, dict)
        and set(account) == set(_ACCOUNT)
        and all(isinstance(text, str) and 0 < len(text) <= 100 for text in account.values())
    )


def _schemes(env: Mapping[str, str]) -> tuple[str, ...]:
    """RETURN_URLS: schemes of the addresses at which apps take a buyer back."""
    schemes = tuple((env.get("RETURN_URLS") or "").replace(",", " ").split())
    for scheme in schemes:
        if not _SCHEME.match(scheme) or scheme in ("javascript", "data", "file", "http"):
            raise ConfigError(
                f"RETURN_URLS must be schemes such as tokoku, with commas; not {scheme!r}."
            )
    return schemes


def _zone(env: Mapping[str, str]) -> str:
    """SHOP_TIME_ZONE: the zone whose days are working days."""
    name = env.get("SHOP_TIME_ZONE") or "Asia/Jakarta"
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError, KeyError) as error:
        raise ConfigError(
            f"SHOP_TIME_ZONE must be a zone such as Asia/Jakarta, not {name!r}."
        ) from error
