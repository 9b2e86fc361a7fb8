"""Cursors of the change feed: which are taken, and which reader has to begin again."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import Api, User, created, make_config
from support.feed_reader import brand, owner, reader, settled, told
from support.responses import problem

from marketplace.files.local import LocalStorage
from marketplace.postgres import migrations
from marketplace.postgres.database import Database
from marketplace.queries import changes
from marketplace.web import paging
from marketplace.workflows import upkeep

#: What the feed serves ends at the oldest transaction of the whole server.
pytestmark = pytest.mark.alone


@pytest.fixture
def admin(committed: Api) -> User:
    return committed.admin()


@pytest.fixture
def sweep(committed: Api, tmp_path: Path) -> Iterator[Callable[[int], None]]:
    """The worker's daily upkeep, with so many days of tombstones."""
    worker = Database(committed.config, role="marketplace_worker", patient=True)
    files = LocalStorage(tmp_path / "private")
    yield lambda days: upkeep.run(
        worker, files, files, replace(committed.config, change_retention_days=days)
    )
    worker.close()


def test_a_cursor_is_taken_only_as_it_was_given(committed: Api):
    cursor = committed.get("/api/changes", params={"types": "brands"}).json["next_cursor"]

    assert (
        committed.get("/api/changes", params={"types": "brands", "cursor": cursor}).status_code
        == 200
    )
    for query in (
        {"types": "brands,stores", "cursor": cursor},
        {"cursor": cursor},
        {"types": "brands", "cursor": cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB")},
        {"types": "brands", "cursor": "x"},
    ):
        problem(committed.get("/api/changes", params=query), 400, "invalid_cursor")


def expired(api: Api, cursor: str | None) -> bool:
    answer = api.get("/api/changes", params={"cursor": cursor})
    if answer.status_code == 410:
        problem(answer, 410, "cursor_expired")
    return answer.status_code == 410


def test_a_cursor_older_than_a_pruned_tombstone_is_refused(
    committed: Api, admin: User, sweep: Callable[[int], None]
):
    ids = [brand(committed, admin, f"Merek {number}") for number in range(3)]
    settled(committed)
    within = committed.get("/api/changes?per_page=1").json["next_cursor"]
    before, after = reader(committed), reader(committed)
    before.catch_up()
    committed.delete(f"/api/brands/{ids[0]}", admin)
    settled(committed)
    after.catch_up()
    begun = committed.get("/api/changes?per_page=1").json[
        "next_cursor"
    ]  # in the middle of a first pass
    sweep(1)
    assert not expired(committed, before.cursor)
    with owner(committed) as conn:
        conn.execute("UPDATE changes SET changed_at = now() - interval '25 hours' WHERE gone")
    sweep(2)
    assert not expired(committed, before.cursor)
    sweep(1)

    with owner(committed) as conn:
        assert conn.execute("SELECT count(*) AS n FROM changes").fetchone() == {"n": 2}
    assert [
        expired(committed, cursor) for cursor in (before.cursor, within, begun, after.cursor)
    ] == [
        True,
        True,
        False,
        False,
    ]
    assert told(reader(committed), committed) == [("brand", each, False) for each in ids[1:]]


def test_a_restart_has_every_reader_begin_again(committed: Api, admin: User):
    gone, kept = brand(committed, admin, "A"), brand(committed, admin, "B")
    committed.delete(f"/api/brands/{gone}", admin)
    settled(committed)
    copy = reader(committed)
    copy.catch_up()
    with owner(committed) as conn:
        conn.execute("SELECT restart_change_feed()")

    assert expired(committed, copy.cursor)
    assert told(reader(committed), committed) == [("brand", kept, False)]


def test_a_restored_dump_is_settled_by_migrate(committed: Api, admin: User):
    kept = brand(committed, admin, "A")
    settled(committed)
    copy = reader(committed)
    copy.catch_up()
    with owner(committed) as conn:  # what a dump brings from a server that was far ahead
        conn.execute("UPDATE change_feed SET origin = 'elsewhere'")
        conn.execute("UPDATE changes SET xid = '99999999999999'")
    migrations.migrate(committed.owner_url, lambda line: None)

    assert expired(committed, copy.cursor)
    again = reader(committed)
    assert told(again, committed) == [("brand", kept, False)]
    migrations.migrate(committed.owner_url, lambda line: None)
    assert not expired(committed, again.cursor)


def test_a_cursor_of_another_database_is_refused(
    committed: Api, owner_url: str, template: str, tmp_path: Path
):
    cursor = committed.get("/api/changes").json["next_cursor"]
    with created(owner_url, f"{template}_{secrets.token_hex(4)}", template) as url:
        config = make_config(url, tmp_path)
        db = Database(config)
        copy = Api(config, db, url)

        assert expired(copy, cursor)
        assert not expired(committed, cursor)
        assert not expired(copy, copy.get("/api/changes").json["next_cursor"])
        db.close()


def test_a_cursor_from_the_future_is_refused(committed: Api):
    context = SimpleNamespace(config=committed.config)
    request: Any = SimpleNamespace(uri_template="/api/changes", query_string="", context=context)
    here = changes.Place(
        *paging.decode_cursor(request, committed.get("/api/changes").json["next_cursor"])
    )
    ahead = here._replace(xid=str(int(here.xid) + 10**9))

    assert not expired(committed, paging.encode_cursor(request, here))
    assert expired(committed, paging.encode_cursor(request, ahead))
