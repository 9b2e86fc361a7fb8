"""Headers to columns, by name and never by position; and the delimiter, which the
header reveals.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from marketplace.catalogue_csv import dialects
from marketplace.catalogue_csv.dialects.marketplace import OURS, REPORTS
from marketplace.catalogue_csv.dialects.shape import Dialect, Layout
from marketplace.catalogue_csv.encoding import NUL, UNDECODABLE
from marketplace.catalogue_csv.headers import EXACT, HEADER, KEYS, REQUIRED, folded, key_of
from marketplace.catalogue_csv.model import COLUMNS, CatalogRefused
from marketplace.text.messages import Text, say

DELIMITERS = ",;\t|"
#: How many rows may be above the header: a title, a date.
TITLE_ROWS = 10
#: Names of columns given from outside: our name or the dialect's, to the file's name of it; one or
#: several.
Names = Mapping[str, str | Sequence[str]]

_SEPARATOR_LINE = re.compile(r"sep=(.)[\r\n]*\Z", re.IGNORECASE)
#: Fields of dialects that tell how rows belong together, and nothing about a product.
_STRUCTURE = "variant"
_EXACT = frozenset(map(folded, EXACT))


class Reading(NamedTuple):
    """The options beside a file: its dialect, the names of its columns, the address of its images,
    our currency.
    """

    dialect: str | None = None
    names: Names = MappingProxyType({})
    image_base: str = ""
    currency: str = ""


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


def recognise(header: Sequence[str], reading: Reading) -> Columns:
    """Return the columns of a header. Raises CatalogRefused if they cannot make or
    change products.
    """
    if len(header) > COLUMNS:
        words = say("The header has {count} columns; 1,000 are possible.", count=f"{len(header):,}")
        raise CatalogRefused("too_many_columns", words)
    names = tuple(printable(name).strip() for name in header)
    keys, named = _keys(names, reading.names)
    dialect = dialects.of(keys, reading.dialect)
    keys = tuple(dialect.english(key) for key in keys)
    if dialect.arrange is None:
        keys = tuple(
            _exact(keys[place], names[place], place in named) for place in range(len(keys))
        )
    places: dict[str, int] = {}
    for position in sorted(range(len(keys)), key=lambda each: each not in named):
        places.setdefault(keys[position], position)
    layout = Layout(keys, places, reading.currency, reading.image_base)
    positions, left = _positions(dialect, layout, named)
    positions = {
        field: positions[other] for field, other in dialect.also.items() if other in positions
    } | positions
    ignored = [position for position in left if dialect.ignored(keys[position])]
    unknown = [names[place] or f"(column {place + 1})" for place in left if place not in ignored]
    own = all(folded(name) in OURS for name in names) or any(
        report.issubset(keys) for report in REPORTS
    )
    _check_named(dialect, keys, named)
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


def _keys(names: Sequence[str], asked: Names) -> tuple[tuple[str, ...], dict[int, str]]:
    """Return the headers in comparable form, and which of them have the given name instead of their
    own.
    """
    keys = [key_of(name) for name in names]
    places: dict[str, int] = {}
    for position, name in enumerate(names):
        places.setdefault(folded(name), position)
    named: dict[int, str] = {}
    for name, theirs in asked.items():
        for each in [theirs] if isinstance(theirs, str) else theirs:
            position = places.get(folded(each), -1)
            if position < 0:
                words = say(
                    "columns names {column}, which the header does not have. It has: {seen}.",
                    column=each,
                    seen=_seen(names),
                )
                raise CatalogRefused("unknown_column", words)
            keys[position] = key_of(name)
            named[position] = name
    return tuple(keys), named


def _exact(key: str, name: str, named: bool) -> str:
    """Return the comparable form of a header, of those that others call alike only where the name
    is ours: `variant_id`, and not `Variant ID`.
    """
    return key if named or key not in _EXACT or name.lower() in EXACT else f"{key} "


def _check_named(dialect: Dialect, keys: Sequence[str], named: Mapping[int, str]) -> None:
    for position, name in named.items():
        if dialect.field_of(keys[position]) is None:
            words = say(
                "columns has {name}, and there is no such field; known are {known}.",
                name=name,
                known=", ".join(HEADER),
            )
            raise CatalogRefused("unknown_column", words)


def _positions(
    dialect: Dialect, layout: Layout, named: Mapping[int, str]
) -> tuple[dict[str, tuple[int, ...]], list[int]]:
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
    for field, positions in found.items():
        found[field] = kept = _kept(dialect, layout, field, positions, named)
        left += [position for position in positions if position not in kept]
    return {field: tuple(positions) for field, positions in found.items()}, sorted(left)


def _kept(
    dialect: Dialect, layout: Layout, field: str, positions: list[int], named: Mapping[int, str]
) -> list[int]:
    """Return the columns of a field that count: the named ones, else those that are not weak."""
    if dialect.arrange is not None:  # an error names the first
        order = list(dialect.fields)
        return sorted(
            positions,
            key=lambda place: order.index(key) if (key := layout.names[place]) in order else 0,
        )
    asked = [position for position in positions if position in named]
    strong = [position for position in positions if layout.names[position] not in dialect.weak]
    if len(positions) == 1 or asked or strong:
        return asked or strong or positions
    return positions if field == "image_url" else positions[:1]


def _check(dialect: Dialect, names: tuple[str, ...], positions: dict[str, tuple[int, ...]]) -> None:
    if not positions.keys() - {_STRUCTURE}:
        words = say(
            "No column of the first line is known. It has: {seen}. Needed are name and price (or "
            "Nama Produk and "
            "Harga); also known are {others}, and the exports of {dialects}. {hint}",
            seen=_seen(names),
            others=", ".join(name for name in HEADER if name not in REQUIRED),
            dialects=", ".join(dialect.name for dialect in dialects.DIALECTS if dialect.arrange),
            hint=_hint(),
        )
        raise CatalogRefused("no_known_columns", words)
    missing = [name for name in REQUIRED if name not in positions]
    if missing and not positions.keys() & set(KEYS):
        raise _missing(dialect, missing, names)
    if dialect.arrange is not None:
        return
    for field, places in positions.items():
        if len(places) > 1 and field != "image_url":
            twins = ", ".join(f"{names[place]} ({place + 1})" for place in places[:5])
            words = say(
                "Several columns mean {field}: {twins}. Keep one of them.", field=field, twins=twins
            )
            raise CatalogRefused("duplicate_column", words)


def _missing(dialect: Dialect, missing: list[str], names: Sequence[str]) -> CatalogRefused:
    """Return which columns the file lacks, by the dialect's names."""
    called = [dialect.called[name] for name in missing]
    if len(called) == 1:
        words = say(
            "The column {column} is missing. The header has: {seen}. Without it products can only "
            "be changed, and the file needs a column by which they are found: sku, source_url or "
            "marketplace_product_id. {hint}",
            column=called[0],
            seen=_seen(names),
            hint=_hint(),
        )
    else:
        words = say(
            "The columns {first} and {second} are missing. The header has: {seen}. Without them "
            "products can only be changed, and the file needs a column by which they are found: "
            "sku, source_url or marketplace_product_id. {hint}",
            first=called[0],
            second=called[1],
            seen=_seen(names),
            hint=_hint(),
        )
    return CatalogRefused("missing_column", words)


def _hint() -> Text:
    """Return the hint on how to name columns."""
    return say(
        "Columns with other names are said by columns, such as {example}.",
        example='columns={"name": "...", "price": "..."}',
    )


def _seen(names: Sequence[str]) -> str:
    return ", ".join(name[:40] or "-" for name in names[:20]) + (", ..." if len(names) > 20 else "")


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
    """Return how many columns of the header are known with this delimiter, and how
    many there are.
    """
    records = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    fits = []
    try:
        for cells in records:
            if any(cell.strip() for cell in cells):
                fits.append((known(cells), len(cells)))
            if len(fits) == TITLE_ROWS:
                break
    except csv.Error:
        pass
    if not fits:
        return 0, 0
    best = max(fits)
    return best if best[0] > 1 else fits[0]


def known(cells: Sequence[str]) -> int:
    """Return how many cells of a row name a known column: whether it is a header."""
    keys = {key_of(cell.strip()) for cell in cells[:COLUMNS]}
    dialect = dialects.of(tuple(keys), None)
    return sum(1 for key in keys if dialect.field_of(dialect.english(key)))


def printable(cell: str) -> str:
    """Return a cell fit to be stored and shown: a byte that is no text becomes the replacement
    character.
    """
    if cell.isascii():
        return cell
    return UNDECODABLE.sub(
        "\N{REPLACEMENT CHARACTER}", cell.replace(NUL, "\N{REPLACEMENT CHARACTER}")
    )
