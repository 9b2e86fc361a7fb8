"""Pieces that several schemas share."""

from typing import Any

from marketplace.validation import INT64_MAX

ID: dict[str, Any] = {"coerce": "int64", "min": 1, "max": INT64_MAX}


def read_only(**rules: Any) -> dict[str, Any]:
    """A field that answers carry and requests may send back as it came."""
    return {**rules, "meta": {"read_only": True, **rules.get("meta", {})}}


STAMPS: dict[str, Any] = {
    "version": read_only(type="integer", meta={"description": "Rises with every change."}),
    "created_at": read_only(type="string", meta={"format": "date-time"}),
    "updated_at": read_only(type="string", meta={"format": "date-time"}),
}
