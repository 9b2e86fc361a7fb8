"""A reader of the change feed through the API, and when the feed is settled."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from conftest import Api, User
from psycopg.rows import dict_row

from support.feed import Copy


def reader(api: Api, **query: Any) -> Copy:
    """An app that polls."""

    def fetch(params: dict[str, Any]) -> dict[str, Any]:
        answer = api.get("/api/changes", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json

    return Copy(fetch, **query)


def told(copy: Copy, api: Api) -> list[tuple[str, int, bool]]:
    """What an app is told now (type, id, deleted), when all that was committed can be told."""
    settled(api)
    found: list[tuple[str, int, bool]] = []
    keep = copy.take

    def take(thing: tuple[str, int], change: dict[str, Any]) -> None:
        found.append((change["type"], change["id"], change["deleted"]))
        keep(thing, change)

    copy.take = take  # type: ignore[method-assign]
    copy.go_through()
    copy.take = keep  # type: ignore[method-assign]
    return found


def settled(api: Api) -> None:
    """Wait until nothing that was committed is withheld: the server may have other databases at
    work.
    """
    with owner(api) as conn:
        waiting = (
            "SELECT EXISTS (SELECT FROM changes WHERE xid >= "
            "pg_snapshot_xmin(pg_current_snapshot())) AS waiting"
        )
        for _ in range(3000):
            if not conn.execute(waiting).fetchone()["waiting"]:
                return
            time.sleep(0.02)
    raise AssertionError("a transaction is open for a minute")


@contextmanager
def owner(api: Api) -> Iterator[Any]:
    with psycopg.connect(api.owner_url, row_factory=dict_row, autocommit=True) as conn:
        yield conn


def brand(api: Api, admin: User, name: str) -> int:
    answer = api.post("/api/brands", admin, json={"name": name})
    assert answer.status_code == 201, answer.text
    return answer.json["id"]
