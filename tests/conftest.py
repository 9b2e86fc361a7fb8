"""A real PostgreSQL for every test, and clients by role.

Without DATABASE_URL the embedded server runs from .data/test (that of the whole suite from a folder
in memory), without fsync. Each run makes one template database by the migrations; a test works in a
transaction that is rolled back (`api`), or, where commits matter, in a database cloned for it
(`committed`).
"""

import itertools
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import falcon.testing
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row
from support import documented

from marketplace.app import create_app
from marketplace.config import settings
from marketplace.config.settings import ROOT, Config
from marketplace.postgres import migrations
from marketplace.postgres.database import Database
from marketplace.postgres.databases import drop
from marketplace.postgres.embedded import server as embedded_server

pytest_plugins = ["support.import_shop", "support.backups"]
SHARED = ROOT.parent / "shared"
PASSWORD = "kopi-susu-tanpa-gula-7"
_numbers = itertools.count(1)


class RollbackDatabase(Database):
    """All doors lead to one connection, inside one transaction that is never committed; requests
    are savepoints.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.conn = psycopg.connect(
            config.database_url, autocommit=True, row_factory=dict_row, prepare_threshold=0
        )
        self._configure(self.conn)
        self.conn.execute("BEGIN")

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        yield self.conn

    @contextmanager
    def primary(self) -> Iterator[Any]:
        with self.signing_in() as conn:
            yield conn

    @contextmanager
    def read(self, seen: int) -> Iterator[Any]:
        with self.primary() as conn:
            yield conn

    def _begin(self, conn: Any) -> None:
        conn.execute("SAVEPOINT request", prepare=False)

    def _commit(self, conn: Any) -> None:
        conn.execute("SELECT set_config('app.session', '', true)")
        conn.execute("RELEASE SAVEPOINT request", prepare=False)

    def _rollback(self, conn: Any) -> None:
        conn.execute("ROLLBACK TO SAVEPOINT request", prepare=False)

    def close(self) -> None:
        self.conn.close()


class User:
    """An account of a test: its id, address and tokens."""

    def __init__(self, answer: dict[str, Any], email: str) -> None:
        self.id: int = answer["user"]["id"]
        self.email = email
        self.token: str = answer["access_token"]
        self.refresh_token: str = answer["refresh_token"]
        self.store_id: int | None = None


class Api:
    """The API as a client sees it: `api.get(path, user)`, `api.post(path, user, json=...)`;
    accounts on demand.
    """

    def __init__(self, config: Config, db: Database, owner_url: str) -> None:
        self.config = config
        self.db = db
        self.owner_url = owner_url
        self.app = create_app(config, db)
        self.client = falcon.testing.TestClient(self.app)

    def request(
        self, method: str, path: str, user: User | None = None, **options: Any
    ) -> falcon.testing.Result:
        headers = dict(options.pop("headers", {}))
        if user is not None:
            headers["Authorization"] = f"Bearer {user.token}"
        answer = self.client.simulate_request(method, path, headers=headers, **options)
        document = documented.documented(self.config)
        document.check(method, path, answer.status_code, answer.headers, answer.content)
        if options.get("json") is not None and answer.status_code < 300:
            document.check_request(method, path, options["json"])
        return answer

    def get(self, path: str, user: User | None = None, **options: Any) -> falcon.testing.Result:
        return self.request("GET", path, user, **options)

    def post(self, path: str, user: User | None = None, **options: Any) -> falcon.testing.Result:
        return self.request("POST", path, user, **options)

    def put(self, path: str, user: User | None = None, **options: Any) -> falcon.testing.Result:
        return self.request("PUT", path, user, **options)

    def patch(self, path: str, user: User | None = None, **options: Any) -> falcon.testing.Result:
        return self.request("PATCH", path, user, **options)

    def delete(self, path: str, user: User | None = None, **options: Any) -> falcon.testing.Result:
        return self.request("DELETE", path, user, **options)

    def upload(
        self,
        path: str,
        user: User | None,
        files: list[tuple[str, str, bytes]],
        fields: dict[str, str] | None = None,
    ) -> falcon.testing.Result:
        """POST multipart: files as (part, file name, bytes)."""
        body, kind = multipart(files, fields or {})
        return self.post(path, user, body=body, headers={"Content-Type": kind})

    def register(self, role: str = "buyer", name: str = "Sari") -> User:
        email = f"user{next(_numbers)}.{secrets.token_hex(4)}@example.com"
        answer = self.post(
            "/api/auth/register",
            json={"name": name, "email": email, "password": PASSWORD, "role": role},
        )
        assert answer.status_code == 201, answer.text
        return User(answer.json, email)

    def buyer(self) -> User:
        return self.register("buyer")

    def seller(self, name: str | None = None) -> User:
        """A seller with a store."""
        user = self.register("seller", "Budi")
        answer = self.post(
            "/api/stores", user, json={"name": name or f"Toko {secrets.token_hex(6)}"}
        )
        assert answer.status_code == 201, answer.text
        user.store_id = answer.json["id"]
        return user

    def admin(self) -> User:
        """Admins are made on the command line, by the owner of the tables."""
        user = self.register("buyer", "Admin")
        if isinstance(self.db, RollbackDatabase):
            with self.as_owner(self.db.conn) as conn:
                conn.execute("UPDATE users SET role = 'admin' WHERE id = %s", [user.id])
        else:
            with psycopg.connect(self.owner_url) as conn:
                conn.execute("UPDATE users SET role = 'admin' WHERE id = %s", [user.id])
        return user

    @contextmanager
    def as_owner(self, conn: Any) -> Iterator[Any]:
        """The rolled-back connection logged in as the owner; for the length of the block it is
        the owner.
        """
        conn.execute("SELECT set_config('role', 'none', false)")
        try:
            yield conn
        finally:
            conn.execute("SELECT set_config('role', 'marketplace_app', false)")

    def product(self, user: User, **fields: Any) -> dict[str, Any]:
        body = {"name": "Kopi Gayo 250 g", "price": "85000.00", "stock": 5, **fields}
        answer = self.post("/api/products", user, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json


def multipart(files: list[tuple[str, str, bytes]], fields: dict[str, str]) -> tuple[bytes, str]:
    """A multipart/form-data body and its Content-Type."""
    boundary = secrets.token_hex(12)
    body = b""
    for name, value in fields.items():
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    for part, filename, data in files:
        body += (
            (
                f'--{boundary}\r\nContent-Disposition: form-data; name="{part}"; '
                f'filename="{filename}"\r\n'
                "Content-Type: image/*\r\n\r\n"
            ).encode()
            + data
            + b"\r\n"
        )
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--with-database", action="store_true", help="only tests that use the server of the suite"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order: what takes long, so that the others fill the time beside it; what does not; what needs
    the machine for itself; and at the end what looks back at the whole suite.
    """

    def place(item: pytest.Item) -> tuple[bool, bool, bool]:
        last = item.path.name == "test_document_coverage.py"
        return last, "alone" in item.keywords, "long" not in item.keywords

    items.sort(key=place)
    if config.option.with_database:
        other = [item for item in items if "owner_url" not in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=other)
        items[:] = [item for item in items if item not in set(other)]


def pytest_sessionfinish() -> None:
    """Keep what this process has seen of the document, where several share the suite."""
    if folder := os.environ.get("SUITE_FOLDER"):
        documented.keep(Path(folder))


@pytest.fixture(scope="session")
def owner_url() -> Iterator[str]:
    with owner() as url:
        yield url


@contextmanager
def owner() -> Iterator[str]:
    """A login that may make databases and roles: DATABASE_URL's, or one of the embedded server."""
    given = os.environ.get("DATABASE_URL")
    if given:
        yield given
        return
    folder = Path(os.environ.get("SUITE_FOLDER") or ROOT / ".data")
    server = embedded_server.start(folder / "test", fsync=False)
    with (
        psycopg.connect(server.dsn("postgres", "postgres"), autocommit=True) as conn,
        one_at_a_time(conn),
    ):
        if conn.execute("SELECT FROM pg_roles WHERE rolname = 'marketplace'").fetchone() is None:
            conn.execute("CREATE ROLE marketplace LOGIN CREATEROLE CREATEDB")
    yield server.dsn("postgres", "marketplace")
    server.stop()


@contextmanager
def one_at_a_time(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Let one process of the suite at a time in: roles belong to all databases of a server."""
    conn.execute("SELECT pg_advisory_lock(7236)")
    try:
        yield
    finally:
        conn.execute("SELECT pg_advisory_unlock(7236)")


def database(url: str, name: str) -> str:
    """The same login, another database."""
    return make_conninfo("", **{**conninfo_to_dict(url), "dbname": name})


@contextmanager
def created(owner_url: str, name: str, template: str | None = None) -> Iterator[str]:
    """A database that is dropped at the end."""
    with psycopg.connect(owner_url, autocommit=True) as conn:
        conn.execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
        try:
            if template:
                with psycopg.connect(database(owner_url, name)) as clone:  # as `migrate` does
                    clone.execute("SELECT settle_event_cursors()")
            yield database(owner_url, name)
        finally:
            drop(conn, name)


@pytest.fixture(scope="session")
def template(owner_url: str) -> Iterator[str]:
    """A migrated database that others are cloned from; its name."""
    name = f"marketplace_test_{os.getpid()}_{secrets.token_hex(3)}"
    with created(owner_url, name) as url:
        with psycopg.connect(owner_url, autocommit=True) as conn, one_at_a_time(conn):
            migrations.migrate(url, lambda line: None)
        yield name


@pytest.fixture(scope="session")
def shared_database(owner_url: str, template: str) -> Iterator[str]:
    """The database that rolled-back tests share."""
    with created(owner_url, f"{template}_shared", template) as url:
        yield url


def make_config(url: str, folder: Path, **overrides: Any) -> Config:
    """Settings of a test: quick hashes, folders of its own."""
    env = {
        "DATABASE_URL": url,
        "DATA_DIR": str(folder / "data"),
        "UPLOADS_DIR": str(folder / "uploads"),
        "TRANSFER_ACCOUNTS": '[{"bank": "BCA", "number": "123", "holder": "PT Toko"}]',
    }
    return settings.load(
        env, **{"bcrypt_cost": 4, "secret_keys": ("k" * 16 + "test-key-of-a-test",), **overrides}
    )


@pytest.fixture
def config(shared_database: str, tmp_path: Path) -> Config:
    return make_config(shared_database, tmp_path)


@pytest.fixture
def api(config: Config, shared_database: str) -> Iterator[Api]:
    """The API in a transaction that is rolled back."""
    db = RollbackDatabase(config)
    yield Api(config, db, shared_database)
    db.close()


@pytest.fixture
def committed(owner_url: str, template: str, tmp_path: Path) -> Iterator[Api]:
    """The API on a database of its own, with real commits and a real pool."""
    with created(owner_url, f"{template}_{secrets.token_hex(4)}", template) as url:
        config = make_config(url, tmp_path, pool_size=16)
        db = Database(config)
        yield Api(config, db, url)
        db.close()
