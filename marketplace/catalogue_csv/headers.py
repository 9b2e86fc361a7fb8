"""Names of columns, compared without case, accents, blanks and marks: `Image URL` and
`image_url` are one.
"""

import unicodedata

#: What a row can say of a product: our own header, in the order an export writes it, and what
#: dialects fill.
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
#: What a report of bad rows has beside the row itself; without meaning when it comes back.
REPORT_HEADER = ("error_line", "error_column", "error_code", "error_message")
SHORT_REPORT_HEADER = ("line", "column", "code", "message")
REQUIRED = ("name", "price")


def folded(header: str) -> str:
    """A header without case, accents, blanks and marks."""
    plain = unicodedata.normalize("NFKD", header[:200]).casefold()
    return "".join(sign for sign in plain if sign.isalnum())
