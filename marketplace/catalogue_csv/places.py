"""The places of a row's values while it is read: those of GoodRow, and a few behind them."""

from marketplace.catalogue_csv.headers import OPTIONS as _OPTION_COLUMNS
from marketplace.catalogue_csv.model import GoodRow

LINE = GoodRow._fields.index("line")
NAME = GoodRow._fields.index("name")
DESCRIPTION = GoodRow._fields.index("description")
PRICE = GoodRow._fields.index("price")
STOCK = GoodRow._fields.index("stock")
SKU = GoodRow._fields.index("sku")
LINK = GoodRow._fields.index("source_url")
ID = GoodRow._fields.index("known_id")
IMAGES = GoodRow._fields.index("image_urls")
HIDDEN = GoodRow._fields.index("hidden")
IN_STOCK = GoodRow._fields.index("in_stock")
GROUP = GoodRow._fields.index("group")
OPTIONS = GoodRow._fields.index("options")
PRODUCT_NAME = GoodRow._fields.index("product_name")
PRODUCT_DESCRIPTION = GoodRow._fields.index("product_description")
GALLERY = GoodRow._fields.index("gallery")
VARIANT = GoodRow._fields.index("variant_id")
VARIANT_IMAGE = GoodRow._fields.index("variant_image")
VARIANT_HIDDEN = GoodRow._fields.index("variant_hidden")
BEFORE = GoodRow._fields.index("price_before")
#: Behind the values of a row, while it is read: names and values of options in our own columns.
ROW_LENGTH = len(GoodRow._fields)
_NAMES = [name for pair in _OPTION_COLUMNS for name in pair]
OPTION_FIELDS = {name: ROW_LENGTH + number for number, name in enumerate(_NAMES)}
