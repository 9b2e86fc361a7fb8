"""The application's side: hosts with HAProxy, PgBouncer and gunicorn each, that share only
PostgreSQL; and a worker.
"""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request

from marketplace.config.settings import ROOT
from marketplace.postgres import migrations
from system.ha import programs, shipped
from system.ha.nodes import Cluster, until

DATABASE = "marketplace"
LOGINS = ("marketplace", "marketplace_api", "marketplace_jobs")
#: The application's environment on every host: what belongs to the shop.
SECRETS = {"SECRET_KEY": secrets.token_urlsafe(40), "PASSWORD": secrets.token_urlsafe(20)}


class Host:
    """An application machine; `settings` are further variables of its environment."""

    def __init__(self, name: str, cluster: Cluster, settings: dict[str, str]) -> None:
        self.name = name
        self.cluster = cluster
        self.folder = cluster.own(cluster.folder / name)
        self.primary, self.replicas, self.pooler, self.port = programs.ports(4)
        self.settings = settings
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        nodes = {node.name: node.at for node in cluster.nodes}
        self._haproxy = cluster.write(
            self.folder / "haproxy.cfg", shipped.haproxy(nodes, self.primary, self.replicas)
        )
        text = shipped.pgbouncer(self.folder, self.pooler, self.primary)
        self._pgbouncer = cluster.write(self.folder / "pgbouncer.ini", text)

    def url(self, login: str, port: int) -> str:
        """The connection string of a login, at one of this host's ports."""
        return f"postgresql://{login}:{SECRETS['PASSWORD']}@127.0.0.1:{port}/{DATABASE}"

    def start(self, *names: str) -> None:
        """Start these parts, or all that do not run."""
        for name in names or ("haproxy", "pgbouncer", "api"):
            if name not in self._running or self._running[name].poll() is not None:
                self._running[name] = getattr(self, f"_start_{name}")()

    def ready(self) -> bool:
        """Whether the API is."""
        url = f"http://127.0.0.1:{self.port}/readyz"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
        return False

    def kill(self, name: str) -> None:
        """SIGKILL for a part and its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._running[name].pid, signal.SIGKILL)
        self._running[name].wait()

    def pid(self, name: str) -> int:
        """The process of a part."""
        return self._running[name].pid

    def stop(self) -> None:
        """Take it down."""
        for name in reversed(list(self._running)):
            self._running[name].send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._running[name].wait(10)
            self.kill(name)

    def let_in(self, lines: str) -> None:
        """Tell PgBouncer its logins."""
        self.cluster.write(self.folder / "userlist.txt", lines)

    def _start_haproxy(self) -> "subprocess.Popen[bytes]":
        command = [programs.find("haproxy") or "haproxy", "-db", "-f", str(self._haproxy)]
        return programs.start(command, self.folder / "haproxy.log", self.cluster.account)

    def _start_pgbouncer(self) -> "subprocess.Popen[bytes]":
        command = [programs.find("pgbouncer") or "pgbouncer", "-q", str(self._pgbouncer)]
        return programs.start(command, self.folder / "pgbouncer-start.log", self.cluster.account)

    def _start_api(self) -> "subprocess.Popen[bytes]":
        return self._ours(
            "api", "gunicorn", "-c", "gunicorn.conf.py", "marketplace.app:create_app()"
        )

    def _start_worker(self) -> "subprocess.Popen[bytes]":
        return self._ours("worker", "marketplace", "worker")

    def _ours(self, log: str, *words: str) -> "subprocess.Popen[bytes]":
        env = {
            **{name: value for name, value in os.environ.items() if "DATABASE" not in name},
            "DATABASE_URL": self.url("marketplace_api", self.pooler),
            "DATABASE_POOLER": "transaction",
            "DATABASE_REPLICA_URL": self.url("marketplace_api", self.replicas),
            "WORKER_DATABASE_URL": self.url("marketplace_jobs", self.primary),
            "SECRET_KEY": SECRETS["SECRET_KEY"],
            "DATA_DIR": str(self.folder / "data"),
            "UPLOADS_DIR": str(self.folder / "uploads"),
            "GUNICORN_BIND": f"127.0.0.1:{self.port}",
            "WEB_CONCURRENCY": "1",
            "POOL_SIZE": "6",
            "BCRYPT_COST": "8",
            "RATE_LIMITS": "off",
            **self.settings,
        }
        with (self.folder / f"{log}.log").open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=ROOT,
                env=env,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )


def open_shop(cluster: Cluster, hosts: list[Host]) -> None:
    """Make database, roles and logins as docs/operations.md says, migrate, and start the hosts
    and a worker.
    """
    with cluster.primary.connect() as conn:
        for login in LOGINS:
            conn.execute(f"CREATE ROLE {login} LOGIN PASSWORD '{SECRETS['PASSWORD']}'")
        conn.execute("ALTER ROLE marketplace CREATEROLE")
        conn.execute(f"CREATE DATABASE {DATABASE} OWNER marketplace")
    for host in hosts:
        host.start("haproxy")
    owner = hosts[0].url("marketplace", hosts[0].primary)
    time.sleep(2)  # HAProxy's first look
    migrations.migrate(owner, lambda line: None)
    with cluster.primary.connect(DATABASE) as conn:
        conn.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        conn.execute("GRANT marketplace_app TO marketplace_api")
        conn.execute("GRANT marketplace_worker TO marketplace_jobs")
        for line in settings():
            conn.execute(line)
        found = conn.execute(
            "SELECT rolpassword FROM pg_authid WHERE rolname = 'marketplace_api'"
        ).fetchone()
    for host in hosts:
        host.let_in(f'"marketplace_api" "{found[0] if found else ""}"\n')
        host.start()
    hosts[0].start("worker")
    for host in hosts:
        until(f"{host.name}", host.ready, 60, cluster.logs)


def settings() -> list[str]:
    """The statements of sql/admin/settings.sql, without psql's variables."""
    text = (ROOT / "sql" / "admin" / "settings.sql").read_text(encoding="utf-8")
    text = text.replace(':"api"', "marketplace_api").replace(':"jobs"', "marketplace_jobs")
    return [line for line in text.splitlines() if line.startswith("ALTER ROLE")]
