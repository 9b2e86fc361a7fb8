"""Words that mean the same: the whole list, as it is sent and returned."""

from marketplace.contract.validation import Named
from marketplace.schemas.common import COUNT, TEXT, described, list_of, read_only

#: Groups of a list.
MOST = 1000
#: Words of a group.
WORDS = (2, 10)

_VERSION = described(COUNT, "Rises with every change.")
_NEW_GROUP = Named(
    "NewSynonyms",
    {
        "words": {
            "type": "list",
            "minlength": WORDS[0],
            "maxlength": WORDS[1],
            "required": True,
            "schema": {"coerce": "name", "minlength": 1, "maxlength": 50},
            "meta": {
                "description": "Single words, each in one group. Case and accents do not matter.",
                "example": ["hp", "handphone", "ponsel"],
            },
        }
    },
)
_GROUP = Named("Synonyms", {"words": {"type": "list", "schema": TEXT}})
SYNONYMS = Named("SearchSynonyms", {"synonyms": list_of(_GROUP), "version": _VERSION})
CHANGE = Named(
    "SearchSynonymsChange",
    {
        "synonyms": list_of(
            _NEW_GROUP,
            maxlength=MOST,
            required=True,
            meta={"example": [{"words": ["hp", "handphone", "ponsel"]}]},
        ),
        "version": read_only(**_VERSION),
    },
)
