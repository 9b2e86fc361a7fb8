"""Headers to columns, by name and never by position; and the delimiter, which the
header reveals.
"""

import csv
import re
from collections.abc import Sequence
from typing import NamedTuple

from marketplace.catalogue_csv import dialects
from marketplace.catalogue_csv.dialects.marketplace import OURS, REPORTS
from marketplace.catalogue_csv.dialects.shape import Dialect, Layout
from marketplace.catalogue_csv.encoding import NUL, UNDECODABLE
from marketplace.catalogue_csv.headers import HEADER, REQUIRED, folded
from marketplace.catalogue_csv.model import COLUMNS, CatalogRefused

DELIMITERS = ",;\t|"

_SEPARATOR_LINE = re.compile(r"sep=(.)[\r\n]*\Z", re.IGNORECASE)
#: Vendure writes `name:en`.
_LANGUAGE = re.compile(r"(?<=\w):[a-z]{2}(?:[-_][A-Za-z]{2,4})?\Z")
#: Fields of dialects that tell how rows belong together, and nothing about a product.
_STRUCTURE = "variant"


class Columns(NamedTuple):
    """The meaning of a file's columns.

    `header` has the names in the file; `positions` tells which columns hold a field. `own` is true
    for a file that we wrote, as its header shows: our own header and no other, or any header beside
    that of a report of bad rows. There, what `defuse` did is undone. `exported`: it has the ids
    that the export writes.
    """

    dialect: Dialect
    layout: Layout
    header: tuple[str, ...]
    positions: dict[str, tuple[int, ...]]
    ignored: tuple[str, ...]
    unknown: tuple[str, ...]
    own: bool
    exported: bool


def recognise(header: Sequence[str], asked: str | None = None, currency: str = "") -> Columns:
    """The columns behind a header. Raises CatalogRefused where they cannot make products."""
    if len(header) > COLUMNS:
        words = f"The header has {len(header):,} columns; {COLUMNS:,} are possible."
        raise CatalogRefused("too_many_columns", words)
    names = tuple(printable(name).strip() for name in header)
    keys = tuple(folded(_LANGUAGE.sub("", name)) for name in names)
    dialect = dialects.of(keys, asked)
    places: dict[str, int] = {}
    for position, key in enumerate(keys):
        places.setdefault(key, position)
    layout = Layout(keys, places, currency)
    positions, left = _positions(dialect, layout)
    positions |= {
        field: positions[other] for field, other in dialect.also.items() if other in positions
    }
    ignored = [position for position in left if dialect.ignored(keys[position])]
    unknown = [names[place] or f"(column {place + 1})" for place in left if place not in ignored]
    own = all(key in OURS for key in keys) or any(report.issubset(keys) for report in REPORTS)
    _check(dialect, names, positions)
    exported = folded(HEADER[0]) in places
    return Columns(
        dialect,
        layout,
        names,
        positions,
        tuple(names[place] for place in ignored),
        tuple(unknown),
        own,
        exported,
    )


def _positions(dialect: Dialect, layout: Layout) -> tuple[dict[str, tuple[int, ...]], list[int]]:
    """Return which columns hold a field, and the columns that hold none."""
    chosen = dialect.choose(layout)
    found: dict[str, list[int]] = {}
    left = []
    for position, key in enumerate(layout.names):
        field = chosen.get(key) or dialect.field_of(key)
        twin = dialect.arrange is not None and layout.places[key] != position
        if field is None or twin:
            left.append(position)
        else:
            found.setdefault(field, []).append(position)
    order = list(dialect.fields)
    for field, positions in found.items():
        if dialect.arrange is not None:  # an error names the first
            positions.sort(
                key=lambda place: order.index(key) if (key := layout.names[place]) in order else 0
            )
        strong = [position for position in positions if layout.names[position] not in dialect.weak]
        kept = strong or (positions if field == "image_url" else positions[:1])
        if len(positions) > 1 and dialect.weak and (field != "image_url" or strong):
            left += [position for position in positions if position not in kept]
            found[field] = kept
    return {field: tuple(positions) for field, positions in found.items()}, sorted(left)


def _check(dialect: Dialect, names: tuple[str, ...], positions: dict[str, tuple[int, ...]]) -> None:
    seen = ", ".join(name[:40] or "(empty)" for name in names[:20]) + (
        ", ..." if len(names) > 20 else ""
    )
    if not positions.keys() - {_STRUCTURE}:
        others = ", ".join(name for name in HEADER if name not in REQUIRED)
        raise CatalogRefused(
            "no_known_columns",
            f"No column of the first line is known. It has: {seen}. Needed are name and price "
            "(or Nama "
            f"Produk and Harga); also known are {others}, and the exports of {_others()}.",
        )
    missing = [name for name in REQUIRED if name not in positions]
    if missing:
        words = f"The column {' and '.join(missing)} is missing. The header has: {seen}."
        raise CatalogRefused("missing_column", words)
    if dialect.arrange is not None:
        return
    for field, places in positions.items():
        if len(places) > 1 and field != "image_url":
            twins = " and ".join(f"{names[place]} (column {place + 1})" for place in places[:5])
            words = f"Several columns mean {field}: {twins}. Keep one of them."
            raise CatalogRefused("duplicate_column", words)


def _others() -> str:
    return ", ".join(dialect.name for dialect in dialects.DIALECTS if dialect.arrange)


def delimiter_of(lines: Sequence[str]) -> tuple[str, int]:
    """Return what separates cells, told by the first lines, and how many of those to skip (Excel's
    `sep=;`).

    The delimiter with the most known columns in the header wins; if none has any, the one with the
    most columns.
    """
    for count, line in enumerate(lines, 1):
        forced = _SEPARATOR_LINE.match(line)
        if forced and forced[1] in DELIMITERS:
            return forced[1], count
        if line.strip():
            break
    return max(DELIMITERS, key=lambda delimiter: _fit(lines, delimiter)), 0


def _fit(lines: Sequence[str], delimiter: str) -> tuple[int, int]:
    """How many columns of the first record are known if this is the delimiter, and how many
    there are.
    """
    try:
        records = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
        cells = next((cells for cells in records if any(cell.strip() for cell in cells)), [])
    except csv.Error:
        return 0, 0
    known = {folded(_LANGUAGE.sub("", cell.strip())) for cell in cells[:COLUMNS]}
    dialect = dialects.of(tuple(known), None)
    return sum(1 for key in known if dialect.field_of(key)), len(cells)


def printable(cell: str) -> str:
    """Return a cell fit to be stored and shown: a byte that is no text becomes the replacement
    character.
    """
    if cell.isascii():
        return cell
    return UNDECODABLE.sub(
        "\N{REPLACEMENT CHARACTER}", cell.replace(NUL, "\N{REPLACEMENT CHARACTER}")
    )
