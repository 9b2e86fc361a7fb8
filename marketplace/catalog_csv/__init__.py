"""Reads product files (CSV) of sellers: any size in flat memory, every bad row named; no database, no HTTP.

    catalog = read(stream, default_stock=0)     # CatalogRefused where the file cannot be read
    for row in catalog:                         # CatalogRefused here too: some things show late
        if isinstance(row, GoodRow): ...        # a product, checked
        else: ...                               # BadRow: every error of it, and the row itself
    catalog.describe()                          # encoding, delimiter, columns, notes: for the seller
"""

from marketplace.catalog_csv.cells import write_path
from marketplace.catalog_csv.columns import HEADER, REPORT_HEADER
from marketplace.catalog_csv.model import (
    FILE_CODES,
    NOTES,
    ROW_CODES,
    BadRow,
    CatalogRefused,
    CellError,
    GoodRow,
)
from marketplace.catalog_csv.reader import CatalogFile, read
from marketplace.catalog_csv.spreadsheet import defuse, restore

__all__ = [
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
    "defuse",
    "read",
    "restore",
    "write_path",
]
