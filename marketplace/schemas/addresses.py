"""Addresses and areas: what is sent and what is returned."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.common import (
    ID,
    NUMBER,
    STAMPS,
    TEXT,
    described,
    list_of,
    read_only,
)

COUNTRY: dict[str, Any] = {
    "coerce": "line",
    "regex": r"(?:[A-Z]{2})\Z",
    "meta": {"description": "ISO 3166-1, two letters.", "example": "ID", "pattern": "^[A-Z]{2}$"},
}
AREA_CODE: dict[str, Any] = {
    "coerce": "line",
    "regex": r"(?:[0-9A-Z]{1,10}(?:\.[0-9A-Z]{1,10}){0,3})\Z",
    "meta": {
        "description": "Code of an area: GET /api/areas.",
        "example": "36.73.06",
        "pattern": r"^[0-9A-Z]{1,10}(\.[0-9A-Z]{1,10}){0,3}$",
    },
}


def _name(most: int, example: str | None = None) -> dict[str, Any]:
    meta = {"meta": {"example": example}} if example else {}
    return {"coerce": "name", "maxlength": most, **meta}


def _degrees(most: int) -> dict[str, Any]:
    limits = {"minimum": -most, "maximum": most}
    return {"coerce": "degrees", "min": -most, "max": most, "nullable": True, "meta": limits}


def _maybe(most: int, example: str | None = None) -> dict[str, Any]:
    return {**_name(most, example), "nullable": True}


#: What is said of a place, of a buyer's or a store's.
PLACE: dict[str, Any] = {
    "recipient": {**_name(200, "Siti"), "required": True, "minlength": 1},
    "phone": {**_name(50, "+6281200"), "required": True, "minlength": 1},
    "country": described(COUNTRY, "ISO 3166-1, two letters; left out: the installation's."),
    "area_code": {**AREA_CODE, "nullable": True},
    "province": described(_maybe(100, "Banten"), "Needed in Indonesia; filled in by area_code."),
    "city": described(_maybe(100, "Serang"), "Needed in Indonesia; filled in by area_code."),
    "district": described(
        _maybe(100, "Cipocok Jaya"), "Needed in Indonesia; filled in by area_code."
    ),
    "village": _maybe(100),
    "postcode": described(_maybe(20, "42121"), "Needed in Indonesia: five digits."),
    "line1": {**_name(200, "Jl. Veteran 5"), "required": True, "minlength": 1},
    "line2": _maybe(200),
    "note": described(_maybe(200), "A word for the courier."),
    "latitude": _degrees(90),
    "longitude": _degrees(180),
}
ADDRESS = Named(
    "Address",
    {
        "id": read_only(**ID),
        "label": _maybe(100, "Rumah"),
        **PLACE,
        "is_default": described(
            {"coerce": "boolean"}, "True moves the default here; it cannot be taken away alone."
        ),
        "text": read_only(**described(TEXT, "All of it in one line.")),
        **STAMPS,
    },
)
NEW = Named("NewAddress", ADDRESS)
CHANGE = Named("AddressChange", ADDRESS)
LIST = Named("Addresses", {"addresses": list_of(ADDRESS)})

AREA = Named(
    "Area",
    {
        "code": TEXT,
        "name": TEXT,
        "level": described(NUMBER, "1 province, 2 city or regency, 3 district, 4 village."),
        "path": {
            "type": "list",
            "schema": TEXT,
            "meta": {"description": "Names of the areas it is in, the largest first."},
        },
        "postcodes": {"type": "list", "schema": TEXT},
    },
)
AREA_FILTERS: dict[str, Any] = {
    "country": described(COUNTRY, "ISO 3166-1, two letters; left out: the installation's."),
    "parent": {**AREA_CODE, "meta": {"description": "Those in this area."}},
    "search": {
        "coerce": "name",
        "minlength": 2,
        "maxlength": 100,
        "meta": {"description": "The start of a name, in any level."},
    },
}
