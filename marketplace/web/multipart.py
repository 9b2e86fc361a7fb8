"""Reading multipart forms: files and texts as they come, each part as its own headers say."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, BinaryIO, NamedTuple

import falcon
from falcon.media.multipart import MultipartParseError
from falcon.util import BufferedReader, mediatypes

from marketplace.contract.errors import Problem, invalid, repeated
from marketplace.contract.operations import JSON, Parts
from marketplace.text.messages import say
from marketplace.web.bodies import (
    copy,
    is_chunked,
    parse_json,
    pour,
    refuse_encoding,
    stream,
    too_large,
)

ENDLESS = 2**62
TEXT_MAX_BYTES = 256 * 1024
#: The charsets that a text part may name, and Python's names for them.
CHARSETS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "utf-8",
    "iso-8859-1": "cp1252",  # as browsers read it (WHATWG Encoding)
    "latin1": "cp1252",
    "windows-1252": "cp1252",
    "iso-8859-15": "iso8859-15",
    "windows-1254": "cp1254",
}
#: Encodings that leave the bytes unchanged. Old Android clients name one in each part.
_AS_THEY_ARE = re.compile(rb"(?im)^content-transfer-encoding:[ \t]*(?:7bit|8bit|binary)[ \t]*\r?$")
#: A header without a blank behind its colon.
_NO_BLANK = re.compile(rb"(?m)^([A-Za-z-]+):(?=[^ ])")


class FilePart(NamedTuple):
    """An uploaded file: its part's name, the name its sender gave it, and the bytes, rewound."""

    name: str
    filename: str | None
    file: BinaryIO


def parts(
    req: falcon.Request,
    declared: Parts,
    *,
    file_limit: int,
    count: int,
    into: BinaryIO | None = None,
) -> Iterator[FilePart | tuple[str, str]]:
    """Yield the parts of a multipart body as they come: a file, or a (name, text) pair.

    `count` is how many files may come. A file is copied to a temporary file (memory up to 1 MB)
    that the caller closes; or to `into`, if that is given. A text that comes twice is a 422. Of a
    part whose name is not declared only the name is read.
    """
    files = 0
    seen: set[str] = set()
    body_hash: hashlib._Hash | None = req.context.body_hash
    try:
        for part in _form(req):
            name = part.name or ""
            if name in declared.files:
                files += 1
                if files > count:
                    words = say("must be at most {count} files", count=count)
                    raise invalid(f"/{name}", "too_many", words)
                filename = _filename(part)
                _hash(body_hash, name, filename)
                if into is not None:
                    pour(part.stream, into, file_limit, body_hash)
                yield FilePart(name, filename, into or copy(part.stream, file_limit, body_hash))
                continue
            if name in seen:
                raise repeated([name])
            seen.add(name)
            value = _text(part, name, declared.fields[name]) if name in declared.fields else ""
            _hash(body_hash, name, value)
            yield name, value
    except MultipartParseError as error:
        words = say("The multipart body is broken: {reason}", reason=error.description)
        raise Problem("invalid_multipart", words) from None
    except (ValueError, OSError) as error:
        raise Problem("invalid_multipart", "The multipart body is broken or broke off.") from error


class _Reader(BufferedReader):  # type: ignore[misc, valid-type]
    """Falcon's reader, which passes on the headers of a part in the form that falcon's parser
    knows.
    """

    def read_until(
        self, delimiter: bytes, size: int = -1, consume_delimiter: bool = False
    ) -> bytes:
        """Return the bytes before a delimiter."""
        found: bytes = super().read_until(delimiter, size, consume_delimiter)
        if delimiter == b"\r\n\r\n":
            found = _NO_BLANK.sub(rb"\1: ", _AS_THEY_ARE.sub(b"", found))
        return found


def _form(req: falcon.Request) -> Any:
    if (req.get_header("Content-Encoding") or "identity").strip().lower() != "identity":
        raise refuse_encoding("identity")
    handler = req.options.media_handlers["multipart/form-data"]
    length = ENDLESS if is_chunked(req) else req.content_length or 0  # falcon needs to know an end
    try:
        return handler.deserialize(_Reader(stream(req).read, length), req.content_type, length)
    except falcon.HTTPError as error:
        raise Problem("invalid_multipart", "The multipart body has no usable boundary.") from error


def _text(part: Any, name: str, rule: Mapping[str, Any]) -> str:
    """Return the text of a part, read by its Content-Type; for JSON a string or number is taken,
    and the JSON itself where the field is a list.
    """
    data: bytes = part.stream.read(TEXT_MAX_BYTES + 1)
    if len(data) > TEXT_MAX_BYTES:
        raise too_large(TEXT_MAX_BYTES)
    kind, parameters = mediatypes.parse_header(part.content_type or "")
    if kind.lower() == JSON:
        value = parse_json(data)
        if rule.get("type") == "list" and isinstance(value, list):
            return data.decode()
        return _of_json(value, name)
    charset = CHARSETS.get(parameters.get("charset", "utf-8").strip("'\"").lower())
    if charset is None:
        known = ", ".join(sorted(CHARSETS))
        words = say("A text part has a charset that is none of: {charsets}.", charsets=known)
        raise Problem("invalid_multipart", words)
    try:
        return data.decode(charset)
    except UnicodeDecodeError:
        raise Problem("invalid_multipart", "A text part is not UTF-8.") from None


def _of_json(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if value is None:
        return ""
    raise invalid(f"/{name}", "wrong_type", "must be a text or a number")


def _filename(part: Any) -> str | None:
    try:
        name: str | None = part.filename
    except (MultipartParseError, ValueError, LookupError):
        return None
    return name[:255] if name else None


def _hash(body_hash: "hashlib._Hash | None", *texts: str | None) -> None:
    if body_hash is not None:
        body_hash.update(hashlib.sha256(repr(texts).encode("utf-8", "replace")).digest())
