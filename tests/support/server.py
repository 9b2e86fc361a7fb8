"""A real gunicorn, and its log."""

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from conftest import make_config

from support.documented import documented

KEY = "k" * 16 + secrets.token_hex(16)


class Server:
    """gunicorn on a port of its own, and its log."""

    def __init__(
        self, url: str, folder: Path, config: str = "gunicorn.conf.py", **settings: str
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = folder / "log"
        self.documented = documented(make_config(url, folder))
        env = {
            **os.environ,
            "DATABASE_URL": url,
            "DATA_DIR": str(folder / "data"),
            "SECRET_KEY": KEY,
            "BCRYPT_COST": "4",
            "UPLOADS_DIR": str(folder / "uploads"),
            "PORT": str(self.port),
            "WEB_CONCURRENCY": "2",
            **settings,
        }
        env.pop("MIGRATE_DATABASE_URL", None)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", config, "marketplace.app:create_app()"],
                cwd=Path(config).absolute().parent,
                env=env,
                stdout=log,
                stderr=log,
            )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if self.call("GET", "/readyz")[0] == 200:
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def call(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict]:
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        conn.request(
            method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = conn.getresponse()
        text = answer.read()
        conn.close()
        self.documented.check(method, path, answer.status, answer.headers, text)
        return answer.status, json.loads(text) if text[:1] == b"{" else {}

    def version(self) -> str:
        """The version of whoever answers."""
        return str(self.call("GET", "/api/openapi.json")[1]["info"]["version"])

    def workers(self) -> list[int]:
        """Process ids."""
        master = self.process.pid
        return [
            int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()
        ]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)
