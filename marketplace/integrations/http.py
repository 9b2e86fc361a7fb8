"""The one way out by HTTP: to an address that was checked, with limits of time and size.

Every call to somebody else goes through `request`, except those of the S3 client. No redirect is
followed, nothing is tried again (a job does that, with the same key), no proxy of the environment
is used, and what comes back compressed stays so. The log has method, host, status and milliseconds;
never path, query, body or headers, where tokens and addresses are.
"""

import contextlib
import contextvars
import http.client
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from marketplace.integrations import addresses
from marketplace.integrations.addresses import Guard, Refused, Resolver, Target
from marketplace.telemetry import metrics

DEADLINE = 10.0
CONNECT = 3.0
READ = 5.0
LARGEST = 1024 * 1024
CHUNK = 16 * 1024
AGENT = "marketplace"
FAILED = (OSError, HTTPError, http.client.HTTPException)
#: Why nobody may be called here; None where it is allowed.
_closed: contextvars.ContextVar[str | None] = contextvars.ContextVar("closed", default=None)
log = logging.getLogger("marketplace.http")
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)  # its warnings have whole URLs


class Silent(Exception):
    """Nobody knows whether it was done: no response in time, a broken one, a 5xx or 429.

    `sent` is False where nothing of the request has left: it was certainly not done.
    """

    def __init__(self, words: str, *, sent: bool, status: int | None = None) -> None:
        super().__init__(words)
        self.sent = sent
        self.status = status


class TooLarge(Exception):
    """The response is larger than anybody would send."""


class Response(NamedTuple):
    """A response below 500 and not 429; names of headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@contextlib.contextmanager
def closed(why: str) -> Iterator[None]:
    """Let nobody be called in this block, nor in threads that it waits for."""
    before = _closed.set(why)
    try:
        yield
    finally:
        _closed.reset(before)


def request(
    method: str,
    url: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    *,
    guard: Guard,
    provider: str,
    call: str,
    deadline: float = DEADLINE,
    context: ssl.SSLContext | None = None,
    resolver: Resolver = addresses.system_resolver,
) -> Response:
    """Call a URL and return the response, a 4xx too. Raises Silent, TooLarge, Refused.

    `provider` and `call` name the call in metrics and log, and are few. `context` is for TLS that
    differs from the system's.
    """
    if (why := _closed.get()) is not None:
        raise RuntimeError(why)
    started, outcome, status = time.monotonic(), "silent", 0
    target: Target | None = None
    try:
        target = addresses.parsed(url)
        guard.check(target)
        response = _exchange(
            method, target, dict(headers or {}), body, guard, started + deadline, context, resolver
        )
        status, outcome = response.status, "ok" if response.status < 400 else "refused"
        return response
    except Silent as error:
        status = error.status or 0
        raise
    except (TooLarge, Refused) as error:
        outcome = "too_large" if isinstance(error, TooLarge) else "guarded"
        raise
    finally:
        seconds = time.monotonic() - started
        metrics.PROVIDER_SECONDS.labels(provider, call, outcome).observe(seconds)
        _tell(provider, call, method, target, status, outcome, seconds)


def _tell(
    provider: str,
    call: str,
    method: str,
    target: Target | None,
    status: int,
    outcome: str,
    seconds: float,
) -> None:
    extra = {
        "provider": provider,
        "call": call,
        "method": method,
        "host": target.host if target else None,
        "status": status or None,
        "outcome": outcome,
        "ms": round(seconds * 1000, 1),
    }
    log.info("called %s", provider, extra=extra)  # whether it is bad, only the caller knows


def _exchange(
    method: str,
    target: Target,
    headers: dict[str, str],
    body: bytes | None,
    guard: Guard,
    end: float,
    context: ssl.SSLContext | None,
    resolver: Resolver,
) -> Response:
    sent = False
    try:
        found = addresses.resolved(resolver, target.host, target.port, _left(end))
        guard.check_addresses(found)
        conn = _connected(target, found, end, context)
        with contextlib.closing(conn), _ended_at(end, conn.sock):
            sent = True
            conn.timeout = min(READ, _left(end))
            words = {"User-Agent": AGENT, **headers, "Host": target.host_header}
            conn.request(method, target.target, body, words, preload_content=False)
            response = _read(conn.getresponse(), end)
    except FAILED as error:
        raise Silent(f"{type(error).__name__}", sent=sent) from error
    if response.status >= 500 or response.status == 429:
        raise Silent(f"status {response.status}", sent=True, status=response.status)
    return response


def _connected(
    target: Target, found: list[str], end: float, context: ssl.SSLContext | None
) -> HTTPConnection:
    """Return a connection to the first of the checked addresses that takes one."""
    failure: OSError | HTTPError | None = None
    for address in found:
        conn = _connection(target, address, min(CONNECT, _left(end)), context)
        try:
            conn.connect()
            return conn
        except (OSError, HTTPError) as error:
            conn.close()
            failure = error
    raise failure or TimeoutError


def _connection(
    target: Target, address: str, seconds: float, context: ssl.SSLContext | None
) -> HTTPConnection:
    """Return a connection to be opened: to the address, with the name in the certificate."""
    if target.scheme == "http":
        return HTTPConnection(address, target.port, timeout=seconds)
    return HTTPSConnection(
        address,
        target.port,
        timeout=seconds,
        ssl_context=context or ssl.create_default_context(),
        server_hostname=target.host,
    )


def _read(response: BaseHTTPResponse, end: float) -> Response:
    """Return the response with its body, as it came. Raises TooLarge."""
    if (response.length_remaining or 0) > LARGEST:
        raise TooLarge
    body = bytearray()
    while chunk := response.read(CHUNK, decode_content=False):
        body += chunk
        if len(body) > LARGEST:
            raise TooLarge
        _left(end)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Response(response.status, headers, bytes(body))


def _left(end: float) -> float:
    """Return the seconds that are left. Raises TimeoutError if there are none."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left


@contextlib.contextmanager
def _ended_at(end: float, sock: socket.socket) -> Iterator[None]:
    """Shut the socket down at the deadline: a server that sends a byte now and then reaches no
    limit of a single read.
    """
    late = threading.Event()

    def shut() -> None:
        late.set()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # below TLS: it must not wait

    timer = threading.Timer(_left(end), shut)
    timer.daemon = True
    timer.start()
    try:
        yield
        if late.is_set():
            raise TimeoutError("the deadline has passed")
    finally:
        timer.cancel()
