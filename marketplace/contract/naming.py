"""Errors in a list name the thing of their row: a place alone tells an app little."""

from typing import Any

from marketplace.contract.bounds import printable
from marketplace.contract.errors import FieldError

#: What a row of a list is named by.
NAMES = ("product_id", "variant_id", "sku")
_INT64_MAX = 2**63 - 1


def named(error: FieldError, document: Any) -> FieldError:
    """Return the error with the product that its row of the document names, if it names one."""
    about: dict[str, Any] = {}
    steps = error.pointer.split("/")[1:]
    for step in steps:
        try:
            document = document[int(step)] if isinstance(document, list) else document[step]
        except (KeyError, ValueError, IndexError, TypeError):
            break
        if isinstance(document, dict):
            about = {name: document[name] for name in NAMES if _is_name(name, document.get(name))}
            if steps[0] == "variants" and _is_name("variant_id", document.get("id")):
                about["variant_id"] = document["id"]
    return error._replace(about=about or None)


def _is_name(name: str, value: Any) -> bool:
    """Return whether it is a name that a response may repeat: an id, for a SKU a short text."""
    if name == "sku":
        return isinstance(value, str) and len(value) <= 100 and printable(value) == value
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _INT64_MAX
