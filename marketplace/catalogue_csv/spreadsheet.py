"""Cells that a spreadsheet would run as formulas: made harmless on the way out, restored on the way
in.

And the other way round: `="00123"`, with which people make a spreadsheet keep a number unchanged.
"""

import csv
import io
import re
from collections.abc import Iterable

_FORMULA = re.compile(
    r"'*[\s\u200b-\u200f\u2060\ufeff]*[=+\-@\t\r\n\0\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS "
    r"SIGN}"
    r"\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}]"
).match

_WRAPPED = re.compile(r'\s*="((?:[^"]|"")*)"\s*\Z', re.DOTALL).match


def defuse(cell: str) -> str:
    """Return the cell with a `'` before it if a spreadsheet would run it, or if it looks like one
    treated so.
    """
    return f"'{cell}" if _FORMULA(cell) else cell


def written(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as CSV (RFC 4180), each text made harmless."""
    out = io.StringIO()
    csv.writer(out).writerows(
        [defuse(cell) if isinstance(cell, str) else cell for cell in row] for row in rows
    )
    return out.getvalue()


def restore(cell: str) -> str:
    """Return the cell as it was before `defuse`."""
    return cell[1:] if cell.startswith("'") and _FORMULA(cell[1:]) else cell


def unwrap(cell: str) -> str:
    """Return the text within `="..."`; other cells unchanged."""
    if "=" not in cell:
        return cell
    wrapped = _WRAPPED(cell)
    return wrapped[1].replace('""', '"') if wrapped else cell
