"""Checks settings that can be read but never work: addresses, URLs, a currency.

A wrong one stops the start in words; the content of a URL is never repeated, since it may be a
password.
"""

import ipaddress
import re
from collections.abc import Mapping
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from marketplace.config.env import ConfigError

#: ISO 4217: currencies that do not have two decimals, as amounts here have.
OTHER_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\Z")
_APP = re.compile(r"[a-z][a-z0-9+.-]*://[^\s?#]+\Z")


def currency(code: str) -> str:
    """Return the currency, refused unless amounts with two decimals are right for it."""
    if not (code.isascii() and code.isupper() and len(code) == 3):
        raise ConfigError("CURRENCY must be an ISO 4217 code of three capitals, such as IDR.")
    for decimals, codes in OTHER_DECIMALS.items():
        if code in codes.split():
            raise ConfigError(
                f"CURRENCY: amounts have two decimals here, and {code} has {decimals or 'none'};"
                " such a currency is not supported yet."
            )
    return code


def host(text: str) -> str:
    """Return an address or a name to listen at, an IPv6 address without its brackets."""
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ipaddress.ip_address(inner))
    except ValueError:
        pass
    if not _HOST.match(text) or re.fullmatch(r"[0-9.]+", text):
        raise ConfigError(
            "BIND must be an address of this machine or its name, such as 127.0.0.1, 0.0.0.0 or ::,"
            f" without a port (that is PORT); not {text!r}."
        )
    return text


def proxies(text: str) -> tuple[str, ...]:
    """Return TRUSTED_PROXIES: `unix`, addresses and networks, IPv4 as IPv4."""
    return tuple(map(_proxy, text.replace(",", " ").split()))


def _proxy(text: str) -> str:
    if text == "unix":
        return text
    try:
        found = ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        raise ConfigError(
            "TRUSTED_PROXIES must be unix, addresses and networks, such as unix 10.0.0.0/8 ::1;"
            f" {text!r} can never match: a client's address is compared, not its name."
        ) from None
    mapped = getattr(found.network_address, "ipv4_mapped", None)
    if mapped is not None and found.prefixlen >= 96:
        return str(ipaddress.ip_network(f"{mapped}/{found.prefixlen - 96}", strict=False))
    return str(found)


def smtp(url: str) -> str:
    """Return SMTP_URL, refused if a mail could never be sent by it."""
    if not url:
        return url
    shape = (
        "SMTP_URL must be smtp://user:password@mail.example:587, or smtps:// for TLS from the start"
    )
    if not url.startswith(("smtp://", "smtps://")):
        raise ConfigError(f"{shape}.")
    rest = url.partition("://")[2].removesuffix("/")
    if re.search(r"[#?/\\\s]", rest) or rest.count("@") > 1:
        raise ConfigError(
            f"{shape}. Signs such as # ? / @ and blanks in user or password are written %23 %3F %2F"
            " %40 %20."
        )
    parts = _split("SMTP_URL", url, shape)
    if parts.username and parts.password is None:
        raise ConfigError(f"{shape}; it has a user and no password.")
    return url


def web(env: Mapping[str, str], name: str) -> str:
    """Return a URL of http or https, without the slash at its end; empty if it is not set."""
    url = (env.get(name) or "").rstrip("/")
    shape = f"{name} must be a URL such as https://shop.example, without user, query or fragment"
    if not url:
        return url
    if not url.startswith(("https://", "http://")) or re.search(r"[?#@\\\s]", url):
        raise ConfigError(f"{shape}.")
    _split(name, url, shape)
    return url


def app(env: Mapping[str, str], name: str) -> str:
    """Return a URL that opens the app, of any scheme, to which paths are added."""
    url = (env.get(name) or "").rstrip("/")
    if url and not _APP.match(url):
        raise ConfigError(
            f"{name} must be a URL such as https://app.example or shop://open, without query or "
            "fragment."
        )
    return url


def database(name: str, url: str) -> str:
    """Return the address of a database, refused if it is of another kind."""
    if url and not url.startswith(("postgresql://", "postgres://")) and not _is_pairs(url):
        kind = f"; not {url.partition('://')[0]}://..." if "://" in url else ""
        raise ConfigError(
            f"{name} must be postgresql://user:password@host:5432/database, or pairs such as"
            f" host=/run/postgresql dbname=marketplace{kind}."
        )
    return url


def _is_pairs(text: str) -> bool:
    return re.match(r"\s*[a-z_]+\s*=", text) is not None


def sender(text: str) -> str:
    """Return MAIL_FROM, refused if it has no address in it."""
    address = parseaddr(text)[1]
    if not text.isprintable() or "@" not in address.strip("@") or " " in address:
        raise ConfigError(
            "MAIL_FROM must be an address such as Marketplace <no-reply@shop.example>;"
            f" not {text!r}."
        )
    return text


def level(text: str) -> str:
    """Return LOG_LEVEL in capitals."""
    if text.upper() not in LEVELS:
        raise ConfigError(f"LOG_LEVEL must be one of {', '.join(LEVELS)}, not {text!r}.")
    return text.upper()


def uploads(folder: Path, private: Path) -> Path:
    """Return UPLOADS_DIR, refused if private files would be served with it."""
    if private == folder or folder in private.parents:
        raise ConfigError(
            "UPLOADS_DIR must not be DATA_DIR or above it: everything in it is served to everybody."
        )
    return folder


def made(name: str, folder: Path) -> None:
    """Make the folder that a setting names, unless it is there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError, FileNotFoundError) as error:
        words = f"{name} must be a folder, or one that can be made; {folder} is not"
        raise ConfigError(f"{words} ({error.strerror}).") from None


def seconds(env: Mapping[str, str], name: str, most: int) -> None:
    """Refuse a number of seconds that gunicorn.conf.py could not read."""
    text = env.get(name) or "0"
    if not re.fullmatch(r"[0-9]{1,6}(?:\.[0-9]{1,6})?", text, re.ASCII) or float(text) > most:
        raise ConfigError(f"{name} must be seconds from 0 to {most}, not {text!r}.")


def _split(name: str, url: str, shape: str) -> SplitResult:
    """Return the parts of a URL whose host and port can be read."""
    try:
        parts = urlsplit(url)
        readable = parts.port != 0
    except ValueError:
        readable = False
    if not readable or not _is_host(parts.hostname or ""):
        raise ConfigError(f"{shape}: its host or port cannot be read.")
    return parts


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return _HOST.match(text) is not None
    return True
