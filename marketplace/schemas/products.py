"""Products and their images: filters, what is sent, what is returned."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.common import (
    COUNT,
    FLAG,
    ID,
    INT32_MAX,
    NUMBER,
    REFERENCE,
    STAMPS,
    TEXT,
    TEXT_OR_NULL,
    TIME,
    URL,
    described,
    list_of,
    of,
    one_of,
    optional,
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
_PRICE_OR_NULL: dict[str, Any] = {**_PRICE, "nullable": True}
_PIECES: dict[str, Any] = {"coerce": "int64", "min": 0, "max": 1_000_000_000}
_AMOUNT: dict[str, Any] = {
    "coerce": "money",
    "meta": {"description": "A text or a number, at most two decimals.", "example": "12500.00"},
}
_OLD_AMOUNT: dict[str, Any] = {
    "coerce": "money",
    "nullable": True,
    "meta": {"description": "The struck price, above `price`; null: none."},
}
_KEY: dict[str, Any] = {"coerce": "key", "minlength": 1, "maxlength": 100, "nullable": True}
_GRAMS: dict[str, Any] = {"coerce": "int64", "min": 0, "max": 1_000_000, "nullable": True}
_CENTIMETRES: dict[str, Any] = {"coerce": "int64", "min": 1, "max": 1000, "nullable": True}
_OPTION_NAME: dict[str, Any] = {"coerce": "name", "minlength": 1, "maxlength": 100}

#: The store of a product, as it stands beside everything that it sells.
STORE = Named(
    "StoreReference",
    {
        **REFERENCE,
        "logo_url": optional({**URL, "nullable": True}),
        "city": optional(TEXT_OR_NULL),
        "closed_until": optional(
            {**TIME, "nullable": True, "meta": {**TIME["meta"], "description": "On holiday."}}
        ),
    },
)

#: What variants differ by: a name, and the values that visible variants have.
OPTION = Named(
    "ProductOption",
    {
        "name": {**TEXT, "meta": {"example": "Warna"}},
        "values": {"type": "list", "schema": TEXT},
    },
)

#: The fields of a variant that a seller writes.
_OF_VARIANT: dict[str, Any] = {
    "options": {
        "type": "list",
        "maxlength": 3,
        "schema": _OPTION_NAME,
        "meta": {"description": "A value for each option of the product.", "example": ["Merah"]},
    },
    "sku": described(_KEY, "Unique in the store, among products too."),
    "barcode": _KEY,
    "price": _AMOUNT,
    "price_before": _OLD_AMOUNT,
    "image_id": {
        **ID,
        "nullable": True,
        "meta": {"description": "One of the product's images; null: its main one."},
    },
    "weight_grams": described(_GRAMS, "Of one piece; null: the product's."),
    "stock": {
        **_PIECES,
        "max": 999_999_999,
        "meta": {"description": "Pieces that can be sold.", "example": 12},
    },
    "hidden": {"coerce": "boolean"},
}
_OWN_FIELDS: dict[str, Any] = {"id": read_only(**ID), "in_stock": read_only(**FLAG)}
#: One variant by itself: added, changed.
NEW_VARIANT = Named(
    "NewProductVariant",
    {
        **_OF_VARIANT,
        "options": {**_OF_VARIANT["options"], "required": True},
        "price": {**_AMOUNT, "required": True},
        **_OWN_FIELDS,
    },
)
VARIANT_CHANGE = Named("ProductVariantChange", {**_OF_VARIANT, **_OWN_FIELDS})
#: One of all that a product is to have: matched by its id, else by its options.
WANTED_VARIANT = Named(
    "WantedVariant",
    {
        "id": described(ID, "A variant of the product; without one, its options say which it is."),
        **_OF_VARIANT,
        "in_stock": read_only(**FLAG),
    },
)
#: A variant as it is returned.
PRODUCT_VARIANT = Named(
    "ProductVariant",
    {
        "id": ID,
        "options": {
            "type": "list",
            "schema": TEXT,
            "meta": {"description": "A value for each option of the product."},
        },
        "sku": TEXT_OR_NULL,
        "barcode": TEXT_OR_NULL,
        "price": _PRICE,
        "price_before": _PRICE_OR_NULL,
        "image_id": {**ID, "nullable": True},
        "weight_grams": {**NUMBER, "nullable": True},
        "stock": NUMBER,
        "in_stock": FLAG,
        "hidden": FLAG,
    },
)

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
        **_AMOUNT,
        "required": True,
        "meta": {
            **_AMOUNT["meta"],
            "description": "A text or a number, at most two decimals. With `variants` it is the "
            "lowest of theirs, and may be left out.",
            "unless": "variants",
        },
    },
    "price_before": _OLD_AMOUNT,
    "stock": {**_PIECES, "meta": {"example": 12}},
    "sku": _KEY,
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
    "condition": {"coerce": "line", "allowed": ["new", "used"], "meta": {"name": "Condition"}},
    "min_quantity": {
        "coerce": "int64",
        "min": 1,
        "max": 1000,
        "meta": {"description": "Fewest pieces that are sold at a time."},
    },
    "max_per_buyer": {
        "coerce": "int64",
        "min": 1,
        "max": INT32_MAX,
        "nullable": True,
        "meta": {"description": "Most pieces a buyer gets in 30 days; null: no limit."},
    },
    "preorder_days": {
        "coerce": "int64",
        "min": 1,
        "max": 90,
        "nullable": True,
        "meta": {"description": "Days beyond the usual until it is sent; null: none."},
    },
    "weight_grams": described(_GRAMS, "Of one piece with its wrapping."),
    "length_cm": described(_CENTIMETRES, "Of the parcel, as width_cm and height_cm."),
    "width_cm": _CENTIMETRES,
    "height_cm": _CENTIMETRES,
    "options": {
        "type": "list",
        "maxlength": 3,
        "schema": {
            **_OPTION_NAME,
            "coerce": "option_name",
            "meta": {"answered_as": OPTION},
        },
        "meta": {
            "description": "What the variants differ by: Warna, Ukuran. The objects of a GET are "
            "taken as their names.",
        },
    },
    "variants": {
        "type": "list",
        "schema": of(WANTED_VARIANT),
        "meta": {
            "description": "All that it is to be sold in: matched by id, else by options; the rest "
            "is hidden. What is left out of a variant that exists stays as it is.",
            "maxItems": 100,
            "too_many": "too_many_variants",
        },
    },
}

#: Read-only fields of a GET; sent back unchanged, they are ignored.
_READ: dict[str, Any] = {
    "id": read_only(**ID),
    "slug": read_only(**TEXT),
    "currency": read_only(**TEXT),
    "in_stock": read_only(**FLAG),
    "category": read_only(**_NAMED),
    "store": read_only(**of(STORE)),
    "images": read_only(**list_of(IMAGE)),
    "price_max": read_only(**_PRICE_OR_NULL),
    "variant_count": read_only(**NUMBER),
    "sold": read_only(**COUNT),
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
CHANGE = Named(
    "ProductChange",
    {
        **_WRITTEN,
        **_READ,
        "blocked": {
            "coerce": "line",
            "minlength": 1,
            "maxlength": 500,
            "nullable": True,
            "meta": {"description": "For admins: why it is taken off sale; null lets it go."},
        },
    },
)

_LISTED: dict[str, Any] = {
    "id": ID,
    "name": described(TEXT, "1 to 500 characters."),
    "slug": TEXT,
    "price": described(_PRICE, "Decimal, two places; the lowest of its variants."),
    "price_max": described(_PRICE_OR_NULL, "The highest of its variants; null: as price."),
    "price_before": described(_PRICE_OR_NULL, "The struck price; null: none."),
    "currency": {"type": "string", "meta": {"description": "ISO 4217.", "example": "IDR"}},
    "stock": described(NUMBER, "What can be sold, of all its visible variants."),
    "in_stock": FLAG,
    "sku": TEXT_OR_NULL,
    "source_url": TEXT_OR_NULL,
    "category_id": {**ID, "nullable": True},
    "category": _NAMED,
    "brand_id": {**ID, "nullable": True},
    "brand": _NAMED,
    "store": of(STORE),
    "images": described(list_of(IMAGE), "The main one first."),
    "variant_count": described(NUMBER, "How many variants it has; 0: it is sold as it is."),
    "options": described(list_of(OPTION), "What its variants differ by."),
    "hidden": FLAG,
    **STAMPS,
}
#: A product in lists; GET of one adds the description, how it is sold, its measures and variants.
LISTED = Named("ListedProduct", _LISTED)
PRODUCT = Named(
    "Product",
    {
        **_LISTED,
        "description": TEXT_OR_NULL,
        "sold": described(COUNT, "Pieces sold so far, some minutes old."),
        "condition": one_of("new", "used", words="As it is sold."),
        "min_quantity": described(NUMBER, "Fewest pieces that are sold at a time."),
        **{
            name: {**NUMBER, "nullable": True}
            for name in (
                "max_per_buyer",
                "preorder_days",
                "weight_grams",
                "length_cm",
                "width_cm",
                "height_cm",
            )
        },
        "blocked": described(TEXT_OR_NULL, "Why an admin took it off sale; null: none did."),
        "variants": described(list_of(PRODUCT_VARIANT), "Empty where it is sold as it is."),
    },
)

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
        "meta": {
            "description": "newest, or relevance where `search` is given. stock is not offered any "
            "more: each sale changes it."
        },
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
