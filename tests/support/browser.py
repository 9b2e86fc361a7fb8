"""A real browser, and a server for it to visit. What needs one skips where no Chromium is
installed.
"""

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
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
    "--enable-logging=stderr",
    "--virtual-time-budget=30000",
    "--dump-dom",
)


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


def visit(url: str, folder: Path) -> tuple[str, str]:
    """The page as it stands when its scripts have come to rest, and what the browser had to say
    of it.
    """
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium is installed here")
    command = [program, *FLAGS, f"--user-data-dir={folder / 'browser'}", url]
    env = {**os.environ, "HOME": str(folder)}
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, errors="replace", timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr
