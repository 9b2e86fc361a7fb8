"""A user's addresses together: how many there are, which is the default, and what an area says."""

from collections.abc import Mapping
from typing import Any

from marketplace.contract.errors import Problem, invalid
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import addresses, areas

MOST = 50
LEVELS = ("province", "city", "district", "village")


def add(conn: Conn, user_id: int, body: Mapping[str, Any]) -> Row:
    """Add an address, with its country; the first one is the default.

    Raises 409 too_many_addresses.
    """
    addresses.take_turn(conn, user_id)
    there = addresses.count(conn, user_id)
    if there >= MOST:
        raise Problem("too_many_addresses", "You have 50 addresses; remove one first.")
    fields = {**with_area(conn, body), "is_default": there == 0 or bool(body.get("is_default"))}
    if fields["is_default"]:
        addresses.leave_default(conn, but=0, user_id=user_id)
    return shown(addresses.add(conn, fields, user_id=user_id))


def change(conn: Conn, user_id: int, before: Row, body: Mapping[str, Any]) -> Row:
    """Replace an address by what was sent. The default stays one: it moves, and is never lost."""
    default = before["is_default"] or bool(body.get("is_default"))
    if default and not before["is_default"]:
        addresses.leave_default(conn, but=before["id"], user_id=user_id)
    fields = {**with_area(conn, body), "is_default": default}
    return shown(addresses.change(conn, before["id"], fields, user_id=user_id))


def merged(before: Row, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an address with fields changed. What another area says replaces what the one before
    it said.
    """
    kept = dict(before)
    if body.get("area_code") not in (None, before["area_code"]):
        kept.update(dict.fromkeys((*LEVELS, "postcode")))
    return {**kept, **body}


def remove(conn: Conn, user_id: int, address_id: int) -> bool:
    """Remove an address; the oldest of the others is the default then. False if it is not there."""
    removed = addresses.remove(conn, address_id, user_id=user_id)
    if removed:
        addresses.pass_default(conn, user_id)
    return removed


def with_area(conn: Conn, place: Mapping[str, Any]) -> dict[str, Any]:
    """Return a place with the names that its area code says, where they were left out. Raises 422
    for a code that is none, where areas of the country are loaded.
    """
    code = place.get("area_code")
    if code is None:
        return dict(place)
    area = areas.find(conn, place["country"], code)
    if area["known"] and not area["there"]:
        raise invalid("/area_code", "invalid", "is not the code of an area")
    filled = dict(zip(LEVELS, area["names"], strict=False))
    if len(area["postcodes"] or ()) == 1:
        filled["postcode"] = area["postcodes"][0]
    said = {name: value for name, value in place.items() if value is not None}
    return {**dict.fromkeys(place), **filled, **said}


def shown(address: Row) -> Row:
    """Return an address with its text of one line."""
    return {**address, "text": one_line(address)}


def one_line(place: Mapping[str, Any]) -> str:
    """Return an address in one line, without recipient and telephone."""
    last = " ".join(filter(None, (place.get("province"), place.get("postcode"))))
    country = place.get("country") if place.get("country") != "ID" else None
    parts = (
        place.get("line1"),
        place.get("line2"),
        place.get("village"),
        place.get("district"),
        place.get("city"),
        last,
        country,
    )
    return ", ".join(dict.fromkeys(part for part in parts if part))
