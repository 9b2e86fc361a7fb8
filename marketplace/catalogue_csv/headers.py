"""Names of columns, compared without case, accents, blanks and marks: `Image URL` and
`image_url` are one.
"""

import re
import unicodedata

#: The fields of a product: our own header, in the order of an export, and those that dialects fill.
HEADER = (
    "marketplace_product_id",
    "name",
    "description",
    "price",
    "stock",
    "stock_seen",
    "sku",
    "source_url",
    "category",
    "brand",
    "image_url",
    "hidden",
    "variant_id",
    "option1_name",
    "option1_value",
    "option2_name",
    "option2_value",
    "option3_name",
    "option3_value",
    "weight_grams",
    "price_before",
    "variant_hidden",
    "variant_barcode",
    "variant_image",
)
#: Of these, those that a file of another system cannot mean: only the exact name is one of ours.
EXACT = frozenset((*HEADER[HEADER.index("variant_id") :], "stock_seen"))
#: Names and values of the options of a variant, in pairs.
OPTIONS = tuple((f"option{n}_name", f"option{n}_value") for n in (1, 2, 3))
#: The columns of a report of bad rows beside the row itself; ignored when it comes back.
REPORT_HEADER = ("error_line", "error_column", "error_code", "error_message")
SHORT_REPORT_HEADER = ("line", "column", "code", "message")
REQUIRED = ("name", "price")
#: Fields that match an existing product.
KEYS = ("marketplace_product_id", "variant_id", "sku", "source_url")

#: Vendure writes `name:en`.
_LANGUAGE = re.compile(r"(?<=\w):[a-z]{2}(?:[-_][A-Za-z]{2,4})?\Z")
#: Remarks on a column beside its name: its currency or unit, and whether it must be filled in.
_REMARK = re.compile(
    r"\s*[(\[](?:[^)\]]*\b(?:rp|idr|rupiah|rm|myr|usd|sgd|eur|euro|pcs|pc|buah|unit|wajib|opsional|optional|required|"
    r"mandatory|karakter|characters?|min|minimum|minimal|maks|max|maximum|english|indonesian?|"
    r"bahasa|mata uang|currency)\b[^)\]]*|[$€£]|[0-9]+)[)\]]\s*"
    r"|\|[0-9]+\|[0-9]+\Z",
    re.IGNORECASE,
)


def key_of(header: str) -> str:
    """Return a header in comparable form: folded, without remarks such as `(Rp)` and the language
    of Vendure's.
    """
    bare = (
        _REMARK.sub(" ", header[:300])
        if "(" in header or "[" in header or "|" in header
        else header
    )
    return folded(_LANGUAGE.sub("", bare.strip())) or folded(header)


def folded(header: str) -> str:
    """Return a header without case, accents, blanks and marks."""
    plain = unicodedata.normalize("NFKD", header[:200]).casefold()
    return "".join(sign for sign in plain if sign.isalnum())
