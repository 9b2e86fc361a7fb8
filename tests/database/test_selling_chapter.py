"""The chapter for administrators: its picture is the catalogue's, and its queries run."""

import re

import psycopg
import pytest
from conftest import Api
from support.stock import Room
from support.trade import Trade, lives

from marketplace.config.settings import ROOT
from tools import trade_diagram

CHAPTER = ROOT / "docs" / "selling.md"
QUERIES = re.findall(r"^```sql\n(.*?)^```", CHAPTER.read_text(encoding="utf-8"), re.M | re.S)


def test_the_picture_is_what_the_catalogue_says(shared_database: str):
    with psycopg.connect(shared_database) as conn:
        there = trade_diagram.drawn(conn)
    kept = (ROOT / "docs" / "selling.svg").read_text(encoding="utf-8")
    assert kept == there, "python -m tools.trade_diagram > docs/selling.svg"


def test_there_are_ten_queries():
    assert len(QUERIES) == 10
    for name in trade_diagram.tables():
        assert f"`{name}`" in CHAPTER.read_text(encoding="utf-8"), name


@pytest.fixture
def room(api: Api) -> Room:
    return Room(api)


def test_each_query_runs_and_most_find_something(room: Room):
    trade = Trade(room)
    made = lives(trade)
    number = trade.one("SELECT number FROM orders WHERE id = %s", made["part"].order)
    found = []
    for query in QUERIES:
        text = query.replace("K8F32M94", number).replace(
            "store_id = 4", f"store_id = {trade.store}"
        )
        text = text.replace("product_id = 63", f"product_id = {made['part'].product}")
        rows = room.conn.execute(text).fetchall()
        found.append(len(rows))
    assert sum(count > 0 for count in found) >= 8, found
