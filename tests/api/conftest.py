"""What tests of the API share."""

from collections.abc import Iterator

import pytest
from conftest import Api
from support.orders import Desk


@pytest.fixture
def desk(api: Api) -> Iterator[Desk]:
    """A store and its buyers. Whatever a test does to them, all invariants hold afterwards."""
    desk = Desk(api)
    yield desk
    assert desk.broken() == []
