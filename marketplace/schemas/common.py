"""Pieces that several schemas share."""

from typing import Any

from marketplace.contract.validation import INT64_MAX, Named

INT32_MAX = 2**31 - 1
ID: dict[str, Any] = {"coerce": "int64", "min": 1, "max": INT64_MAX}
#: Null for a product without variants, which is its own.
VARIANT_ID: dict[str, Any] = {
    "coerce": "variant_id",
    "max": INT64_MAX,
    "nullable": True,
}
#: A count of things that may grow without end.
COUNT: dict[str, Any] = {"type": "integer", "min": 0, "meta": {"format": "int64"}}
#: A small number: pixels, a page, a per cent.
NUMBER: dict[str, Any] = {"type": "integer", "min": 0, "meta": {"format": "int32"}}
TIME: dict[str, Any] = {
    "type": "string",
    "meta": {"format": "date-time", "example": "2026-11-22T09:18:00Z"},
}
TEXT: dict[str, Any] = {"type": "string"}
TEXT_OR_NULL: dict[str, Any] = {"type": "string", "nullable": True}
#: Of an image; without `format: uri`, since a client's type for it may be stricter than a seller's
#: link.
URL: dict[str, Any] = {
    "type": "string",
    "meta": {"description": "Absolute.", "pattern": "^https?://"},
}
FLAG: dict[str, Any] = {"type": "boolean"}
ROLE: dict[str, Any] = {
    "coerce": "line",
    "allowed": ["buyer", "seller", "admin"],
    "meta": {"name": "Role"},
}


def read_only(**rules: Any) -> dict[str, Any]:
    """Return a field that responses carry and requests may send back unchanged."""
    return {**rules, "meta": {**rules.get("meta", {}), "read_only": True}}


def optional(rules: dict[str, Any]) -> dict[str, Any]:
    """Return a field that a response may lack."""
    return {**rules, "meta": {**rules.get("meta", {}), "optional": True}}


def described(rules: dict[str, Any], words: str) -> dict[str, Any]:
    """Return the same with a description."""
    return {**rules, "meta": {**rules.get("meta", {}), "description": words}}


def one_of(*values: str, words: str, **rules: Any) -> dict[str, Any]:
    """Return a text that is one of these today. More may come, so the document does not close the
    list: an older app could not read the response.
    """
    return {
        "type": "string",
        **rules,
        "meta": {"description": words, "x-extensible-enum": list(values)},
    }


def of(schema: dict[str, Any], **rules: Any) -> dict[str, Any]:
    """Return an object of this schema."""
    return {"type": "dict", "schema": schema, **rules}


def list_of(schema: dict[str, Any], **rules: Any) -> dict[str, Any]:
    """Return a list of objects of this schema."""
    return {"type": "list", "schema": of(schema), **rules}


STAMPS: dict[str, Any] = {
    "version": read_only(**described({**COUNT, "min": 1}, "Rises with every change.")),
    "created_at": read_only(**TIME),
    "updated_at": read_only(**TIME),
}
#: A thing that another one refers to.
REFERENCE = Named("Reference", {"id": ID, "name": TEXT})
