"""A row as one of the variants of a product, as its dialect or our own columns of options tell."""

from collections.abc import Callable
from typing import Any, NamedTuple

from marketplace.catalogue_csv import places
from marketplace.catalogue_csv.dialects.shape import Kind, group_of_line, named
from marketplace.catalogue_csv.headers import OPTIONS
from marketplace.catalogue_csv.model import NAME_LENGTH, BadCell
from marketplace.catalogue_csv.options import read_options


class Readers(NamedTuple):
    """How names, descriptions and links to images are read."""

    name: Callable[[str], str | None]
    description: Callable[[str], str | None]
    images: Callable[[str], tuple[str, ...]]


class Kinds:
    """Makes variants of the rows of one file. Each function raises BadCell."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._run = ("", "")

    def told(self, row: list[Any], kind: Kind) -> None:
        """Make a variant of a row, as its dialect has told."""
        read = self._readers
        row[places.OPTIONS] = read_options(kind.options)
        row[places.GROUP] = kind.group
        name = read.name(kind.name)
        if name != row[places.NAME]:
            row[places.PRODUCT_NAME] = name
        if kind.description:
            row[places.PRODUCT_DESCRIPTION] = read.description(kind.description)
        if kind.image:
            row[places.VARIANT_IMAGE] = next(iter(read.images(kind.image)), None)
            row[places.GALLERY] = read.images(kind.gallery)
        row[places.VARIANT_HIDDEN] = kind.hidden

    def own(self, row: list[Any]) -> None:
        """Make a variant of a row that has options in our own columns."""
        pairs = []
        for name_field, value_field in OPTIONS:
            value = row[places.OPTION_FIELDS[value_field]]
            if value is not None:
                pairs.append((row[places.OPTION_FIELDS[name_field]], value))
        if not pairs:
            return
        if any(name is None for name, _ in pairs):
            raise BadCell("required", "must not be empty where the option has a value")
        row[places.OPTIONS] = read_options(pairs)
        row[places.GROUP] = self._group_of(row)
        name = row[places.NAME]
        if name is not None:
            alone = named(name, [value for _, value in pairs])
            if len(alone) <= NAME_LENGTH and alone != name:
                row[places.PRODUCT_NAME], row[places.NAME] = name, alone

    def _group_of(self, row: list[Any]) -> str | None:
        """Return what the rows of one product have in common: its id; else they follow each other
        and have one link or name.
        """
        if row[places.ID] is not None:
            return f"id:{row[places.ID]:019d}"
        key = row[places.LINK] or row[places.NAME]
        if key is None:
            return None
        if self._run[0] != key:
            self._run = (key, group_of_line(row[places.LINE]))
        return self._run[1]
