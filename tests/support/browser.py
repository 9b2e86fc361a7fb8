"""A real browser, and a server for it to visit. What needs one skips where no Chromium is
installed.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any, BinaryIO
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)
#: A browser gets its commands on 3 and writes on 4.
START = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""
SAID = ("Runtime.consoleAPICalled", "Log.entryAdded")


class _Server(ThreadingMixIn, WSGIServer):
    """A browser opens connections that it may never use: one must not wait for another."""

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(app: Callable[..., Any]) -> Iterator[str]:
    """The address of an application that is served for the length of the block."""
    with make_server("127.0.0.1", 0, app, _Server, _Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class Page:
    """A page at this moment, through the pipe by which a browser is driven (its DevTools)."""

    def __init__(self, read: BinaryIO, write: BinaryIO) -> None:
        self._read, self._write, self._number = read, write, 0
        self._session: str | None = None
        self._loaded = False
        #: What the console shows as errors, and what nobody caught.
        self.errors: list[Any] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def show(self, url: str, width: int, height: int) -> None:
        """Open an address in a window of this size, in CSS pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        self._loaded = False
        self._call("Page.navigate", url=url)
        while not self._loaded:
            self._take(self._next())

    def run(self, script: str) -> Any:
        """Run the body of an async function in the page; what it returns."""
        expression = f"(async () => {{ {script} }})()"
        came = self._call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in came, came["exceptionDetails"]
        return came["result"].get("value")

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._write.write(json.dumps(message).encode() + b"\0")
        while True:
            came = self._next()
            if came.get("id") == self._number:
                assert "error" not in came, came
                return dict(came["result"])
            self._take(came)

    def _take(self, event: dict[str, Any]) -> None:
        method, said = event.get("method"), event.get("params", {})
        level = said.get("type") or said.get("entry", {}).get("level")
        if method == "Runtime.exceptionThrown" or (method in SAID and level in ("error", "assert")):
            self.errors.append(said)
        self._loaded = self._loaded or event.get("method") == "Page.loadEventFired"

    def _next(self) -> dict[str, Any]:
        text = bytearray()
        while (byte := self._read.read(1)) != b"\0":
            assert byte, "the browser has ended"
            text += byte
        return dict(json.loads(text))


@contextmanager
def opened(folder: Path) -> Iterator[Page]:
    """A browser for the length of the block, and a page in it."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium is installed here")
    ends = [*os.pipe(), *os.pipe()]
    reads, writes = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (ends[0], ends[3]))
    command = [program, *FLAGS, f"--user-data-dir={folder / 'browser'}", "about:blank"]
    process = subprocess.Popen(
        [sys.executable, "-c", START, str(reads), str(writes), *command],
        env={**os.environ, "HOME": str(folder)},
        pass_fds=(reads, writes),
        stderr=subprocess.DEVNULL,
    )
    for end in (ends[0], ends[3], reads, writes):
        os.close(end)
    try:
        with os.fdopen(ends[2], "rb") as read, os.fdopen(ends[1], "wb", buffering=0) as write:
            yield Page(read, write)
    finally:
        process.terminate()
        process.wait(20)
