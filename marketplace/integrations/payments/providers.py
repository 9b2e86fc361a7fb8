"""The payment providers that this installation has the settings of."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from marketplace.config.settings import Config
from marketplace.integrations.payments import Channel, Provider, midtrans, pretend
from marketplace.integrations.payments.breaker import Guarded

Providers = Mapping[str, Provider]


def made(config: Config) -> Providers:
    """Return the adapters by name. One stays while it has its key, also when PAYMENT_METHODS offers
    it no more: its payments still come.
    """
    found: list[Provider] = []
    if config.midtrans_server_key:
        found.append(midtrans.Midtrans(config))
    if config.pretend_url:
        found.append(pretend.Pretend(config))
    return MappingProxyType({provider.name: provider for provider in found})


def guarded(config: Config, tell: Callable[[str, float], None]) -> Providers:
    """Return the adapters, each behind a circuit breaker; `tell` is told when one opens or
    closes.
    """
    return MappingProxyType({name: Guarded(each, tell) for name, each in made(config).items()})


def channels(config: Config) -> Mapping[str, tuple[Channel, ...]]:
    """Return the ways to pay of each provider, by its name; nothing is made for it."""
    return {midtrans.NAME: midtrans.channels(config), pretend.NAME: pretend.CHANNELS}
