"""Cerberus rules as JSON Schema.

A schema with a name (validation.Named) becomes a component that is referred to, so that generated
clients have a class for it. A request's object takes only the fields it names. A response's may
gain some, and has all that its rules do not call optional.
"""

from collections.abc import Mapping
from typing import Any

from marketplace.contract.validation import Named, Schema

Document = dict[str, Any]

_CONTROL = r"\u0000-\u001F\u007F-\u009F"
_LINE = f"^[^{_CONTROL}]*$"
_FILLED_LINE = rf"^[^{_CONTROL}]*[^{_CONTROL}\s][^{_CONTROL}]*$"
_PROSE = r"^[^\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]*$"
_DAY = r"[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_INSTANT = rf"^{_DAY}([T ]{_CLOCK}(:[0-5][0-9](\.[0-9]{{1,6}})?)?(Z|[+-]{_CLOCK})?)?$"
_LINK = rf"^https?://[^\s/?#@:\[\]{_CONTROL}]+([:/?#][^\s{_CONTROL}]*)?$"
_INT64: Document = {"type": "integer", "format": "int64"}
INT32_MAX = 2**31 - 1

#: The input of a coercion, as JSON Schema. Amounts are plain texts: `format: decimal` becomes a
#: double in some clients.
_COERCED: dict[str, Document] = {
    "int64": _INT64,
    "variant_id": {**_INT64, "minimum": 1},
    "money": {
        "type": "string",
        "pattern": r"^[0-9]{1,13}(\.[0-9]{1,2})?$",
        "x-also-accepts": {
            "type": "number",
            "minimum": 0,
            "exclusiveMaximum": 10**13,
            "multipleOf": 0.01,
        },
    },
    "degrees": {"type": "number", "format": "double", "minimum": -180, "maximum": 180},
    "boolean": {"type": "boolean"},
    "line": {"type": "string", "pattern": _LINE},
    "name": {"type": "string", "pattern": _LINE},
    "key": {"type": "string", "pattern": _LINE},
    "option_name": {"type": "string", "pattern": _LINE},
    "identity": {"type": "string", "pattern": _LINE},
    "address": {"type": "string", "pattern": _LINE},
    "trimmed_prose": {"type": "string", "pattern": _PROSE},
    "words": {"type": "string", "pattern": _LINE},
    "prose": {"type": "string", "pattern": _PROSE},
    "secret": {"type": "string", "format": "password"},
    "email": {"type": "string", "format": "email", "maxLength": 254},
    "link": {"type": "string", "pattern": _LINK},
    "time": {"type": "string", "pattern": _INSTANT},
    "time_end": {"type": "string", "pattern": _INSTANT},
    "ids": {"type": "array", "items": {**_INT64, "minimum": 1}, "minItems": 1, "maxItems": 100},
    "names": {"type": "array", "items": {"type": "string"}},
    "columns": {"type": "string", "maxLength": 10_000},
}
_TYPES = {"dict": "object", "list": "array"}
_LIMITS = {
    "min": "minimum",
    "max": "maximum",
    "minlength": "minLength",
    "maxlength": "maxLength",
    "allowed": "enum",
    "default": "default",
}
#: Keys of a rule's meta that are for us and not for the document.
_OURS = ("name", "read_only", "answered_as", "optional", "example", "unless", "too_many")
#: Rules that a request's field may break and a response's may not, or that only requests have.
_OF_REQUESTS = ("pattern", "minLength", "maxLength", "default", "x-also-accepts")


class Components:
    """The named schemas of a document, collected while it is built."""

    def __init__(self) -> None:
        self.schemas: dict[str, Document] = {}
        self._built: dict[str, Schema] = {}

    def object(self, rules: Schema, *, request: bool, partial: bool = False) -> Document:
        """Return an object by its rules: a reference if they have a name, the schema itself if not.

        `partial` is PATCH: nothing is required, nothing has a default, and ProductChange is called
        ProductPatch.
        """
        if not isinstance(rules, Named):
            return self._object(rules, request=request, partial=partial)
        name = f"{rules.name.removesuffix('Change')}Patch" if partial else rules.name
        if name not in self._built:
            self._built[name] = rules
            self.schemas[name] = self._object(rules, request=request, partial=partial)
        elif (
            self._built[name] is not rules
            and self._object(rules, request=request, partial=partial) != (self.schemas[name])
        ):
            raise ValueError(f"two schemas are named {name}")
        return {"$ref": f"#/components/schemas/{name}"}

    def property(self, rule: Mapping[str, Any], *, request: bool) -> Document:
        """Return one field by its rule."""
        meta = rule.get("meta", {})
        made = self._typed(rule, request=request)
        made.update(
            {theirs: rule[ours] for ours, theirs in _LIMITS.items() if rule.get(ours) is not None}
        )
        if made.get("type") == "array":
            for of_text, of_list in (("minLength", "minItems"), ("maxLength", "maxItems")):
                if of_text in made:
                    made[of_list] = made.pop(of_text)
        if rule.get("check_with") == "not_blank":
            made["pattern"] = _FILLED_LINE
        if made.get("format") == "int64" and made.get("maximum", INT32_MAX + 1) <= INT32_MAX:
            made["format"] = "int32"
        if "enum" in made:
            made.pop("pattern", None)
        if made.get("type") == "array" and "enum" in made:
            made["items"] = {**made["items"], "enum": made.pop("enum")}
        if "enum" in made and "name" in meta:
            made = self._enumeration(meta["name"], made)
        if "answered_as" in meta:
            fields = {
                name: {**rule, "required": True} for name, rule in meta["answered_as"].items()
            }
            made["x-also-accepts"] = self._object(fields, request=True, partial=False)
        if request and meta.get("read_only"):
            made["readOnly"] = True
        if "coerce" in rule and (not request or meta.get("read_only")):
            made = {name: value for name, value in made.items() if name not in _OF_REQUESTS}
        if "example" in meta:
            made["examples"] = [meta["example"]]
        made.update({name: value for name, value in meta.items() if name not in _OURS})
        return _or_null(made) if rule.get("nullable") else made

    def _enumeration(self, name: str, made: Document) -> Document:
        self.schemas[name] = {"type": "string", "enum": made.pop("enum")}
        return {
            "$ref": f"#/components/schemas/{name}",
            **{key: made[key] for key in made.keys() & {"default"}},
        }

    def _typed(self, rule: Mapping[str, Any], *, request: bool) -> Document:
        kind = rule.get("type")
        if "coerce" in rule:
            return dict(_COERCED[rule["coerce"]])
        if kind == "dict" and "schema" in rule:
            nested = request and not rule.get("meta", {}).get("read_only")
            return self.object(rule["schema"], request=nested)
        if kind == "dict" and "valuesrules" in rule:
            return {
                "type": "object",
                "additionalProperties": self.property(rule["valuesrules"], request=request),
            }
        if kind == "dict":
            return {"type": "object", "additionalProperties": True}
        if kind == "list":
            nested = request and not rule.get("meta", {}).get("read_only")
            return {"type": "array", "items": self.property(rule["schema"], request=nested)}
        return {"type": _TYPES.get(str(kind), kind)}

    def _object(self, rules: Schema, *, request: bool, partial: bool) -> Document:
        made: Document = {"type": "object", "properties": {}}
        for name, rule in rules.items():
            field = self.property(rule, request=request)
            if partial:
                field.pop("default", None)
            made["properties"][name] = field
        required = [name for name, rule in rules.items() if _required(rule, request=request)]
        if required and not partial:
            made["required"] = required
        if request:
            made["additionalProperties"] = False
        return made


def example_of(rules: Schema) -> Document:
    """Return an example of a request: the writable fields that have an example, or are required and
    may be null.
    """
    written = {
        name: rule for name, rule in rules.items() if not rule.get("meta", {}).get("read_only")
    }
    shown = {
        name: rule
        for name, rule in written.items()
        if "example" in rule.get("meta", {}) or rule.get("required")
    }
    return {name: rule.get("meta", {}).get("example") for name, rule in shown.items()}


def _required(rule: Mapping[str, Any], *, request: bool) -> bool:
    meta = rule.get("meta", {})
    if request:
        return bool(rule.get("required")) and "unless" not in meta
    return not meta.get("optional")


def _or_null(made: Document) -> Document:
    if "$ref" in made:
        reference = {"$ref": made.pop("$ref")}
        return {"anyOf": [reference, {"type": "null"}], **made}
    made["type"] = [made["type"], "null"]
    if "enum" in made:
        made["enum"] = [*made["enum"], None]
    return made
