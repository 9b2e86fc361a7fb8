"""Who sent a request, and from where: address, device, language."""

import ipaddress
import re
from functools import lru_cache

import falcon

from marketplace.postgres.callers import Client
from marketplace.text.messages import negotiate

#: 198.51.100.7, 198.51.100.7:51234, 2001:db8::1, [2001:db8::1]:443, fe80::1%eth0, or in quotes.
_SPELLING = re.compile(
    r"""\s*"?(?:\[(?P<six>[0-9A-Fa-f:.]+)(?:%[^\]\s]+)?\](?::[0-9]{1,5})?"""
    r"""|(?P<four>[0-9.]+):[0-9]{1,5}|(?P<bare>[0-9A-Fa-f:.]+)(?:%[^\s"]+)?)"?\s*\Z"""
)
#: IPv4 within IPv6: mapped, translated, behind zeros alone, and NAT64 (RFC 4291, 6052, 7915).
_FOUR_IN_SIX = tuple(
    map(ipaddress.IPv6Network, ("::ffff:0:0/96", "::ffff:0:0:0/96", "::/96", "64:ff9b::/96"))
)


def client_ip(req: falcon.Request) -> str | None:
    """Return the client's address: the peer's, or the one that a trusted proxy (TRUSTED_PROXIES)
    reports of its own peer, and so on along the chain of trusted ones.

    An unreadable address is left out: then the client is the proxy that wrote it. None is a Unix
    socket alone, which has no address.
    """
    trusted = req.context.config.trusted_proxies
    ip = address(req.env.get("REMOTE_ADDR") or "")
    if not _is_trusted(ip, trusted):
        return ip
    for said in reversed((req.get_header("X-Forwarded-For") or "").split(",")):
        before = address(said)
        if before is None:
            break
        ip = before
        if not _is_trusted(ip, trusted):
            break
    return ip


def network(address: str) -> str:
    """Return the /64 of an IPv6 address."""
    return str(ipaddress.ip_network(f"{address}/64", strict=False))


@lru_cache(maxsize=4096)
def address(text: str) -> str | None:
    """Return the one spelling of an address that may come with a port, in brackets, in quotes or
    with a zone; None if it is unreadable. IPv4 written as IPv6 is IPv4: all of it shares a network.
    """
    found = _SPELLING.match(text)
    if found is None:
        return None
    try:
        ip = ipaddress.ip_address(found["six"] or found["four"] or found["bare"])
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address):
        within = int(ip) & 0xFFFF_FFFF
        if within > 1 and any(ip in block for block in _FOUR_IN_SIX):
            return str(ipaddress.IPv4Address(within))
    return str(ip)


@lru_cache(maxsize=4096)
def _is_trusted(ip: str | None, trusted: tuple[str, ...]) -> bool:
    """Return whether a peer is a proxy that TRUSTED_PROXIES names."""
    if ip is None:
        return "unix" in trusted
    blocks = (ipaddress.ip_network(block) for block in trusted if block != "unix")
    return any(ipaddress.ip_address(ip) in block for block in blocks)


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


def say_language(resp: falcon.Response, language: str) -> None:
    """Name the language of a response; a cache keeps one of each."""
    resp.set_header("Content-Language", language)
    resp.append_header("Vary", "Accept-Language")


def client(req: falcon.Request) -> Client:
    """Return whom the activity log names, and where they were."""
    return Client(req.context.caller.user_id, client_ip(req), device(req))
