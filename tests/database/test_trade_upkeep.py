"""What the worker takes away of trade when it is old: what providers told, numbers of parcels, months of events."""

from typing import Any

import pytest
from support.stock import Room, role
from support.trade import Trade, lives

from marketplace.queries import upkeep


@pytest.fixture
def trade(room: Room) -> Trade:
    return Trade(room)


def test_what_providers_told_long_ago_is_swept(room: Room):
    room.conn.execute(
        "INSERT INTO provider_callbacks (provider, key, body, received_at)"
        " SELECT 'midtrans', n::text, '', now() - make_interval(days => n) FROM generate_series(398, 403) AS n"
    )
    with role(room.conn, "marketplace_worker"):
        assert [upkeep.sweep_callbacks(room.conn, days=400, most=2) for _ in range(3)] == [2, 1, 0]
    kept = room.conn.execute("SELECT key FROM provider_callbacks ORDER BY key").fetchall()
    assert [row["key"] for row in kept] == ["398", "399", "400"]


def test_the_number_of_a_parcel_is_forgotten_when_its_order_ended_long_ago(
    room: Room, trade: Trade
):
    made = lives(trade)
    room.conn.execute(
        "UPDATE shipments SET shipped_at = now() - interval '200 days', tracking_url = 'https://x/y'"
    )

    def numbers() -> dict[int, Any]:
        rows = room.conn.execute(
            "SELECT order_id, num_nonnulls(tracking_number, tracking_url) AS kept FROM shipments"
        )
        return {row["order_id"]: row["kept"] for row in rows.fetchall()}

    for days, forgotten in ((179, set()), (181, {"done"})):
        room.conn.execute(
            "UPDATE orders SET completed_at = now() - make_interval(days => %s) WHERE id = %s",
            [days, made["done"].order],
        )
        with role(room.conn, "marketplace_worker"):
            assert upkeep.forget_ended(room.conn, days=180, most=9) == len(forgotten)
            assert upkeep.forget_ended(room.conn, days=180, most=9) == 0
        kept = {
            made[name].order: 0 if name in forgotten else 2
            for name in ("shipping", "delivered", "done", "back", "cod")
        }
        assert numbers() == kept


def test_months_of_events_are_made_ahead_and_dropped_when_they_are_old(room: Room):
    count = "SELECT count(*) AS months FROM pg_inherits WHERE inhparent = 'events'::regclass"
    assert room.conn.execute(count).fetchone()["months"] == 14
    room.conn.execute(
        "CREATE TABLE events_2020_01 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2020-02-01')"
    )
    assert upkeep.month_tables(room.conn)["events"] == 750
    assert upkeep.drop_months(room.conn, "events", days=750) == 1
    refuses = (
        "SELECT count(*) AS months FROM pg_inherits AS i JOIN pg_trigger AS t ON t.tgrelid = i.inhrelid"
        " WHERE i.inhparent = 'events'::regclass AND t.tgname = 'refuse_truncate'"
    )
    assert room.conn.execute(refuses).fetchone()["months"] == 14
