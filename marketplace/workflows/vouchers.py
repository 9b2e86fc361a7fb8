"""A voucher as its store or an admin sets it up, and how many there may be."""

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from marketplace.contract.errors import invalid
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import vouchers

MOST = 1000


def add(conn: Conn, store_id: int | None, body: Mapping[str, Any]) -> Row:
    """Add a voucher of a store, or of the platform."""
    if body["gives"] == "percent" and body["value"] > 100:
        raise invalid("/value", "too_large", "must be at most 100 per cent")
    _require_order(body)
    vouchers.take_turn(conn, store_id)
    _require_room(conn, store_id, body)
    return vouchers.add(conn, body, store_id=store_id)


def change(conn: Conn, store_id: int | None, before: Row, body: Mapping[str, Any]) -> Row | None:
    """Change what can be changed of a voucher; None if it is not the store's."""
    after = {**before, **body}
    after["starts_at"] = after["starts_at"] or before["starts_at"]
    _require_order(after)
    if after["active"] and not before["active"]:
        vouchers.take_turn(conn, store_id)
        _require_room(conn, store_id, after)
    return vouchers.change(conn, before["id"], after, store_id=store_id)


def _require_order(body: Mapping[str, Any]) -> None:
    """Refuse an end that is not behind the start, and a most of nothing."""
    start = body.get("starts_at") or datetime.now(timezone.utc)
    if body.get("ends_at") is not None and body["ends_at"] <= start:
        raise invalid("/ends_at", "invalid", "must be later than the start")
    if body.get("max_discount") == 0:
        raise invalid("/max_discount", "too_small", "must be more than 0")


def _require_room(conn: Conn, store_id: int | None, body: Mapping[str, Any]) -> None:
    if body["active"] and vouchers.count(conn, store_id) >= MOST:
        raise invalid("", "too_many", "at most 1,000 vouchers are open at a time")
