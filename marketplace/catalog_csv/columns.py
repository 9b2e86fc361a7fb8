"""Headers to columns, by name and never by position; and the delimiter, which the header gives away."""

import csv
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from marketplace.catalog_csv.encoding import NUL, UNDECODABLE
from marketplace.catalog_csv.model import COLUMNS, CatalogRefused

#: Our own header, in the order an export writes it.
HEADER = ("name", "description", "price", "stock", "sku", "source_url", "category", "brand", "image_url")
#: What a report of bad rows has beside the row itself; without meaning when it comes back.
REPORT_HEADER = ("error_line", "error_column", "error_code", "error_message")
REQUIRED = ("name", "price")
DELIMITERS = ",;\t|"

_FIRST_SYSTEM = {
    "Nama Produk": "name",
    "Harga": "price",
    "Link Produk": "source_url",
    "Link Gambar": "image_url",
    "Nama Toko": "brand",
    "Kategori": "category",
    "Deskripsi": "description",
    "Stok": "stock",
}
_IGNORED = ("Lokasi", "Rating", "Review", "Jumlah Review", "Ulasan", "Terjual", "Jumlah Terjual")
_SHORT_REPORT_HEADER = ("line", "column", "code", "message")
_SEPARATOR_LINE = re.compile(r"sep=(.)[\r\n]*\Z", re.IGNORECASE)


def _folded(header: str) -> str:
    """A header without case, accents, blanks and marks: `Image URL` and `image_url` are one."""
    plain = unicodedata.normalize("NFKD", header[:200]).casefold()
    return "".join(sign for sign in plain if sign.isalnum())


_OURS = {_folded(name): name for name in HEADER} | {"imageurls": "image_url"}
_FIELDS = _OURS | {_folded(name): field for name, field in _FIRST_SYSTEM.items()}
_REPORTS = [{_folded(name) for name in names} for names in (REPORT_HEADER, _SHORT_REPORT_HEADER)]
_KNOWN = {_folded(name) for name in _IGNORED}.union(*_REPORTS)


class Columns(NamedTuple):
    """What the columns of a file mean.

    `header` has the names as in the file; `positions` says which columns hold a field (several only for
    image_url). `own` is true for a file that we wrote, as its header shows: our own header and no other, or
    any header beside that of a report of bad rows. There, what `defuse` did is undone.
    """

    header: tuple[str, ...]
    positions: dict[str, tuple[int, ...]]
    ignored: tuple[str, ...]
    unknown: tuple[str, ...]
    own: bool


def recognise(header: Sequence[str]) -> Columns:
    """The columns behind a header. Raises CatalogRefused where they cannot make products."""
    if len(header) > COLUMNS:
        words = f"The header has {len(header):,} columns; {COLUMNS:,} are possible."
        raise CatalogRefused("too_many_columns", words)
    names = tuple(printable(name).strip() for name in header)
    positions: dict[str, tuple[int, ...]] = {}
    ignored, unknown = [], []
    keys = [_folded(name) for name in names]
    own = all(key in _OURS for key in keys) or any(report.issubset(keys) for report in _REPORTS)
    for position, (key, name) in enumerate(zip(keys, names, strict=True)):
        field = _FIELDS.get(key)
        if field is not None:
            positions[field] = (*positions.get(field, ()), position)
        elif key in _KNOWN:
            ignored.append(name)
        else:
            unknown.append(name or f"(column {position + 1})")
    _check(names, positions)
    return Columns(names, positions, tuple(ignored), tuple(unknown), own)


def _check(names: tuple[str, ...], positions: dict[str, tuple[int, ...]]) -> None:
    seen = ", ".join(name[:40] or "(empty)" for name in names[:20]) + (", ..." if len(names) > 20 else "")
    if not positions:
        others = ", ".join(name for name in HEADER if name not in REQUIRED)
        raise CatalogRefused(
            "no_known_columns",
            f"No column of the first line is known. It has: {seen}. Needed are name and price (or Nama "
            f"Produk and Harga); also known are {others}.",
        )
    missing = [name for name in REQUIRED if name not in positions]
    if missing:
        words = f"The column {' and '.join(missing)} is missing. The header has: {seen}."
        raise CatalogRefused("missing_column", words)
    for field, places in positions.items():
        if len(places) > 1 and field != "image_url":
            twins = " and ".join(f"{names[place]} (column {place + 1})" for place in places[:5])
            words = f"Several columns mean {field}: {twins}. Keep one of them."
            raise CatalogRefused("duplicate_column", words)


def delimiter_of(lines: Sequence[str]) -> tuple[str, int]:
    """What separates cells, told by the first lines, and how many of those to leave out (Excel's `sep=;`).

    The delimiter that makes the header known best is taken; where none does, the one with the most columns.
    """
    for count, line in enumerate(lines, 1):
        forced = _SEPARATOR_LINE.match(line)
        if forced and forced[1] in DELIMITERS:
            return forced[1], count
        if line.strip():
            break
    return max(DELIMITERS, key=lambda delimiter: _fit(lines, delimiter)), 0


def _fit(lines: Sequence[str], delimiter: str) -> tuple[int, int]:
    """How many columns of the first record are known if this is the delimiter, and how many there are."""
    try:
        records = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
        cells = next((cells for cells in records if any(cell.strip() for cell in cells)), [])
    except csv.Error:
        return 0, 0
    known = {_folded(cell) for cell in cells[:COLUMNS]}
    return sum(1 for key in known if key in _FIELDS), len(cells)


def printable(cell: str) -> str:
    """A cell fit to be stored and shown: what is no text becomes the sign for that."""
    if cell.isascii():
        return cell
    return UNDECODABLE.sub("\N{REPLACEMENT CHARACTER}", cell.replace(NUL, "\N{REPLACEMENT CHARACTER}"))
