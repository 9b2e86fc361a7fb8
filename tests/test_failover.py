"""A primary that has stepped down still answers, and takes no writes: what those connected to it see of a failover."""

import time

import psycopg
from conftest import Api
from psycopg import sql
from test_auth import problem


def test_a_write_that_meets_a_former_primary_is_a_503_and_its_connections_are_dropped(committed: Api):
    seller = committed.seller()
    thing = {"name": "Kopi", "price": "5"}
    assert committed.post("/api/products", seller, json=thing).status_code == 201
    set_read_only(committed, "on")
    committed.db._pool.drain()
    answer = committed.post("/api/products", seller, json=thing)
    problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "1"
    set_read_only(committed, "off")
    wrote = time.monotonic()
    while committed.post("/api/products", seller, json=thing).status_code != 201:
        assert time.monotonic() - wrote < 5, "who is refused is asked again and again"
        time.sleep(0.1)  # connections are replaced every half second at most


def set_read_only(api: Api, word: str) -> None:
    with psycopg.connect(api.owner_url, autocommit=True) as conn:
        conn.execute("SET default_transaction_read_only = off")
        name = sql.Identifier(conn.info.dbname)
        conn.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}").format(name, sql.SQL(word)))
