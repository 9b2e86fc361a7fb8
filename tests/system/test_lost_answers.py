"""Batches whose response is lost on the way: the connection is cut after the commit, and they are sent again."""

import json
import secrets
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from conftest import PASSWORD, created
from psycopg.rows import dict_row
from support.server import Server
from support.stock import broken, many_products

from marketplace.workflows import product_documents

pytestmark = pytest.mark.long
ROWS = 1000


class Shop(NamedTuple):
    """A server, its database, and a seller with many products."""

    server: Server
    conn: Any
    token: str
    products: list[int]

    def ask(self, method: str, path: str, document: dict, **headers: str) -> tuple[int, dict]:
        return self.server.call(
            method,
            path,
            json.dumps(document).encode(),
            Authorization=f"Bearer {self.token}",
            Content_Type="application/json",
            **headers,
        )

    def number(self, query: str, *values: Any) -> Any:
        return self.conn.execute(query, values).fetchone()["number"]

    def lose(self, method: str, path: str, document: dict, done: str, **headers: str) -> None:
        """Send it, and cut the connection once the database has committed it: a query that answers
        how many rows are done. Nothing of the response is read.
        """
        body = json.dumps(document).encode()
        lines = [
            f"{method} {path} HTTP/1.1",
            "Host: localhost",
            f"Authorization: Bearer {self.token}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
        ]
        with socket.create_connection(("127.0.0.1", self.server.port)) as wire:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            wire.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            deadline = time.monotonic() + 30
            while self.number(done) != ROWS:
                assert time.monotonic() < deadline, self.server.log.read_text()[-2000:]
                time.sleep(0.02)


@pytest.fixture
def shop(owner_url: str, template: str, tmp_path: Path) -> Iterator[Shop]:
    with created(owner_url, f"{template}_{secrets.token_hex(4)}", template) as url:
        server = Server(url, tmp_path)
        account = {"name": "Sari", "email": "sari@example.com", "password": PASSWORD}
        _, signed_in = server.call(
            "POST",
            "/api/auth/register",
            json.dumps({**account, "role": "seller"}).encode(),
            Content_Type="application/json",
        )
        with psycopg.connect(url, autocommit=True, row_factory=dict_row) as conn:
            made = Shop(server, conn, signed_in["access_token"], [])
            _, store = made.ask("POST", "/api/stores", {"name": "Toko Sari"})
            made.products.extend(many_products(conn, store["id"], ROWS))
            product_documents.refresh(conn, made.products, "IDR")
            yield made
            assert broken(conn) == []
        server.stop()
        assert '"status": 500' not in server.log.read_text()


def outcomes(answer: dict) -> set[str]:
    assert len(answer["rows"]) == ROWS
    return {row["outcome"] for row in answer["rows"]}


SET = "SELECT count(*) AS number FROM stock_movements WHERE kind = 'set'"


def test_a_batch_of_changes_is_done_once_by_its_key(shop: Shop):
    rows = [{"product_id": product, "change": -3} for product in shop.products]
    shop.lose("POST", "/api/stores/mine/stock", {"rows": rows}, SET, Idempotency_Key="one")
    status, answer = shop.ask(
        "POST", "/api/stores/mine/stock", {"rows": rows}, Idempotency_Key="one"
    )
    assert (status, outcomes(answer)) == (200, {"done"})
    assert {row["stock"] for row in answer["rows"]} == {47}
    assert shop.number(SET) == ROWS
    assert shop.number("SELECT sum(quantity) AS number FROM inventory") == ROWS * 47


def test_a_batch_of_numbers_without_a_key_is_unchanged_the_second_time(shop: Shop):
    rows = [{"product_id": each, "stock": 40, "expected_stock": 50} for each in shop.products]
    shop.lose("POST", "/api/stores/mine/stock", {"rows": rows}, SET)
    status, answer = shop.ask("POST", "/api/stores/mine/stock", {"rows": rows})
    assert (status, outcomes(answer)) == (200, {"unchanged"})
    assert shop.number(SET) == ROWS


@pytest.mark.parametrize("key", [{}, {"Idempotency_Key": "one"}])
def test_a_thousand_prices_are_changed_once(shop: Shop, key: dict[str, str]):
    path = "/api/stores/mine/products"
    rows = [
        {"product_id": product, "price": "85000.00", "expected_version": 1}
        for product in shop.products
    ]
    status, dry = shop.ask("PATCH", path, {"rows": rows, "dry_run": True})
    assert (status, outcomes(dry)) == (200, {"done"})
    raised = "SELECT count(*) AS number FROM products WHERE version = 2"
    assert shop.number(raised) == 0
    shop.lose("PATCH", path, {"rows": rows}, raised, **key)
    status, answer = shop.ask("PATCH", path, {"rows": rows}, **key)
    assert (status, outcomes(answer)) == (200, {"done" if key else "unchanged"})
    if key:
        told = [{**row, "version": 2} for row in dry["rows"]]
        assert answer["rows"] == told
    assert shop.number(raised) == ROWS
    assert shop.number("SELECT count(*) AS number FROM products WHERE price = 85000") == ROWS
    trail = "SELECT count(*) AS number FROM audit WHERE type = 'product' AND action = 'update'"
    assert shop.number(trail) == 1  # about all of them
