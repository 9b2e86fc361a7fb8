"""Products and their pictures: filters, what is sent, what is answered."""

from typing import Any

from marketplace.schemas.common import ID, STAMPS, read_only

_PRICE = {"type": "string", "meta": {"description": "Decimal, two places.", "example": "12500.00"}}
_NAMED: dict[str, Any] = {"type": "dict", "nullable": True, "schema": {"id": ID, "name": {"type": "string"}}}

IMAGE: dict[str, Any] = {
    "id": read_only(**ID),
    "image_url": read_only(type="string"),
    "is_main": {"coerce": "boolean", "meta": {"description": "True makes it the main picture."}},
    "alt": {"coerce": "line", "maxlength": 500, "nullable": True},
    "position": {"coerce": "int64", "min": 1, "max": 1000},
    "width": read_only(type="integer", nullable=True),
    "height": read_only(type="integer", nullable=True),
    "placeholder": read_only(type="string", nullable=True),
    "variants": read_only(
        type="list",
        schema={
            "type": "dict",
            "schema": {
                "name": {"type": "string"},
                "url": {"type": "string"},
                "width": {"type": "integer"},
                "height": {"type": "integer"},
            },
        },
    ),
}

#: What a seller writes of a product.
_WRITTEN: dict[str, Any] = {
    "name": {"coerce": "line", "minlength": 1, "maxlength": 500, "check_with": "not_blank", "required": True},
    "description": {"coerce": "prose", "maxlength": 20000, "nullable": True},
    "price": {
        "coerce": "money",
        "required": True,
        "meta": {"description": "A text or a number, at most two decimals.", "example": "12500.00"},
    },
    "stock": {"coerce": "int64", "min": 0, "max": 1_000_000_000},
    "sku": {"coerce": "line", "minlength": 1, "maxlength": 100, "nullable": True},
    "source_url": {"coerce": "link", "maxlength": 2048, "nullable": True},
    "category_id": {**ID, "nullable": True},
    "brand_id": {**ID, "nullable": True},
    "brand": {
        "coerce": "line",
        "minlength": 1,
        "maxlength": 200,
        "check_with": "not_blank",
        "nullable": True,
        "meta": {
            "description": "Name of a brand, instead of brand_id; made if it is new.",
            "answered_as_object": True,
        },
    },
    "hidden": {"coerce": "boolean"},
}

#: What GET answers and nobody writes; sent back as it came, it is ignored.
_READ: dict[str, Any] = {
    "id": read_only(**ID),
    "slug": read_only(type="string"),
    "currency": read_only(type="string"),
    "in_stock": read_only(type="boolean"),
    "category": read_only(**_NAMED),
    "store": read_only(**_NAMED),
    "images": read_only(type="list", schema={"type": "dict", "schema": IMAGE}),
    **STAMPS,
}

NEW: dict[str, Any] = {
    **_WRITTEN,
    **_READ,
    "store_id": {**ID, "meta": {"description": "For admins: whose product it is."}},
}

CHANGE: dict[str, Any] = {**_WRITTEN, **_READ}

#: A product as lists answer it; GET of one adds the description.
LISTED: dict[str, Any] = {
    "id": ID,
    "name": {"type": "string"},
    "slug": {"type": "string"},
    "price": _PRICE,
    "currency": {"type": "string"},
    "stock": {"type": "integer"},
    "in_stock": {"type": "boolean"},
    "sku": {"type": "string", "nullable": True},
    "source_url": {"type": "string", "nullable": True},
    "category_id": {**ID, "nullable": True},
    "category": _NAMED,
    "brand_id": {**ID, "nullable": True},
    "brand": _NAMED,
    "store": _NAMED,
    "images": {"type": "list", "schema": {"type": "dict", "schema": IMAGE}},
    "hidden": {"type": "boolean"},
    "version": {"type": "integer"},
    "created_at": {"type": "string"},
    "updated_at": {"type": "string"},
}

PRODUCT: dict[str, Any] = {**LISTED, "description": {"type": "string", "nullable": True}}

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
    **{name: rule for name, rule in FILTERS.items() if name != "store_id"},
    "hidden": {"coerce": "boolean"},
}
