"""A whole system to be attacked or measured: gunicorn on a Unix socket, a worker, nginx before
it.
"""

import contextlib
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from marketplace.config.settings import ROOT
from marketplace.postgres import migrations
from marketplace.postgres.embedded import server as embedded_server

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
SHIPPED = ROOT / "deploy" / "nginx"
#: Of the shipped site, what is another server's: TLS and names are nginx's own affair.
_HEAD = """{user}
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log warn;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/nginx/http.conf;
    server {{
        listen 127.0.0.1:{port};
        server_name 127.0.0.1 localhost;
        include {folder}/nginx/site.conf;
    }}
}}
"""


class Site(NamedTuple):
    """Where it runs. `url` is the owner's database, `base` nginx's address (gunicorn's where
    there is no nginx).
    """

    folder: Path
    url: str
    base: str
    direct: Path


def nginx_folder(folder: Path, port: int, *, wide: bool) -> Path:
    """The shipped configuration with the paths of this folder; `wide` lifts limits by address."""
    made = folder / "nginx"
    shutil.copytree(SHIPPED, made)
    whole = (made / "marketplace.conf").read_text()
    http = whole[: whole.index("# A request for a host that is not ours")]
    for name, text in (("http", http), ("site", None), ("proxy", None), ("headers", None)):
        text = text or (made / f"{name}.conf").read_text()
        for shipped, here in {
            "/run/marketplace/api.sock": f"{folder}/api.sock",
            "/etc/nginx/marketplace": str(made),
            "/srv/marketplace/uploads": f"{folder}/uploads",
            "/var/cache/nginx/marketplace": f"{folder}/cache",
            "/var/log/nginx": str(folder),
            "flush=1s": "flush=50ms",
        }.items():
            text = text.replace(shipped, here)
        if wide:
            text = re.sub(r"rate=\d+r/s", "rate=100000r/s", text)
            text = re.sub(r"limit_conn (\w+) \d+", r"limit_conn \1 10000", text)
        (made / f"{name}.conf").write_text(text)
    main = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""  # its own user may not enter a folder of ours
    main.write_text(_HEAD.format(folder=folder, port=port, user=user))
    return main


def free_port() -> int:
    """A port of the loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def nginx(folder: Path) -> Iterator[str]:
    """nginx alone, before whatever listens at `folder`/api.sock: its address."""
    port = free_port()
    assert NGINX is not None
    command = [NGINX, "-c", str(nginx_folder(folder, port, wide=True)), "-p", str(folder)]
    with (folder / "nginx.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@contextmanager
def database(folder: Path) -> Iterator[str]:
    """A PostgreSQL of its own with a migrated database: the owner's URL."""
    folder.chmod(0o755)
    server = embedded_server.start(folder / "pg")
    try:
        with psycopg.connect(server.dsn("postgres", "postgres"), autocommit=True) as conn:
            conn.execute("CREATE ROLE marketplace LOGIN CREATEROLE CREATEDB")
            conn.execute("CREATE DATABASE shop OWNER marketplace")
        url = server.dsn("shop", "marketplace")
        migrations.migrate(url, lambda line: None)
        yield url
    finally:
        server.stop()


@contextmanager
def site(
    folder: Path, url: str, *, wide: bool = False, nginx: str | None = NGINX, **settings: str
) -> Iterator[Site]:
    """The system on a migrated database, gone at the end of the block. `settings` are variables
    of its environment.
    """
    port = free_port()
    direct = folder / "api.sock"
    env = {
        **{name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")},
        "DATABASE_URL": url,
        "DATA_DIR": str(folder / "data"),
        "UPLOADS_DIR": str(folder / "uploads"),
        "SECRET_KEY": secrets.token_urlsafe(40),
        "BCRYPT_COST": "8",
        "GUNICORN_BIND": f"unix:{direct}" if nginx else f"127.0.0.1:{port}",
        "TRUSTED_PROXIES": "unix",
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "IMAGE_MAX_MB": "5",
        "WEB_CONCURRENCY": "2",
        **settings,
    }
    commands = {
        "api": [
            sys.executable,
            "-m",
            "gunicorn",
            "-c",
            "gunicorn.conf.py",
            "marketplace.app:create_app()",
        ],
        "worker": [sys.executable, "-m", "marketplace", "worker"],
    }
    if nginx:
        commands["nginx"] = [
            nginx,
            "-c",
            str(nginx_folder(folder, port, wide=wide)),
            "-p",
            str(folder),
        ]
    processes = {}
    try:
        for name, command in commands.items():
            with (folder / f"{name}.log").open("ab") as log:
                processes[name] = subprocess.Popen(
                    command, cwd=ROOT, env=env, stdout=log, stderr=log
                )
        base = f"http://127.0.0.1:{port}"
        _wait(base, folder)
        (folder / "gunicorn.pid").write_text(str(processes["api"].pid))
        (folder / "secret").write_text(env["SECRET_KEY"])
        yield Site(folder, url, base, direct)
    finally:
        for process in processes.values():
            process.send_signal(signal.SIGTERM)
        for process in processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


def _wait(base: str, folder: Path) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError):
            if urllib.request.urlopen(f"{base}/readyz", timeout=2).status == 200:  # noqa: S310 - our own
                return
        time.sleep(0.1)
    logs = "\n".join(file.read_text()[-2000:] for file in folder.glob("*.log"))
    raise SystemExit(f"it does not come up:\n{logs}")


class Answer:
    """What came back."""

    def __init__(self, raw: http.client.HTTPResponse) -> None:
        self.status = raw.status
        self.headers = {
            name.lower(): str(raw.getheader(name)) for name, _ in raw.getheaders()
        }  # one of each
        self.body = raw.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(at: Site, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
    conn = http.client.HTTPConnection(at.base.removeprefix("http://"), timeout=20)
    conn.request(
        method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
    )
    answer = Answer(conn.getresponse())
    conn.close()
    return answer


def send(
    at: Site, method: str, path: str, document: Any, token: str = "", **headers: str
) -> Answer:
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return call(
        at, method, path, json.dumps(document).encode(), Content_Type="application/json", **headers
    )


def logged(at: Site, wanted: Callable[[Any], bool], least: int) -> list[Any]:
    """Lines of nginx's log, which comes a moment after the answer."""
    for _ in range(100):
        text = (at.folder / "marketplace.log").read_text()
        lines = [
            line
            for line in map(json.loads, text[: text.rfind("\n") + 1].splitlines())
            if wanted(line)
        ]
        if len(lines) >= least:
            return lines
        time.sleep(0.05)
    raise AssertionError("nothing of it is in the log")
