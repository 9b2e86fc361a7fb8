"""load-areas: loads the administrative areas of a country, to pick addresses from.

The files are CSV with a header: `code` and `name`, perhaps `postcodes` with blanks between. A code
begins with that of the area it is in, with a dot behind it. Loading again changes what has changed.
"""

import argparse
import csv
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg.rows import dict_row

from marketplace.config import settings
from marketplace.queries import areas

BATCH = 5000
_CODE = re.compile(r"[0-9A-Z]{1,10}(?:\.[0-9A-Z]{1,10}){0,3}\Z")
#: Words that stay in capitals where all of a name is.
_CAPITALS = frozenset(("DKI", "DI"))


class Area(NamedTuple):
    """A row of a file."""

    code: str
    name: str
    postcodes: str


class BadFileError(Exception):
    """A file that cannot be loaded, and why."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A folder stands for all its CSV files."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="CSV files, or folders")
    parser.add_argument("--country", help="two letters; default: COUNTRY")


def run(args: argparse.Namespace) -> int:
    """Load the files in one transaction, on a connection of the tables' owner."""
    config = settings.load()
    country = args.country or config.country
    if not re.fullmatch("[A-Z]{2}", country):
        return _refuse("--country takes two capitals, such as ID")
    try:
        found = read(args.paths)
    except BadFileError as error:
        return _refuse(str(error))
    with psycopg.connect(config.migrate_database_url, row_factory=dict_row) as conn:
        changed = 0
        for start in range(0, len(found), BATCH):
            codes, names, postcodes = zip(*found[start : start + BATCH], strict=True)
            changed += areas.load(conn, country, codes, names, postcodes)
        gone = areas.forget_others(conn, country, [area.code for area in found])
    print(f"{len(found)} areas of {country}: {changed} new or changed, {gone} removed.")
    return 0


def read(paths: list[Path]) -> list[Area]:
    """Return the areas of files and folders. Raises BadFileError."""
    files = [
        file for path in paths for file in (sorted(path.glob("*.csv")) if path.is_dir() else [path])
    ]
    found: dict[str, Area] = {}
    for file in files:
        found.update((area.code, area) for area in _rows(file))
    if not found:
        raise BadFileError("there is no area in these files")
    for code in found:
        above = code.rpartition(".")[0]
        if above and above not in found:
            raise BadFileError(f"{code} is in {above}, which no file has")
    return list(found.values())


def _rows(file: Path) -> Iterator[Area]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        if not {"code", "name"} <= set(reader.fieldnames or ()):
            raise BadFileError(f"{file}: its header lacks code or name")
        for row in reader:
            code, name = (row["code"] or "").strip(), " ".join((row["name"] or "").split())
            if not _CODE.match(code) or not 1 <= len(name) <= 100:
                raise BadFileError(f"{file}, line {reader.line_num}: no code or no name")
            yield Area(code, _spelled(name), (row.get("postcodes") or "").strip())


def _spelled(name: str) -> str:
    """Return a name with capitals where people write them."""
    if not name.isupper():
        return name
    return " ".join(word if word in _CAPITALS else word.title() for word in name.split())


def _refuse(reason: str) -> int:
    print(f"Nothing was loaded: {reason}.", file=sys.stderr)
    return 1
