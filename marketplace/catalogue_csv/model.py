"""The results of reading a catalogue: good rows, bad rows, or a refusal of the whole file; and
their codes.
"""

from decimal import Decimal
from typing import NamedTuple

NAME_LENGTH = 500
DESCRIPTION_LENGTH = 20_000
SKU_LENGTH = 100
LINK_LENGTH = 2048
CATEGORY_LENGTH = 200
CATEGORY_DEPTH = 8
BRAND_LENGTH = 200
IMAGES = 100
OPTION_LENGTH = 100
#: In bytes, with what PostgreSQL writes around the values of one variant.
OPTIONS_BYTES = 1000
OPTIONS = 3
VARIANTS = 100
WEIGHT_LIMIT = 1_000_000
STOCK_LIMIT = 1_000_000_000
#: In characters. A file that goes past one of them is refused, so that memory stays flat.
CELL_LENGTH = 1_000_000
ROW_LENGTH = 2_000_000
COLUMNS = 1_000

#: Why a row is bad. Stable: clients and reports switch on them.
ROW_CODES = {
    "required": "the cell is empty and must not be, or a new product has no name or no price",
    "too_long": "more characters than there is room for",
    "control_character": "a character that cannot be seen or printed, such as NUL",
    "invisible_character": "an invisible sign in an SKU, or nothing that can be seen",
    "spreadsheet_value": "a number that a spreadsheet has shortened, such as 8.99E+12, or an "
    "error of its own, such as #REF!",
    "too_many_marks": "hundreds of accents on one letter",
    "invalid_encoding": "bytes that are no text in the encoding of the file",
    "invalid_price": "not an amount, or one with more than two decimals",
    "ambiguous_price": "1.299 or 1,299 in a file that has that sign for decimals, or both signs",
    "negative_price": "an amount below zero",
    "price_too_large": "an amount of 10,000,000,000,000 or more",
    "invalid_integer": "not a whole number",
    "negative_stock": "a stock below zero",
    "stock_too_large": "a stock of more than 1,000,000,000",
    "invalid_url": "not a link that begins with http:// or https://",
    "too_many_images": "more than 100 links to pictures",
    "category_too_deep": "a path of more than 8 categories",
    "unknown_category": "a category that is not there, where imports may not add any",
    "invalid_hidden": "neither yes nor no",
    "invalid_id": "not the number of a product or variant",
    "invalid_weight": "not a whole number of grams up to 1,000,000",
    "price_before_too_low": "a struck price that is not above the price",
    "too_many_variants": "a product of more than 100 variants",
    "duplicate_options": "another row or variant of the product has the same options",
    "options_differ": "not a value for each of the options that the product has",
    "has_variants": "a price, a stock or an SKU for a product whose variants have them",
    "simple_product": "variants=together, and the row matches a product without variants",
    "precondition_failed": "the stock is not what stock_seen says, and would be set",
    "duplicate_sku": "an earlier row of the file has the same SKU and says something else",
    "duplicate_source_url": "an earlier row of the file has the same link and says something else",
    "conflicting_keys": "id, SKU and link belong to several products of the store",
    "too_many_columns": "more cells than the header has columns",
    "too_few_columns": "the row ends before a column that it must have",
    "stray_quote": "something stands behind the quote that closes a cell",
    "unbalanced_quote": "a quote opens a cell and is not closed in its row",
}

#: Why a whole file is refused.
FILE_CODES = {
    "empty_file": "no bytes, nothing but blank lines, or a header without rows",
    "not_csv": "another kind of file: a workbook, an archive, a picture, a web page",
    "no_known_columns": "no column of the header is known",
    "missing_column": "the header lacks the name or the price, and any key by which products "
    "could be found",
    "unknown_column": "columns= names a column that the header does not have, or a field that "
    "there is not",
    "duplicate_column": "two columns mean the same thing",
    "too_many_columns": "more than 1,000 columns",
    "cell_too_large": "a cell of more than 1,000,000 characters",
    "line_too_long": "a row of more than 2,000,000 characters",
    "stray_quote": "in the header, something stands behind the quote that closes a cell",
    "unbalanced_quote": "a quote is open at the end of the file, or of the header",
}

#: Facts about how a file was read, for the seller; see CatalogFile.notes.
NOTES = {
    "blank_rows": "rows without anything in them, left out",
    "title_rows": "rows above the header, such as a title, left out",
    "default_stock": "rows that give no stock: new products get default_stock, others keep theirs",
    "no_key": "rows with neither SKU nor link: each import makes a new product of them",
    "several_categories": "rows with several categories: the first was taken",
    "sale_prices": "rows whose price is the sale price",
    "negative_stock": "rows of another system with a stock below zero, read as 0",
    "pictures_left_out": "pictures that are no links, such as names of files or pictures within "
    "the file",
    "in_stock": "rows that are in stock without a number: new products get default_stock, at "
    "least 1; others keep theirs",
    "parent_stock": "variants whose stock their parent keeps: not known, as if the cell were empty",
    "part_stock": "stocks such as 1.5, rounded down",
    "hidden_matched": "rows that matched a hidden or removed product: it is changed and stays "
    "hidden, unless hidden is no",
    "hidden": "rows whose product is not to be shown: drafts, private and archived ones",
    "variants_separate": "rows of variants that stayed products of their own, since one of them "
    "matches a product without variants",
    "stock_raised": "rows without stock_seen whose stock goes up: what was sold since the file was "
    "written would come back; changes names them",
    "repeated_skus": "variants with the SKU of another variant of their product: the option was "
    "added to it",
    "other_currency": "rows with further prices of a product, in another currency than the one "
    "that was read",
    "grouped": "rows that only bundle other products and have no price, left out",
    "category_limit": "rows whose category the file may not make: they went to the nearest one "
    "above that is there",
    "parents_shortened": "so many parent rows that their descriptions and pictures were not "
    "given to their variants",
}


class CatalogRefused(Exception):
    """The file as a whole cannot be read: a code of FILE_CODES and words for the seller.

    Some refusals come late, after rows were returned: an open quote shows at the end of a file.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class BadCell(ValueError):
    """An invalid cell: a code of ROW_CODES and words for the seller."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class CellError(NamedTuple):
    """One error of a row. `column` has the file's name of it; None for the row as a whole."""

    column: str | None
    code: str
    message: str


class GoodRow(NamedTuple):
    """A product of the file or a variant of one, checked; None for values that it lacks.

    `known_id` is the product's own id, in files that the export wrote. A row without a name or a
    price can only change an existing product; it has one of the keys known_id, variant_id, sku and
    source_url. `in_stock`: there is some, and the file does not tell how much.

    The rows of one `group` are the variants of one product, and differ by their `options`: name
    and value of each. `name`, `description` and `image_urls` are those of a product that such a
    row makes alone; what the product of all of them has is in `product_name`,
    `product_description` (None: the same) and `gallery` (none: the images of all rows).
    `stock_seen`: the stock when the file was written.
    """

    line: int
    known_id: int | None
    name: str | None
    description: str | None
    price: Decimal | None
    stock: int | None
    sku: str | None
    source_url: str | None
    category: tuple[str, ...] | None
    brand: str | None
    image_urls: tuple[str, ...]
    hidden: bool | None
    in_stock: bool | None = None
    group: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    product_name: str | None = None
    product_description: str | None = None
    gallery: tuple[str, ...] = ()
    variant_id: int | None = None
    variant_image: str | None = None
    variant_hidden: bool | None = None
    barcode: str | None = None
    weight_grams: int | None = None
    price_before: Decimal | None = None
    stock_seen: int | None = None


class BadRow(NamedTuple):
    """A row with all its errors. `cells` are under the file's header, all text."""

    line: int
    errors: tuple[CellError, ...]
    cells: tuple[str, ...]


class SharedRow(NamedTuple):
    """A row that is no product: the parent of variants, further images, a bundle."""

    line: int
