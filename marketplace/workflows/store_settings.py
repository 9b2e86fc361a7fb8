"""The settings of a store: what a document of them means."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from marketplace.contract.constraints import CONSTRAINTS
from marketplace.contract.errors import FieldError, Problem, invalid
from marketplace.postgres.pool import Conn, Row
from marketplace.workflows import addresses

#: The columns of an origin.
PLACE = (
    "recipient",
    "phone",
    "country",
    "area_code",
    "province",
    "city",
    "district",
    "village",
    "postcode",
    "line1",
    "line2",
    "note",
    "latitude",
    "longitude",
)
FIELDS = ("origin", "taxable", "accept_after_minutes", "cod_collector")
_INDONESIAN = ("province", "city", "district")
_POSTCODE = re.compile(r"[0-9]{5}\Z")


def settled(
    conn: Conn, before: Mapping[str, Any], body: Mapping[str, Any], country: str
) -> dict[str, Any]:
    """Return the settings that a document replaces those of before by. Raises 422 for an origin
    that nothing can be sent from.
    """
    origin = body.get("origin")
    return {
        "origin": None if origin is None else _origin(conn, origin, country),
        "taxable": body["taxable"],
        "accept_after_minutes": body["accept_after_minutes"],
        "cod_collector": body.get("cod_collector", before["cod_collector"]),
    }


def shown(settings: Row) -> Row:
    """Return settings with the text of their origin in one line."""
    origin = settings["origin"]
    if origin is None:
        return settings
    return {**settings, "origin": {**origin, "text": addresses.one_line(origin)}}


def _origin(conn: Conn, given: Mapping[str, Any], country: str) -> dict[str, Any]:
    """Return a place with what its area says filled in; numbers are JSON's."""
    place = {name: given.get(name) for name in PLACE} | {"country": given.get("country", country)}
    try:
        place = addresses.with_area(conn, place)
    except Problem as error:
        errors = [each._replace(pointer=f"/origin{each.pointer}") for each in error.errors]
        raise Problem(error.code, errors=errors) from error
    _require_complete(place)
    for name in ("latitude", "longitude"):
        if isinstance(place[name], Decimal):
            place[name] = float(place[name])
    return {**place, "text": addresses.one_line(place)}


def _require_complete(place: Mapping[str, Any]) -> None:
    """Raise 422 for what an address of a buyer is refused for, too."""
    if (place["latitude"] is None) != (place["longitude"] is None):
        missing = "latitude" if place["latitude"] is None else "longitude"
        raise invalid(f"/origin/{missing}", "required", "is required")
    if place["country"] != "ID":
        return
    named = all(place[name] for name in _INDONESIAN)
    if not named or not _POSTCODE.match(place["postcode"] or ""):
        code, _, words = CONSTRAINTS["addresses_indonesia_check"]
        raise Problem(code, errors=[FieldError("/origin", code, words)])
