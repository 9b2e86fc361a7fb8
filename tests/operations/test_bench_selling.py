"""The generated trade is one that the verbs could have left behind."""

import secrets

import psycopg
from conftest import created
from psycopg.rows import dict_row

from tools.bench import placing, selling


def test_a_generated_trade_is_sound_and_its_lists_are_read_as_their_callers_do(
    owner_url: str, template: str
):
    with created(owner_url, f"{template}_{secrets.token_hex(4)}", template) as url:
        selling.fill(url, 600, lambda line: None)
        told: list[str] = []
        assert selling.prove(url, told.append) == 0
        assert selling.measure(url, told.append, rounds=1) == []
        assert len(told) == 1 + len(selling.LISTS)
        with psycopg.connect(url, row_factory=dict_row) as conn:
            stages = conn.execute("SELECT DISTINCT stage FROM orders").fetchall()
            assert {row["stage"] for row in stages} == {
                "unpaid", "new", "to_ship", "shipping", "delivered", "completed", "cancelled",
            }  # fmt: skip
            mine = conn.execute(
                "SELECT count(*) AS orders FROM orders WHERE store_id = 1"
            ).fetchone()
            assert mine == {"orders": 300}
            # what was set aside is there again: a changed order is told, an entry that does not balance refused
            before = conn.execute("SELECT count(*) AS n FROM events").fetchone()["n"]
            conn.execute(
                "UPDATE orders SET state = 'accepted' WHERE id = (SELECT min(id) FROM orders WHERE stage = 'new')"
            )
            assert conn.execute("SELECT count(*) AS n FROM events").fetchone()["n"] == before + 1


def test_the_floor_of_placing_and_paying_writes_the_rows_that_the_verbs_write(
    owner_url: str, template: str
):
    told: list[str] = []
    with created(owner_url, f"{template}_{secrets.token_hex(4)}", template) as url:
        placing.measure(url, url, told.append, calls=2, rounds=1)
    assert [line.split()[0] for line in told] == [
        "place", "pay", "place", "pay", "place", "pricing:",
    ]  # fmt: skip
