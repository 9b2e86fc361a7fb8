"""The change feed: what was written since a place in it. Statements: sql/queries/changes.sql."""

from collections.abc import Sequence
from typing import NamedTuple

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("changes")


class Place(NamedTuple):
    """How far a client has come. Transaction ids are texts: they may be larger than JSON's safe
    integers.

    `until` is where the present pass ends; None between two passes. (xid, type, id) is the last
    thing returned, in the order of the feed. In its `first` pass a client knows nothing, so it
    needs no tombstones.
    """

    epoch: int | None
    until: str | None
    xid: str
    type: str
    id: int
    first: bool


class Page(NamedTuple):
    """A part of the feed: rows (type, id, deleted, changed_at and the thing's own columns), and the
    client's new place. `delay_seconds`: for how long a committed change has been withheld, 0 if
    none is.
    """

    rows: list[Row]
    next: Place
    has_next: bool
    delay_seconds: int


MOST = 100  # things a page; the statement reads no further than one more
START = Place(None, None, "0", "", 0, True)


def since(conn: Conn, place: Place, *, types: Sequence[str], limit: int) -> Page | None:
    """Return what comes behind a place, at most `limit` things (up to MOST); None if the client has
    to start again.
    """
    if limit > MOST:
        raise ValueError(f"a page of the feed has at most {MOST} things")
    values = {
        **place._asdict(),
        "known": place.until if place.first else place.xid,
        "types": list(types),
        "limit": limit + 1,
    }
    rows = conn.execute(SQL["since"], values).fetchall()
    feed = rows[0]
    if feed["expired"]:
        return None
    has_next = len(rows) > limit
    shown = [row for row in rows[:limit] if row["type"] is not None]
    if has_next:
        last = shown[-1]
        following = Place(
            feed["epoch"], feed["ends"], last["xid"], last["type"], last["id"], place.first
        )
    else:
        following = Place(feed["epoch"], None, feed["ends"], "", 0, False)
    if place.first:
        shown = [row for row in shown if not row["deleted"]]
    return Page(shown, following, has_next, feed["delay_seconds"])


def prune(conn: Conn, *, days: int, most: int) -> int:
    """Forget deletions of so many days ago, at most `most` things; return how
    many. For the worker.
    """
    return int(one(conn, SQL["prune"], {"days": days, "most": most})["pruned"])
