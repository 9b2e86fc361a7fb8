"""Cerberus, extended for this API: int64, money, text, e-mail, times; one validator per request.

A schema is a plain dict of cerberus rules. The same dict checks requests and becomes the OpenAPI
document. A rule's `meta` has what only the document needs (`description`, `example`), and
`read_only`: such a field may be sent back unchanged and is ignored.

A validator is made for each request: shared by threads it gives wrong verdicts.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import cerberus
from cerberus import errors as reasons

from marketplace.contract.bounds import printable, require_bounded
from marketplace.contract.errors import FieldError, Problem
from marketplace.contract.naming import named
from marketplace.contract.texts import Wrong, require_encodable, text
from marketplace.text.lines import folded, has_invisible, hides, is_seen, stripped, turns
from marketplace.text.messages import say

Schema = Mapping[str, Mapping[str, Any]]


class Named(dict[str, Any]):
    """A schema with a name in the document, and so in generated clients. A copy by {**schema} has
    none.
    """

    def __init__(self, name: str, rules: Schema) -> None:
        super().__init__(rules)
        self.name = name


INT64_MAX = 2**63 - 1
_LONE_CR = re.compile(r"\r(?!\n)")
_MINUSES = re.compile(r"-(?:[\s\"]*-)+")
_DIGITS = re.compile(r"-?[0-9]{1,19}\Z")
_MONEY = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?\Z")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?\Z"
)
#: The form that Python 3.10 requires: three or six decimals of a second, and a colon in the zone.
_DECIMALS = re.compile(r"\.[0-9]{1,6}")
_BLANK_ZONE = re.compile(r"(T[0-9:.,]{5,20}) ([0-9]{2}:?[0-9]{2})\Z")
_ZONE = re.compile(r"(?<=[+-][0-9]{2})(?=[0-9]{2}\Z)")


#: cerberus error -> our code. The message is cerberus's own unless a coercion gave one.
_CODES = {
    reasons.REQUIRED_FIELD.code: "required",
    reasons.UNKNOWN_FIELD.code: "unknown_field",
    reasons.NOT_NULLABLE.code: "not_nullable",
    reasons.BAD_TYPE.code: "wrong_type",
    reasons.MIN_VALUE.code: "too_small",
    reasons.MAX_VALUE.code: "too_large",
    reasons.MIN_LENGTH.code: "too_short",
    reasons.MAX_LENGTH.code: "too_long",
    reasons.UNALLOWED_VALUE.code: "not_allowed",
    reasons.UNALLOWED_VALUES.code: "not_allowed",
    reasons.EMPTY_NOT_ALLOWED.code: "required",
    reasons.REGEX_MISMATCH.code: "bad_format",
    reasons.EXCLUDES_FIELD.code: "excluded",
}


_MESSAGES = {
    "invalid": "is not valid",
    "required": "is required",
    "unknown_field": "is not a field of this call",
    "not_nullable": "must not be null",
    "too_small": "must be at least {limit}",
    "too_large": "must be at most {limit}",
    "too_short": "must be at least {limit} long",
    "too_long": "must be at most {limit} long",
    "wrong_type": "must be of type {limit}",
    "excluded": "cannot be combined with the other one",
}


class Validator(cerberus.Validator):  # type: ignore[misc]
    """Checks one document. `text=True` if values came as text (query string, multipart)."""

    @property
    def schema(self) -> Any:
        """The rules. They are taken as they are: cerberus itself would check them, and copy and
        check them again, for every request, which takes longer than the request. A test checks
        those of all calls once.
        """
        return self._schema

    @schema.setter
    def schema(self, schema: Any) -> None:
        self._schema = schema

    def _normalize_coerce_int64(self, value: Any) -> int:
        if self._config.get("text") and isinstance(value, str) and _DIGITS.match(value):
            value = int(value)
        if (
            isinstance(value, Decimal)
            and value.is_finite()
            and value.adjusted() < 19
            and value == value.to_integral_value()
        ):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise Wrong("wrong_type", "must be a whole number")
        if not -INT64_MAX - 1 <= value <= INT64_MAX:
            raise Wrong("too_large", "must fit into 64 bits")
        return value

    def _normalize_coerce_variant_id(self, value: Any) -> int:
        """The id of a variant. The product itself is null, never the 0 of the tables."""
        number = self._normalize_coerce_int64(value)
        if number < 1:
            raise Wrong("invalid", "must be the id of a variant, or null")
        return number

    def _normalize_coerce_money(self, value: Any) -> Decimal:
        if (isinstance(value, str) and _MONEY.match(value)) or (
            isinstance(value, int) and not isinstance(value, bool)
        ):
            value = Decimal(value)
        if not isinstance(value, Decimal) or not value.is_finite():
            raise Wrong("wrong_type", 'must be an amount such as "12500.00"')
        if value.is_signed():  # also -0
            raise Wrong("too_small", "must not be negative")
        if value.adjusted() >= 13:
            raise Wrong("too_large", "must be less than 10,000,000,000,000")
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and exponent < -2:
            raise Wrong("too_precise", "must have at most two decimals")
        return value.quantize(Decimal("0.01"))

    def _normalize_coerce_degrees(self, value: Any) -> Decimal:
        """A latitude or longitude, to six decimals: a tenth of a metre."""
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 180:
            value = Decimal(value)
        if not isinstance(value, Decimal) or not value.is_finite() or abs(value) > 180:
            raise Wrong("wrong_type", "must be degrees such as -6.120833")
        return round(value, 6)

    def _normalize_coerce_boolean(self, value: Any) -> bool:
        if self._config.get("text") and isinstance(value, str):
            value = {"true": True, "1": True, "false": False, "0": False}.get(value, value)
        if not isinstance(value, bool):
            raise Wrong("wrong_type", "must be true or false")
        return value

    def _normalize_coerce_line(self, value: Any) -> str:
        """Text of one line, as names are."""
        return text(value, multiline=False)

    def _normalize_coerce_name(self, value: Any) -> str:
        """Name of a thing: one line without blanks around it, with at least one visible sign."""
        name = stripped(text(value, multiline=False))
        if turns(name):
            raise Wrong("control_character", "must not have signs that turn the text around")
        if name and not is_seen(name):
            raise Wrong("required", "has nothing that can be seen")
        return name

    def _normalize_coerce_option_name(self, value: Any) -> str:
        """Name of an option, or the object that a GET returns for it."""
        if isinstance(value, dict) and value.keys() == {"name", "values"}:
            values = value["values"]
            if isinstance(values, list) and all(isinstance(each, str) for each in values):
                value = value["name"]
        return self._normalize_coerce_name(value)

    def _normalize_coerce_identity(self, value: Any) -> str:
        """Name of a person, store, brand or category: two that look the same are the same."""
        name = folded(self._normalize_coerce_name(value))
        if hides(name):
            raise Wrong("control_character", "has signs that cannot be seen; type it anew")
        return name

    def _normalize_coerce_address(self, value: Any) -> str:
        """E-mail address to look an account up by: as it was registered, if it is one at all."""
        address = stripped(text(value, multiline=False))
        try:
            return self._normalize_coerce_email(address)
        except Wrong:
            return address

    def _normalize_coerce_key(self, value: Any) -> str:
        """A key text: one line without blanks around it, all of it visible."""
        key = stripped(text(value, multiline=False))
        if has_invisible(key):
            raise Wrong("control_character", "has invisible signs; type it again")
        return key

    def _normalize_coerce_trimmed_prose(self, value: Any) -> str:
        """Text that may have line breaks and tabs, without blanks around it."""
        return _LONE_CR.sub("\n", text(value, multiline=True).strip())

    def _normalize_coerce_words(self, value: Any) -> str:
        """Words to search for. Runs of minus signs mean nothing, and PostgreSQL's parser has no
        room for many.
        """
        return _MINUSES.sub(" ", text(value, multiline=False))

    def _normalize_coerce_prose(self, value: Any) -> str:
        """Text that may have line breaks and tabs, as descriptions have."""
        return text(value, multiline=True)

    def _normalize_coerce_secret(self, value: Any) -> str:
        """Text that is taken unchanged: a password or a token."""
        if not isinstance(value, str):
            raise Wrong("wrong_type", "must be a text")
        require_encodable(value)
        return value

    def _normalize_coerce_email(self, value: Any) -> str:
        import email_validator  # late: only accounts need it

        # an address of an intranet or of a test is valid
        email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()
        address = stripped(text(value, multiline=False))
        if len(address) > 254:
            raise Wrong("too_long", "must be at most 254 characters long")
        try:
            normalized: str = email_validator.validate_email(
                address, check_deliverability=False
            ).normalized
        except email_validator.EmailNotValidError:
            raise Wrong("bad_format", "is not an e-mail address") from None
        return normalized

    def _normalize_coerce_link(self, value: Any) -> str:
        """An absolute http(s) URL."""
        link = text(value, multiline=False)
        try:
            parts = urlsplit(link)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in link
        except ValueError:
            good = False
        if not good:
            raise Wrong("bad_format", "must be an address that begins with http:// or https://")
        return link

    def _normalize_coerce_time(self, value: Any) -> datetime:
        """A time of ISO 8601, UTC if no zone is named. A date alone is its first instant."""
        if isinstance(value, str):  # a plus that a client does not escape arrives as a blank
            value = _BLANK_ZONE.sub(r"\1+\2", value)
        if not isinstance(value, str) or not _TIME.match(value):
            raise Wrong("bad_format", "must be a time such as 2026-11-22T09:18:00Z")
        try:
            exact = _DECIMALS.sub(lambda found: f"{found[0]:0<7}", value.replace("Z", "+00:00"))
            moment = datetime.fromisoformat(_ZONE.sub(":", exact))
            moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
            moment.astimezone(timezone.utc)  # PostgreSQL has years that Python cannot read back
        except (ValueError, OverflowError):
            raise Wrong("bad_format", "is not a time that exists") from None
        return moment

    def _normalize_coerce_time_end(self, value: Any) -> datetime:
        """The end of an inclusive range: the last instant of the named day or second."""
        moment = self._normalize_coerce_time(value)
        span = timedelta(days=1) if len(value) == 10 else timedelta(seconds=1)
        try:
            return moment + span - timedelta(microseconds=1)
        except OverflowError:
            return moment

    def _check_with_not_blank(self, field: str, value: Any) -> None:
        """Refuse a name of nothing but blanks."""
        if isinstance(value, str) and value and not value.strip():
            self._error(field, "must not be blank")

    def _normalize_coerce_ids(self, value: Any) -> list[int]:
        """Ids with commas between, at most 100."""
        pieces = value.split(",") if isinstance(value, str) else []
        ids = [self._normalize_coerce_int64(piece) for piece in pieces[:101]]
        if not 1 <= len(ids) <= 100 or min(ids) < 1:
            raise Wrong("bad_format", "must be 1 to 100 ids with commas between them")
        return ids

    def _normalize_coerce_names(self, value: Any) -> list[str]:
        """Names with commas between; each once and in order, so that the same choice is always the
        same list.
        """
        return sorted(set(value.split(",") if isinstance(value, str) else value))

    def _normalize_coerce_columns(self, value: Any) -> dict[str, str | list[str]]:
        """A JSON object of names of columns: each to one name, or to a list of some."""
        try:
            named = json.loads(value) if isinstance(value, str) and len(value) <= 10_000 else None
        except (ValueError, RecursionError):
            named = None
        if not isinstance(named, dict) or not named or not all(map(_is_column, named.items())):
            raise Wrong("bad_format", "must be a JSON object: our name of a column to the file's")
        return named


def _is_column(pair: tuple[str, Any]) -> bool:
    """Return whether a name of a column is paired with another one, or with several."""
    name, theirs = pair
    names = [name, *(theirs if isinstance(theirs, list) else [theirs])]
    return len(names) > 1 and all(
        isinstance(each, str) and bool(text(each, multiline=False).strip()) for each in names
    )


# The first validator of a process finishes classes of cerberus's own. Threads that do so at once
# disturb each other.
Validator({})


def check(
    document: Any, schema: Schema, *, text: bool = False, partial: bool = False
) -> dict[str, Any]:
    """Return the document with its values converted and defaults filled in. Raises a 422 that names
    every wrong field.

    `partial` requires no field and fills in no default, as PATCH needs it.
    """
    if not isinstance(document, dict):
        raise Problem(
            "validation_failed", errors=[FieldError("", "wrong_type", "must be an object")]
        )
    ignored = {name for name, rule in schema.items() if _ignored(rule, document.get(name))}
    rules = {name: rule for name, rule in schema.items() if not _ignored(rule, None)}
    for name in (
        rules if partial else rules.keys() & document.keys()
    ):  # null is not missing: no default for it
        rules[name] = {key: value for key, value in rules[name].items() if key != "default"}
    for name, rule in rules.items():
        if document.get(rule.get("meta", {}).get("unless")):
            rules[name] = {**rule, "required": False}
    validator = Validator(rules, text=text)
    sent = {name: value for name, value in document.items() if name not in ignored}
    require_bounded(sent, rules)
    if not validator.validate(sent, update=partial):
        found: dict[str, FieldError] = {}
        for error in _flatten(
            validator._errors
        ):  # one error a field: the first, but a null is a null
            if error.code == "not_nullable" or error.pointer not in found:
                found[error.pointer] = error
        raise Problem("validation_failed", errors=[named(e, document) for e in found.values()])
    checked: dict[str, Any] = validator.document
    return checked


def _ignored(rule: Mapping[str, Any], value: Any) -> bool:
    """Return whether a field is read-only, or just the object that a GET returns for a name that
    may be written.
    """
    meta = rule.get("meta", {})
    return bool(meta.get("read_only")) or (
        isinstance(value, dict) and _answered(value, meta.get("answered_as"))
    )


def _answered(value: dict[str, Any], schema: Schema | None) -> bool:
    """Return whether it is an object of this schema, all of it and nothing else."""
    if schema is None or value.keys() != schema.keys():
        return False
    return bool(
        Validator({name: {**rule, "nullable": False} for name, rule in schema.items()}).validate(
            value
        )
    )


def _flatten(found: Any) -> list[FieldError]:
    """Return cerberus's errors as ours, in the order of the document, with JSON pointers."""
    flat: list[FieldError] = []
    for error in found:
        if error.child_errors:
            flat.extend(_flatten(error.child_errors))
            continue
        pointer = "".join(
            f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in error.document_path
        )
        flat.append(FieldError(printable(pointer), *_words(error)))
    return flat


def _words(error: Any) -> tuple[str, str]:
    """Return the code and the words of one of cerberus's errors."""
    if error.code == reasons.COERCION_FAILED.code:
        code, _, message = str(error.info[0]).partition(": ")
        return code, message
    code = _CODES.get(error.code, "invalid")
    if error.code == reasons.CUSTOM.code:
        return "blank", str(error.info[0])
    limit = error.constraint
    if code == "not_allowed":
        return code, say("must be one of {allowed}", allowed=", ".join(map(str, limit)))
    return code, say(_MESSAGES.get(code, _MESSAGES["invalid"]), limit=limit)
