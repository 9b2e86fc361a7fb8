"""Bounds what a document may hold before it is checked: the checking of unknown names costs the
square of their number, and each value of a list costs an error.
"""

from collections.abc import Mapping
from typing import Any

from marketplace.contract.errors import FieldError, Problem
from marketplace.text.messages import say

#: Unknown names that are reported.
NAMED = 20
Rules = Mapping[str, Mapping[str, Any]]


def require_bounded(document: Mapping[str, Any], schema: Rules) -> None:
    """Refuse with 422 more than 20 unknown names, at any depth, and lists longer than their rules
    allow. What is below a name that is unknown is not looked at.
    """
    unknown: list[FieldError] = []
    _look(document, schema, "", unknown)


def _look(value: Mapping[str, Any], schema: Rules, path: str, unknown: list[FieldError]) -> None:
    for name, within in value.items():
        rule = schema.get(name)
        pointer = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
        if rule is None:
            if len(unknown) == NAMED:
                raise _too_many(unknown)
            words = "is not a field of this call"
            unknown.append(FieldError(printable(pointer), "unknown_field", words))
        elif "schema" in rule:
            _look_below(within, rule, pointer, unknown)


def _look_below(
    value: Any, rule: Mapping[str, Any], pointer: str, unknown: list[FieldError]
) -> None:
    """Check what the rule of a field has a schema for: an object, or each of a list."""
    within: Any = rule["schema"]
    if isinstance(value, dict) and rule.get("type") == "dict":
        _look(value, within, pointer, unknown)
    if not isinstance(value, list) or rule.get("type") != "list":
        return
    meta = rule.get("meta", {})
    most = rule.get("maxlength", meta.get("maxItems"))
    if most is not None and len(value) > most:
        words = say("must be at most {limit} long", limit=most)
        code = meta.get("too_many", "validation_failed")
        raise Problem(code, errors=[FieldError(printable(pointer), "too_long", words)])
    if within.get("schema"):
        for place, each in enumerate(value):
            _look_below(each, within, f"{pointer}/{place}", unknown)


def _too_many(unknown: list[FieldError]) -> Problem:
    words = say("More than {count} fields are unknown; the first are named.", count=NAMED)
    return Problem("validation_failed", words, errors=unknown)


def printable(pointer: str) -> str:
    """Return a client's own field name, shortened and safe to write into a response."""
    return pointer.encode("utf-8", "replace").decode()[:200]
