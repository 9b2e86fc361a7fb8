"""All data about a user."""

from marketplace.contract.validation import Named
from marketplace.schemas.activities import ACTIVITY
from marketplace.schemas.audit import ENTRY
from marketplace.schemas.common import list_of, of, optional
from marketplace.schemas.imports import LISTED as IMPORT
from marketplace.schemas.products import PRODUCT
from marketplace.schemas.store_settings import SETTINGS
from marketplace.schemas.stores import OWN
from marketplace.schemas.users import PROFILE, SESSION

EXPORTED = Named(
    "UserExport",
    {
        "profile": of(PROFILE),
        "sessions": list_of(SESSION),
        "store": of(OWN, nullable=True),
        "store_settings": optional(of(SETTINGS)),
        "activities": list_of(ACTIVITY),
        "imports": optional(list_of(IMPORT)),
        "audit": optional(list_of(ENTRY)),
        "products": optional(list_of(PRODUCT)),
    },
)
