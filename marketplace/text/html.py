"""HTML pages from templates: files with `{{name}}` for a value and, for a part that comes once for
each item of a list,

    <!-- each: lines -->...{{name}}...<!-- end: lines -->

A part sees the values around it. Every value is escaped where it is put, unless it is Html already;
what was put is never looked at again, so a value cannot name another one.
"""

import html
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).parent.parent / "static" / "papers"
_PART = re.compile(
    r"<!-- each: (?P<each>\w+) -->(?P<part>.*?)<!-- end: (?P=each) -->|\{\{(?P<name>\w+)\}\}",
    re.DOTALL,
)


class Html(str):
    """A text that is HTML already."""


def page(name: str, values: Mapping[str, Any]) -> Html:
    """Return a template, filled. Raises KeyError for a value that is not given."""
    return _filled(read(name), values)


def _filled(template: str, values: Mapping[str, Any]) -> Html:
    def put(found: re.Match[str]) -> str:
        if found["each"] is not None:
            items = values[found["each"]]
            return "".join(_filled(found["part"], {**values, **item}) for item in items)
        value = values[found["name"]]
        return value if isinstance(value, Html) else html.escape(str(value))

    return Html(_PART.sub(put, template))


@cache
def read(name: str) -> str:
    """Return a file from beside the templates; it is read once."""
    return (TEMPLATES / name).read_text(encoding="utf-8")
