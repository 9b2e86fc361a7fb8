"""Settings of payment providers: keys, addresses, channels. None is switched on without its own."""

from collections.abc import Mapping
from typing import Any

from marketplace.config import checked
from marketplace.config.env import ConfigError, secret

#: Ways to pay that go by a provider.
PROVIDERS = ("midtrans", "pretend")
MIDTRANS_CHANNELS = ("bca_va", "bni_va", "bri_va", "permata_va", "qris", "snap")
#: What keys of Midtrans's sandbox begin with.
_SANDBOX = "SB-"


def loaded(env: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of providers. Raises ConfigError."""
    key = secret(env, "MIDTRANS_SERVER_KEY") or ""
    if key and not (key.isascii() and key.isprintable() and " " not in key and ":" not in key):
        raise ConfigError("MIDTRANS_SERVER_KEY has signs that no key of Midtrans has.")
    sandbox = ".sandbox" if key.startswith(_SANDBOX) else ""
    return {
        "midtrans_server_key": key,
        "midtrans_url": checked.web(env, "MIDTRANS_URL") or f"https://api{sandbox}.midtrans.com",
        "midtrans_snap_url": checked.web(env, "MIDTRANS_SNAP_URL")
        or f"https://app{sandbox}.midtrans.com/snap/v1/transactions",
        "midtrans_channels": _channels(env),
        "pretend_url": checked.web(env, "PRETEND_URL"),
    }


def available(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the providers that have what they need."""
    keys = {"midtrans": "midtrans_server_key", "pretend": "pretend_url"}
    return tuple(name for name in PROVIDERS if values[keys[name]])


def check(config: Any) -> None:
    """Refuse settings that do not go together, or not with people's money. Raises ConfigError."""
    if config.midtrans_server_key and config.currency != "IDR":
        raise ConfigError("MIDTRANS_SERVER_KEY goes with CURRENCY=IDR: Midtrans takes no other.")
    if not config.production:
        return
    if config.pretend_url:
        raise ConfigError(
            "PRETEND_URL must not be set when MARKETPLACE_ENV=production: anybody could pay with "
            "a button."
        )
    urls = {"MIDTRANS_URL": config.midtrans_url, "MIDTRANS_SNAP_URL": config.midtrans_snap_url}
    for name, url in urls.items():
        if not url.startswith("https://"):
            raise ConfigError(f"{name} must be https:// when MARKETPLACE_ENV=production.")


def _channels(env: Mapping[str, str]) -> tuple[str, ...]:
    """MIDTRANS_CHANNELS: those that the merchant's account has."""
    text = env.get("MIDTRANS_CHANNELS")
    named = MIDTRANS_CHANNELS if text is None else tuple(text.replace(",", " ").split())
    unknown = [name for name in named if name not in MIDTRANS_CHANNELS]
    if unknown or not named:
        raise ConfigError(
            f"MIDTRANS_CHANNELS must be of {', '.join(MIDTRANS_CHANNELS)}, with commas; not "
            f"{(unknown or [''])[0]!r}."
        )
    return tuple(name for name in MIDTRANS_CHANNELS if name in named)
