"""The legacy Android app's calls: what it sends and what it reads."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas import products, stores, users
from marketplace.schemas.common import ID, TEXT, TEXT_OR_NULL, URL, described, of

_MESSAGE: dict[str, Any] = described(TEXT, "For the user, in Indonesian.")

USERNAME = Named("FirstAppUsername", {"name": users.PROFILE["name"]})
RENAMED = Named("FirstAppRenamed", {"message": _MESSAGE, "user": of(users.PROFILE)})

#: Its "brand" is our store.
NEW_BRAND = Named(
    "FirstAppNewBrand", {name: stores.STORE[name] for name in ("name", "description")}
)
BRAND = Named(
    "FirstAppBrand", {"id": ID, "name": TEXT, "description": TEXT_OR_NULL, "owner_id": ID}
)
OPENED = Named(
    "FirstAppOpened", {"message": _MESSAGE, "brand": of(BRAND), "user": of(users.PROFILE)}
)

#: Its list has prices as JSON numbers, which Kotlin's Double can read.
PRODUCT = Named(
    "FirstAppProduct",
    {
        **products.LISTED,
        "description": TEXT_OR_NULL,
        "price": {
            "type": "number",
            "min": 0,
            "meta": {"description": "Two places.", "example": 12500.0},
        },
    },
)
NEW_PRODUCT: dict[str, Any] = {
    name: products.NEW[name] for name in ("name", "description", "price", "stock", "category_id")
}
CREATED = Named(
    "FirstAppCreated",
    {
        "message": _MESSAGE,
        "product_id": ID,
        "product_name": TEXT,
        "main_image_url": {**URL, "nullable": True},
        "product": of(products.PRODUCT),
    },
)
