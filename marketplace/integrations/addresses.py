"""The address guard: where a call to somebody else may go.

A URL is judged by what its name resolves to, never by how it is spelled: every address of the name
is checked, and the connection is made to a checked one, so that a second look-up cannot lead
elsewhere.
"""

import ipaddress
import re
import socket
import threading
from collections.abc import Callable
from typing import NamedTuple

#: Host and port -> addresses, as text. Raises OSError.
Resolver = Callable[[str, int], list[str]]

#: Ports that a URL of a user may name.
PORTS = (443, 8443)
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z_](?:[0-9A-Za-z_.-]{0,252}))"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<target>[/?][!-\[\]-~]*)?\Z",
    re.IGNORECASE,
)
_UNICAST = ipaddress.IPv6Network("2000::/3")
#: NAT64 (RFC 6052): the last 32 bits are the address that is reached.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: Not all Pythons that we run on know these as special.
_SPECIAL = tuple(
    ipaddress.ip_network(block)
    for block in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "3fff::/20")
)
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """A URL that must not be called; nothing was connected to."""


class Target(NamedTuple):
    """A URL in its parts. `host` is as a certificate has it; `target` is path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """What two URLs of one server have in common."""
        return self.scheme, self.host.lower(), self.port

    @property
    def host_header(self) -> str:
        """The value of the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return host if self.port == default else f"{host}:{self.port}"


class Guard:
    """What a URL may lead to. `Guard.strict` is for whatever a user gives; `Guard.configured(URL)`
    for an address that stands in a setting, and for nothing but that server.
    """

    strict: "Guard"

    def __init__(self, origin: tuple[str, str, int] | None) -> None:
        self._origin = origin

    @classmethod
    def configured(cls, setting: str) -> "Guard":
        """Return a guard for URLs of the server that a setting names: http and private addresses
        are taken there.
        """
        return cls(parsed(setting).origin)

    def check(self, target: Target) -> None:
        """Check what can be seen before the name is resolved. Raises Refused."""
        if self._origin is not None:
            if target.origin != self._origin:
                raise Refused("the URL is not of the server in the setting")
            return
        if target.scheme != "https":
            raise Refused("the URL is not https")
        if target.port not in PORTS:
            raise Refused(f"port {target.port} is not open to calls")

    def check_addresses(self, addresses: list[str]) -> None:
        """Check all addresses of a name: one that is refused refuses the name. Raises Refused."""
        if not addresses:
            raise Refused("the name has no address")
        for address in addresses:
            if not self._allowed(address):
                raise Refused("the name leads to an address that is not public")

    def _allowed(self, address: str) -> bool:
        try:
            found = [*_unwrapped(ipaddress.ip_address(address))]  # with a zone it is a local one
        except ValueError:
            return False
        allowed = _public if self._origin is None else _usable
        return "%" not in address and all(allowed(each) for each in found)


Guard.strict = Guard(None)


def parsed(url: str) -> Target:
    """Return the parts of a URL. Raises Refused for what is none, or has a user, a fragment or a
    letter beyond ASCII in it.
    """
    found = _URL.match(url) if len(url) <= 2048 else None
    if found is None:
        raise Refused("this is no URL that can be called")
    scheme = found["scheme"].lower()
    port = int(found["port"] or (443 if scheme == "https" else 80))
    if not 0 < port < 65536:
        raise Refused("there is no such port")
    rest = found["target"] or "/"
    target = rest if rest.startswith("/") else f"/{rest}"
    return Target(scheme, found["host"].strip("[]"), port, target)


def system_resolver(host: str, port: int) -> list[str]:
    """Return all addresses of a name, as the system knows them. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def resolved(resolver: Resolver, host: str, port: int, seconds: float) -> list[str]:
    """Return the addresses of a name, asked once, within so many seconds: a name server may take
    far longer. Raises OSError (TimeoutError among them).
    """
    outcome: list[list[str] | OSError | UnicodeError] = []

    def ask() -> None:
        try:
            outcome.append(resolver(host, port))
        except (OSError, UnicodeError) as error:
            outcome.append(error)

    asking = threading.Thread(target=ask, name="resolve", daemon=True)
    asking.start()
    asking.join(seconds)
    if not outcome:
        raise TimeoutError("the name server does not respond")
    if isinstance(outcome[0], Exception):
        raise OSError("the name cannot be resolved") from outcome[0]
    return outcome[0]


def _unwrapped(address: _Address) -> list[_Address]:
    """Return the address and those that it hides."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    hidden = [*(address.teredo or ()), *([address.sixtofour] if address.sixtofour else ())]
    return [address, *hidden]


def _public(address: _Address) -> bool:
    """Return whether the whole world may reach the address."""
    if isinstance(address, ipaddress.IPv6Address) and address not in _UNICAST:
        return False
    special = any(address.version == block.version and address in block for block in _SPECIAL)
    return address.is_global and not address.is_multicast and not special


def _usable(address: _Address) -> bool:
    """Return whether an address of a setting may be connected to: not where clouds keep the secrets
    of a machine.
    """
    return not (address.is_link_local or address.is_multicast or address.is_unspecified)
