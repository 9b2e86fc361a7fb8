"""Responses as gunicorn sends them, with less work for the common one: a body in one piece."""

import time
from email.utils import formatdate
from functools import lru_cache

from gunicorn.http import wsgi

#: Bytes of a body that are sent with the head, in one packet where they fit.
JOINED = 64 * 1024
#: Names of headers that gunicorn has checked, and sends as they are; the application has few.
_checked: set[str] = set()
_MOST = 100


class Response(wsgi.Response):  # type: ignore[misc]
    """A response; what is uncommon is left to gunicorn."""

    headers_sent: bool

    def process_headers(self, headers: list[tuple[str, str]]) -> None:
        """Check headers, the names only the first time."""
        for name, value in headers:
            if name in _checked and wsgi.HEADER_VALUE_RE.fullmatch(value):
                self.headers.append((name, value.strip(" \t")))
                continue
            before = len(self.headers)
            super().process_headers([(name, value)])
            kept = len(self.headers) > before and name.lower() not in ("content-length", "upgrade")
            if kept and len(_checked) < _MOST:
                _checked.add(name)

    def write(self, arg: bytes) -> None:
        """Send a piece of the body; if it is the whole one, together with the head."""
        whole = isinstance(arg, bytes) and len(arg) == self.response_length
        if self.headers_sent or self._omits_body or self.upgrade or not whole or len(arg) > JOINED:
            super().write(arg)
            return
        head = self._head()
        self.headers_sent = True
        self.sent = len(arg)
        self.sock.sendall(head + arg)

    def _head(self) -> bytes:
        major, minor = self.req.version
        lines = [
            f"HTTP/{major}.{minor} {self.status}",
            f"Server: {self.version}",
            f"Date: {_date(int(time.time()))}",
            f"Connection: {'close' if self.should_close() else 'keep-alive'}",
            *[f"{name}: {value}" for name, value in self.headers],
            "\r\n",
        ]
        return "\r\n".join(lines).encode("latin-1")


@lru_cache(2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
