"""Who sent a request, and from where: address, device, language."""

import ipaddress
from functools import lru_cache

import falcon

from marketplace.postgres.callers import Client
from marketplace.text.messages import negotiate


def client_ip(req: falcon.Request) -> str | None:
    """Return the client's address: the peer's, or the one that a trusted proxy (TRUSTED_PROXIES)
    reports of its own peer.

    A Unix socket has no address and counts as `unix`.
    """
    peer = req.env.get("REMOTE_ADDR") or "unix"
    if peer in req.context.config.trusted_proxies:
        peer = (req.get_header("X-Forwarded-For") or "").rpartition(",")[2].strip()
    return _address(peer)


def network(address: str) -> str:
    """Return the /64 of an IPv6 address."""
    return str(ipaddress.ip_network(f"{address}/64", strict=False))


@lru_cache(maxsize=4096)
def _address(text: str) -> str | None:
    """Return an address in its usual form; None if it is not one."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def device(req: falcon.Request) -> str | None:
    """Return the User-Agent for the log: printable, at most 300 characters."""
    agent = req.user_agent or ""
    return (
        "".join(sign for sign in agent if sign.isprintable())
        .encode("latin-1", "replace")
        .decode("utf-8", "replace")[:300]
        or None
    )


def language(req: falcon.Request) -> str:
    """Return the language of ours that the client prefers."""
    return negotiate(req.get_header("Accept-Language"))


def client(req: falcon.Request) -> Client:
    """Return whom the activity log names, and where they were."""
    return Client(req.context.caller.user_id, client_ip(req), device(req))
