"""A new release with a migration, taken while everybody goes on: old and new code side by side,
and no request lost.
"""

import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import PASSWORD, Api, created, make_config, multipart
from support.behind_nginx import NGINX, nginx
from support.calls import make_every_call_as_every_role
from support.images import picture

from marketplace.config.settings import ROOT
from marketplace.postgres import migrations
from marketplace.postgres.database import Database

#: An additive migration as one would be released: a column, then its index in a file of its own.
COLUMN = (
    "ALTER TABLE products ADD COLUMN shelf text;\nCOMMENT ON COLUMN products.shelf IS "
    "'Where it lies.';\n"
)
INDEX = (
    "-- no transaction\nCREATE INDEX CONCURRENTLY products_shelf_idx ON products (shelf) "
    "WHERE shelf IS NOT NULL;\n"
)
OLD, NEW = "0.0.1", "0.0.2"


def release(folder: Path, version: str) -> Path:
    """A copy of the code under a version of its own."""
    made = folder / "releases" / version
    for name in ("marketplace", "sql"):
        shutil.copytree(ROOT / name, made / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "gunicorn.conf.py", made)
    file = made / "marketplace" / "openapi" / "document.py"  # a module that only workers load
    text = file.read_text()
    assert "texts.info(__version__," in text
    file.write_text(text.replace("texts.info(__version__,", f'texts.info("{version}",'))
    return made


def improve(made: Path) -> None:
    """What is new in a release: two migrations, and a statement that needs them."""
    (made / "sql" / "migrations" / "V9001__shelves.sql").write_text(COLUMN)
    (made / "sql" / "migrations" / "V9002__shelves_idx.sql").write_text(INDEX)
    file = made / "sql" / "queries" / "products.sql"
    text = file.read_text()
    assert "    p.name, p.store_id, p.version\n" in text
    file.write_text(
        text.replace(
            "    p.name, p.store_id, p.version\n",
            "    coalesce(p.shelf, p.name) AS name, p.store_id, p.version\n",
        )
    )


def lead(link: Path, made: Path) -> None:
    """Have the link lead to a release, in one step."""
    fresh = link.with_name("fresh")
    fresh.symlink_to(made)
    fresh.rename(link)


class Client:
    """One connection to nginx that is kept open, as an app does; what goes wrong is written
    down.
    """

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._conn: http.client.HTTPConnection | None = None

    def call(
        self, kind: str, method: str, path: str, body: Any = None, **headers: str
    ) -> dict[str, Any]:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        signed_in = {"Authorization": f"Bearer {self._load.token}"} if self._load.token else {}
        headers = {"Content_Type": "application/json", **signed_in, **headers}
        status, text = 0, b""
        try:
            self._conn = self._conn or http.client.HTTPConnection(
                "127.0.0.1", self._load.port, timeout=20
            )
            self._conn.request(
                method, path, data, {name.replace("_", "-"): it for name, it in headers.items()}
            )
            answer = self._conn.getresponse()
            status, text = answer.status, answer.read()
            if answer.will_close:
                self._conn = None
        except (OSError, http.client.HTTPException) as error:
            text, self._conn = repr(error).encode(), None
        self._load.note(kind, status, text)
        return json.loads(text) if status < 300 and text else {}


class Load:
    """Threads that read, write, upload and sign in until the end; what was answered, by kind,
    phase and version.
    """

    def __init__(self, port: int, phase: str) -> None:
        self.port = port
        self.phase = phase
        self.token = ""
        self.answered: Counter[tuple[str, str]] = Counter()
        self.versions: dict[str, set[str]] = {}
        self.failed: list[str] = []
        self._ended = threading.Event()
        self.email = f"user.{secrets.token_hex(4)}@example.com"
        me = {"name": "Budi", "email": self.email, "password": PASSWORD, "role": "seller"}
        self.token = Client(self).call("register", "POST", "/api/auth/register", me)["access_token"]
        Client(self).call("open", "POST", "/api/stores", {"name": f"Toko {secrets.token_hex(4)}"})
        self._threads = [
            threading.Thread(target=self._repeat, args=(work,))
            for work in (self._browse, self._sell, self._sell, self._sign_in, self._look)
        ]

    def note(self, kind: str, status: int, text: bytes) -> None:
        if 200 <= status < 300:
            self.answered[self.phase, kind] += 1
        else:
            self.failed.append(f"{self.phase}: {kind}: {status} {text[:200]!r}")

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def for_a_while(self, phase: str, *, until: Callable[[], bool] = lambda: True) -> None:
        """Go on until each kind of request was answered in this phase, and `until`."""
        self.phase = phase
        deadline = time.monotonic() + 90  # a busy machine answers all kinds late
        kinds = {"list", "read", "create", "change", "upload", "sign in", "changes", "version"}
        while not (until() and kinds <= {kind for of, kind in self.answered if of == phase}):
            assert time.monotonic() < deadline, (phase, self.failed[:3], self.answered)
            assert not self.failed, self.failed[:3]
            time.sleep(0.05)

    def _repeat(self, work: Callable[[Client], None]) -> None:
        client = Client(self)
        while not self._ended.is_set():
            try:
                work(client)
            except Exception as error:
                self.failed.append(f"{self.phase}: {work.__name__}: {error!r}")
            time.sleep(0.05)

    def _browse(self, client: Client) -> None:
        listed = client.call("list", "GET", f"/api/products?max_price={secrets.randbelow(10**6)}")
        for product in listed["products"][:2]:
            client.call("read", "GET", f"/api/products/{product['id']}")
        client.call("changes", "GET", "/api/changes")

    def _sell(self, client: Client) -> None:
        body = {"name": f"Kopi {secrets.token_hex(4)}", "price": "1000.00", "stock": 3}
        path = f"/api/products/{client.call('create', 'POST', '/api/products', body)['id']}"
        assert client.call("change", "PATCH", path, {"price": "1200.00"})["price"] == "1200.00"
        client.call("read", "GET", path)
        data, kind = multipart([("images", "a.png", picture())], {})
        client.call("upload", "POST", f"{path}/images", data, Content_Type=kind)
        client.call("mine", "GET", "/api/users/activities")

    def _sign_in(self, client: Client) -> None:
        client.call(
            "sign in", "POST", "/api/auth/login", {"email": self.email, "password": PASSWORD}
        )

    def _look(self, client: Client) -> None:
        phase = self.phase
        version = client.call("version", "GET", "/api/openapi.json")["info"]["version"]
        self.versions.setdefault(phase, set()).add(version)


class Service:
    """gunicorn as the units run it: started through the link, on a socket that somebody else
    holds open.
    """

    def __init__(self, link: Path, url: str, folder: Path) -> None:
        self._link = link
        self._folder = folder
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(folder / "api.sock"))
        self._socket.listen(2048)
        self._env = {
            **os.environ, "DATABASE_URL": url, "DATA_DIR": str(folder / "data"), "UPLOADS_DIR": str(folder / "uploads"),
            "SECRET_KEY": secrets.token_urlsafe(40), "BCRYPT_COST": "4", "WEB_CONCURRENCY": "2", "RATE_LIMITS": "off",
            "TRUSTED_PROXIES": "unix", "PWD": str(link), "LISTEN_FDS": "1",
        }  # fmt: skip
        self.master = self._started()

    def _started(self) -> "subprocess.Popen[bytes]":
        """systemd hands sockets on as number 3, to the process that LISTEN_PID names."""
        given = self._socket.fileno()
        hand_on = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = "
            "str(os.getpid());"
            " os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
        )
        gunicorn = [
            "-m",
            "gunicorn",
            "-c",
            f"{self._link}/gunicorn.conf.py",
            "marketplace.app:create_app()",
        ]
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-c", hand_on, str(given), *gunicorn],
                cwd=self._link, env=self._env, stdout=log, stderr=log, pass_fds=[given],
            )  # fmt: skip

    def workers(self) -> set[int]:
        pid = self.master.pid
        return {
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        }

    def stop(self) -> None:
        self.master.send_signal(signal.SIGTERM)
        self.master.wait(30)

    def restart(self) -> None:
        """As `systemctl restart`: connections wait in the socket."""
        self.stop()
        self.master = self._started()


@contextmanager
def serving(link: Path, url: str, folder: Path) -> Iterator[tuple[int, Service]]:
    """The service, and nginx before it: nginx's port."""
    service = Service(link, url, folder)
    try:
        with nginx(folder) as address:
            port = int(address.rpartition(":")[2])
            for _ in range(300):
                conn = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                conn.request("GET", "/readyz")
                if conn.getresponse().status == 200:
                    break
                time.sleep(0.1)
            yield port, service
    finally:
        service.stop()


def migrate_beside_a_long_report(made: Path, url: str, folder: Path) -> list[str]:
    """`migrate` of a release while somebody reads the table it changes, until it has tried once:
    what it says.
    """
    env = {**os.environ, "DATABASE_URL": url, "DATA_DIR": str(folder / "data")}
    with psycopg.connect(url) as report:
        report.execute("SELECT count(*) FROM products")
        process = subprocess.Popen(
            [sys.executable, "-m", "marketplace", "migrate"],
            cwd=made,
            env=env,
            text=True,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        said = [process.stdout.readline()]
        report.rollback()
    said += process.stdout.readlines()
    assert process.wait(60) == 0, said
    return [line.rstrip("\n") for line in said]


@pytest.mark.long
@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
def test_a_release_with_a_migration_loses_no_request(owner_url: str, template: str, tmp_path: Path):
    old, new = release(tmp_path, OLD), release(tmp_path, NEW)
    improve(new)
    link = tmp_path / "current"
    lead(link, old)
    with (
        created(owner_url, f"{template}_rolling", template) as url,
        serving(link, url, tmp_path) as (port, service),
    ):
        with Load(port, "old code") as load:
            load.for_a_while("old code")
            load.phase = "migrating"
            said = migrate_beside_a_long_report(new, url, tmp_path)
            load.for_a_while("old code, new tables")
            lead(link, new)
            workers = (
                service.workers()
            )  # replaced before the reload, they are of the old release too
            for worker in workers:
                os.kill(worker, signal.SIGTERM)
            load.for_a_while("link moved", until=lambda: workers.isdisjoint(service.workers()))
            load.for_a_while("link moved, workers replaced")
            workers = service.workers()
            load.phase = "both"
            service.master.send_signal(signal.SIGHUP)
            load.for_a_while("both", until=lambda: workers.isdisjoint(service.workers()))
            load.for_a_while("new code")
            service.restart()
            load.for_a_while("restarted")
        log = (tmp_path / "log").read_text()
        assert load.failed == [], log[-3000:]
        assert "V9001__shelves.sql: a table it needs is in use; trying again (1 of 20)." in said
        assert [line.split()[0] for line in said[-3:]] == [
            "V9001__shelves.sql",
            "V9002__shelves_idx.sql",
            "2",
        ]
        for phase in (
            "old code",
            "old code, new tables",
            "link moved",
            "link moved, workers replaced",
        ):
            assert load.versions[phase] == {OLD}
        assert load.versions["both"] == {OLD, NEW}
        assert load.versions["new code"] == load.versions["restarted"] == {NEW}
        with psycopg.connect(url) as conn:
            valid = conn.execute(
                "SELECT indisvalid FROM pg_index WHERE indexrelid = 'products_shelf_idx'::regclass"
            )
            assert valid.fetchone() == (True,)
        assert "Traceback" not in log, log[-3000:]


def test_old_code_makes_every_call_on_tables_that_have_more_columns(
    owner_url: str, template: str, tmp_path: Path
):
    with created(owner_url, f"{template}_wider", template) as url:
        config = make_config(url, tmp_path, pool_size=4)
        db = Database(config)
        api = Api(config, db, url)
        seller = api.seller()
        product = api.product(seller)  # statements are prepared before the tables change
        with psycopg.connect(url) as conn:
            tables = conn.execute(
                "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p') AND NOT "
                "relispartition"
                " AND relnamespace IN ('public'::regnamespace, 'auth'::regnamespace)"
            ).fetchall()
            for (table,) in tables:
                conn.execute(f"ALTER TABLE {table} ADD COLUMN later text")
        assert len(tables) > 25
        assert migrations.migrate(url, lambda line: None) == 0
        assert api.get("/readyz").status_code == 200
        make_every_call_as_every_role(api)
        path = f"/api/products/{product['id']}"
        assert (
            api.patch(path, seller, json={"price": "9000.00", "stock": 1}).json["price"]
            == "9000.00"
        )
        assert api.put(path, seller, json={"name": "Teh", "price": "1.00"}).status_code == 200
        answer = api.upload(f"{path}/images", seller, [("images", "a.png", picture())])
        assert answer.status_code == 201
        assert api.get("/api/products", params={"search": "teh"}).json["products"][0]["images"]
        assert api.get("/api/audit", seller).json["audit"][0]["type"] == "product_image"
        csv = b"name,price\nKopi,1000\nKopi Luwak,2000\n"
        assert (
            api.upload("/api/products/import-csv", seller, [("file", "a.csv", csv)]).status_code
            == 202
        )
        assert api.get("/api/products/export", seller).status_code == 200
        assert api.delete(path, seller).status_code == 204
        db.close()
