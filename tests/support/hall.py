"""A trade whose rows are committed: what the worker and other processes see."""

import psycopg
from conftest import Api
from psycopg.rows import dict_row

from support.stock import Room


class Hall(Room):
    """A room whose rows are committed; `conn` is the owner's."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.conn = psycopg.connect(api.owner_url, autocommit=True, row_factory=dict_row)
        self.seller = api.seller("Toko Sari")
        self.conn.execute("SELECT settle_event_cursors()")  # a clone of a database is another one

    def become(self, name: str) -> None:
        """The API has connections of its own."""
