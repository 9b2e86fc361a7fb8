"""What tests at the database's own door share."""

from collections.abc import Iterator

import pytest
from conftest import Api
from support.stock import Room, broken


@pytest.fixture
def room(api: Api) -> Iterator[Room]:
    """A seller's stock. Whatever a test does to it, all invariants hold afterwards."""
    room = Room(api)
    yield room
    room.become("none")
    assert broken(room.conn) == []
