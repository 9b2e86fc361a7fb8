"""A network between the API and PostgreSQL that can fall silent."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from conftest import Api
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from marketplace.postgres.database import Database


class Wire:
    """What stands between the API and PostgreSQL: a relay that can fall silent."""

    def __init__(self, url: str) -> None:
        self.silent = threading.Event()
        parts = conninfo_to_dict(url)
        self._host, self._port = (
            str(parts.get("host") or "127.0.0.1"),
            int(parts.get("port") or 5432),
        )
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = make_conninfo(url, host="127.0.0.1", port=self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._host.startswith("/"):
                    server = socket.socket(socket.AF_UNIX)
                    server.connect(f"{self._host}/.s.PGSQL.{self._port}")
                else:
                    server = socket.create_connection((self._host, self._port))
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                while self.silent.is_set():
                    time.sleep(0.05)
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def behind_a_wire(api: Api, patience: float | None = None) -> Iterator[tuple[Api, Wire]]:
    wire = Wire(api.config.database_url)
    config = replace(api.config, database_url=wire.url, pool_size=4)
    database = Database(config)
    database._pool.patience = patience or database._pool.patience
    try:
        yield Api(config, database, api.owner_url), wire
    finally:
        wire.silent.clear()
        database.close()
        wire.close()
