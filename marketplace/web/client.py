"""Who sent a request, and from where: address, device, language."""

import ipaddress
from functools import lru_cache

import falcon

from marketplace.postgres.callers import Client
from marketplace.text.messages import negotiate


def client_ip(req: falcon.Request) -> str | None:
    """The client's address: the peer's, or what a proxy we were told of (TRUSTED_PROXIES) says of
    its own peer.

    A Unix socket has no address and counts as `unix`.
    """
    peer = req.env.get("REMOTE_ADDR") or "unix"
    if peer in req.context.config.trusted_proxies:
        peer = (req.get_header("X-Forwarded-For") or "").rpartition(",")[2].strip()
    return _address(peer)


def network(address: str) -> str:
    """The /64 of an IPv6 address."""
    return str(ipaddress.ip_network(f"{address}/64", strict=False))


@lru_cache(maxsize=4096)
def _address(text: str) -> str | None:
    """An address in its usual form; None where it is none."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def device(req: falcon.Request) -> str | None:
    """The User-Agent as the log keeps it: printable, at most 300 characters."""
    agent = req.user_agent or ""
    return (
        "".join(sign for sign in agent if sign.isprintable())
        .encode("latin-1", "replace")
        .decode("utf-8", "replace")[:300]
        or None
    )


def language(req: falcon.Request) -> str:
    """The language the client likes best, of ours."""
    return negotiate(req.get_header("Accept-Language"))


def client(req: falcon.Request) -> Client:
    """Whom the activity log names, and where they were."""
    return Client(req.context.caller.user_id, client_ip(req), device(req))
