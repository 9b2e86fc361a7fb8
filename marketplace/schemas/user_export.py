"""All data about a user."""

from marketplace.contract.validation import Named
from marketplace.schemas.activities import ACTIVITY
from marketplace.schemas.addresses import ADDRESS
from marketplace.schemas.audit import ENTRY
from marketplace.schemas.common import ID, TEXT, TEXT_OR_NULL, TIME, list_of, of, optional
from marketplace.schemas.imports import LISTED as IMPORT
from marketplace.schemas.products import PRODUCT
from marketplace.schemas.store_settings import SETTINGS
from marketplace.schemas.stores import OWN
from marketplace.schemas.users import PROFILE, SESSION

#: As they were bought: more fields may come.
BOUGHT = Named(
    "ExportedOrder",
    {
        "id": ID,
        "number": TEXT,
        "checkout_number": TEXT,
        "stage": TEXT,
        "payment_status": TEXT,
        "fulfilment_status": TEXT,
        "method": TEXT,
        "currency": TEXT,
        "total": TEXT,
        "paid": TEXT,
        "refunded": TEXT,
        "note": TEXT_OR_NULL,
        "placed_at": TIME,
        "completed_at": {**TIME, "nullable": True},
        "store": TEXT,
        "address": {"type": "dict", "nullable": True},
        "lines": {"type": "list", "schema": {"type": "dict"}},
        "parcels": {"type": "list", "schema": {"type": "dict"}},
        "returns": {"type": "list", "schema": {"type": "dict"}},
    },
)
PAID = Named(
    "ExportedPayment",
    {
        "id": ID,
        "checkout_number": TEXT,
        "method": TEXT,
        "channel": TEXT_OR_NULL,
        "state": TEXT,
        "amount": TEXT,
        "currency": TEXT,
        "received": TEXT,
        "proof": {"type": "dict", "nullable": True},
        "created_at": TIME,
    },
)

EXPORTED = Named(
    "UserExport",
    {
        "profile": of(PROFILE),
        "sessions": list_of(SESSION),
        "store": of(OWN, nullable=True),
        "store_settings": optional(of(SETTINGS)),
        "addresses": list_of(ADDRESS),
        "activities": list_of(ACTIVITY),
        "orders": list_of(BOUGHT),
        "payments": list_of(PAID),
        "imports": optional(list_of(IMPORT)),
        "audit": optional(list_of(ENTRY)),
        "products": optional(list_of(PRODUCT)),
    },
)
