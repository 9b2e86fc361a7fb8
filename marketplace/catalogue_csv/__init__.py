"""Reads product files (CSV) of sellers: any size in flat memory, every bad row named; no database,
no HTTP.

catalog = read(stream)                      # CatalogRefused where the file cannot be read
for row in catalog:
    if isinstance(row, GoodRow): ...        # a product, checked
    elif isinstance(row, BadRow): ...       # every error of it, and the row itself
    else: ...                               # SharedRow: no product, but what products share
catalog.describe()                          # dialect, encoding, columns, signs, notes: for the
seller
"""

from marketplace.catalogue_csv.cells import write_path
from marketplace.catalogue_csv.dialects import NAMES as DIALECTS
from marketplace.catalogue_csv.headers import HEADER, REPORT_HEADER
from marketplace.catalogue_csv.model import (
    FILE_CODES,
    NOTES,
    ROW_CODES,
    BadRow,
    CatalogRefused,
    CellError,
    GoodRow,
    SharedRow,
)
from marketplace.catalogue_csv.reader import CatalogFile, read
from marketplace.catalogue_csv.spreadsheet import defuse, restore, written

__all__ = [
    "DIALECTS",
    "FILE_CODES",
    "HEADER",
    "NOTES",
    "REPORT_HEADER",
    "ROW_CODES",
    "BadRow",
    "CatalogFile",
    "CatalogRefused",
    "CellError",
    "GoodRow",
    "SharedRow",
    "defuse",
    "read",
    "restore",
    "write_path",
    "written",
]
