"""Names of columns, compared without case, accents, blanks and marks: `Image URL` and
`image_url` are one.
"""

import unicodedata

#: The fields of a product: our own header, in the order of an export, and those that dialects fill.
HEADER = (
    "marketplace_product_id",
    "name",
    "description",
    "price",
    "stock",
    "sku",
    "source_url",
    "category",
    "brand",
    "image_url",
    "hidden",
)
#: The columns of a report of bad rows beside the row itself; ignored when it comes back.
REPORT_HEADER = ("error_line", "error_column", "error_code", "error_message")
SHORT_REPORT_HEADER = ("line", "column", "code", "message")
REQUIRED = ("name", "price")


def folded(header: str) -> str:
    """Return a header without case, accents, blanks and marks."""
    plain = unicodedata.normalize("NFKD", header[:200]).casefold()
    return "".join(sign for sign in plain if sign.isalnum())
