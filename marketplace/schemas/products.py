"""Products and their images: filters, what is sent, what is returned."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.common import (
    FLAG,
    ID,
    NUMBER,
    REFERENCE,
    STAMPS,
    TEXT,
    TEXT_OR_NULL,
    URL,
    described,
    list_of,
    of,
    one_of,
    read_only,
)

_PRICE: dict[str, Any] = {
    "type": "string",
    "meta": {
        "description": "Decimal, two places.",
        "pattern": r"^[0-9]{1,13}\.[0-9]{2}$",
        "example": "12500.00",
    },
}
_NAMED: dict[str, Any] = of(REFERENCE, nullable=True)

VARIANT = Named(
    "PictureVariant",
    {
        "name": one_of(
            "thumb", "small", "large", words="At most 240, 640, 1280 pixels; more may come."
        ),
        "url": URL,
        "width": NUMBER,
        "height": NUMBER,
    },
)

IMAGE = Named(
    "ProductImage",
    {
        "id": read_only(**ID),
        "image_url": read_only(**URL),
        "is_main": {
            "coerce": "boolean",
            "meta": {"description": "True makes it the main image."},
        },
        "alt": {"coerce": "line", "maxlength": 500, "nullable": True, "meta": {"example": "Depan"}},
        "width": read_only(**NUMBER, nullable=True),
        "height": read_only(**NUMBER, nullable=True),
        "placeholder": read_only(**described(TEXT_OR_NULL, "thumbhash, base64.")),
        "variants": read_only(**list_of(VARIANT)),
    },
)
IMAGES = Named("ProductImages", {"images": list_of(IMAGE)})
CHANGE_IMAGE = Named(
    "ProductImageChange",
    {
        **IMAGE,
        "position": {
            "coerce": "int64",
            "min": 1,
            "max": 1000,
            "meta": {"description": "Its place among the others."},
        },
    },
)

#: The fields of a product that a seller writes.
_WRITTEN: dict[str, Any] = {
    "name": {
        "coerce": "name",
        "minlength": 1,
        "maxlength": 500,
        "check_with": "not_blank",
        "required": True,
        "meta": {"example": "Kopi Gayo 250 g"},
    },
    "description": {"coerce": "trimmed_prose", "maxlength": 20000, "nullable": True},
    "price": {
        "coerce": "money",
        "required": True,
        "meta": {"description": "A text or a number, at most two decimals.", "example": "12500.00"},
    },
    "stock": {"coerce": "int64", "min": 0, "max": 1_000_000_000, "meta": {"example": 12}},
    "sku": {"coerce": "key", "minlength": 1, "maxlength": 100, "nullable": True},
    "source_url": {"coerce": "link", "maxlength": 2048, "nullable": True},
    "category_id": {**ID, "nullable": True},
    "brand_id": {**ID, "nullable": True},
    "brand": {
        "coerce": "identity",
        "minlength": 1,
        "maxlength": 200,
        "check_with": "not_blank",
        "nullable": True,
        "meta": {
            "description": "Name of a brand, instead of brand_id; made if it is new. The object "
            "of a GET is ignored.",
            "example": "Gayo Asli",
            "answered_as": REFERENCE,
        },
    },
    "hidden": {"coerce": "boolean"},
}

#: Read-only fields of a GET; sent back unchanged, they are ignored.
_READ: dict[str, Any] = {
    "id": read_only(**ID),
    "slug": read_only(**TEXT),
    "currency": read_only(**TEXT),
    "in_stock": read_only(**FLAG),
    "category": read_only(**_NAMED),
    "store": read_only(**of(REFERENCE)),
    "images": read_only(**list_of(IMAGE)),
    **STAMPS,
}

NEW = Named(
    "NewProduct",
    {
        **_WRITTEN,
        **_READ,
        "store_id": {**ID, "meta": {"description": "For admins: whose product it is."}},
    },
)
CHANGE = Named("ProductChange", {**_WRITTEN, **_READ})

_LISTED: dict[str, Any] = {
    "id": ID,
    "name": described(TEXT, "1 to 500 characters."),
    "slug": TEXT,
    "price": _PRICE,
    "currency": {"type": "string", "meta": {"description": "ISO 4217.", "example": "IDR"}},
    "stock": NUMBER,
    "in_stock": FLAG,
    "sku": TEXT_OR_NULL,
    "source_url": TEXT_OR_NULL,
    "category_id": {**ID, "nullable": True},
    "category": _NAMED,
    "brand_id": {**ID, "nullable": True},
    "brand": _NAMED,
    "store": of(REFERENCE),
    "images": described(list_of(IMAGE), "The main one first."),
    "hidden": FLAG,
    **STAMPS,
}
#: A product in lists; GET of one adds the description.
LISTED = Named("ListedProduct", _LISTED)
PRODUCT = Named("Product", {**_LISTED, "description": TEXT_OR_NULL})

FILTERS: dict[str, Any] = {
    "category_id": {**ID, "meta": {"description": "With all categories below it."}},
    "brand_id": ID,
    "store_id": ID,
    "min_price": {"coerce": "money"},
    "max_price": {"coerce": "money"},
    "in_stock": {"coerce": "boolean"},
    "search": {
        "coerce": "words",
        "maxlength": 200,
        "meta": {"description": "Words of name, brand, category, description."},
    },
    "ids": {"coerce": "ids", "meta": {"description": "Up to 100 ids with commas between."}},
    "sort_by": {
        "coerce": "line",
        "allowed": ["newest", "created_at", "price", "name", "stock", "relevance"],
        "meta": {"description": "newest, or relevance where `search` is given."},
    },
    "sort_order": {
        "coerce": "line",
        "allowed": ["asc", "desc"],
        "meta": {"description": "price and name begin with asc, the others with desc."},
    },
}

OWN_FILTERS: dict[str, Any] = {
    **FILTERS,
    "store_id": described(FILTERS["store_id"], "An admin names the store."),
    "search": described(FILTERS["search"], "Words, or a SKU as it is."),
    "hidden": {"coerce": "boolean"},
}
