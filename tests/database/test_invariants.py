"""Each invariant finds the fault that it is there for, and asks what everybody has."""

import re
from typing import Any

import pytest
from conftest import Api
from support.stock import Room, broken, refused, role
from support.stock_faults import FAULTS, held


@pytest.mark.parametrize(
    ("make", "fault", "name"), FAULTS, ids=[f"{name}-{n}" for n, (*_, name) in enumerate(FAULTS)]
)
def test_an_invariant_finds_its_fault(room: Room, make: Any, fault: str, name: str):
    product = make(room)
    make(room)  # a sound one beside it
    assert broken(room.conn) == []
    with room.conn.transaction(force_rollback=True):
        for statement in fault.split(";"):
            room.conn.execute(statement, {"id": product})
        found = room.conn.execute("SELECT * FROM broken_invariants()").fetchall()
        assert name in {row["name"] for row in found}
        row = next(row for row in found if row["name"] == name)
        assert row["broken"] >= 1
        assert re.match(rf"{product}\b", row["example"])


def test_every_invariant_has_a_fault_that_it_finds_and_says_what_it_is(room: Room):
    views = room.conn.execute(
        "SELECT c.relname AS name, obj_description(c.oid, 'pg_class') AS about, c.reloptions AS options FROM pg_class AS c"
        " WHERE c.relnamespace = 'invariants'::regnamespace"
    ).fetchall()
    assert {row["name"] for row in views} >= {name for *_, name in FAULTS}
    assert [row["name"] for row in views if not row["about"]] == []
    assert [row["name"] for row in views if row["options"]] == []  # with the rights of the owner


def test_the_worker_asks_all_and_sees_all_and_the_application_may_not_ask(room: Room):
    product = held(room)
    ask = "SELECT * FROM broken_invariants()"
    with room.conn.transaction(force_rollback=True):
        room.conn.execute("UPDATE inventory SET reserved = 5 WHERE product_id = %s", [product])
        with role(room.conn, "marketplace_worker"):
            named = {row["name"] for row in room.conn.execute(ask).fetchall()}
            assert named == {"reserved_is_held", "holds_are_wanted"}
    for name in ("marketplace_app", "marketplace_readonly"):
        with refused(room.conn, "42501"), role(room.conn, name):
            room.conn.execute(ask)


def test_nothing_is_broken_in_a_new_marketplace(api: Api):
    with api.as_owner(api.db.conn) as conn:
        assert broken(conn, orders=True) == []
