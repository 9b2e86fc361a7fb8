"""Reading bodies: JSON and multipart, with limits, and nothing trusted.

JSON numbers are read as int or Decimal, never through float. Large files are copied to a spooled
temporary file while they are counted.
"""

import contextlib
import hashlib
import io
import json
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, BinaryIO, NamedTuple, cast

import falcon
from falcon.media.multipart import MultipartParseError

from marketplace.contract.errors import Problem, invalid, repeated
from marketplace.text.messages import say

CHUNK = 64 * 1024
DRAIN = 1024 * 1024
ENDLESS = 2**62


class FilePart(NamedTuple):
    """An uploaded file: its part's name, the name its sender gave it, and the bytes, rewound."""

    name: str
    filename: str | None
    file: BinaryIO


def content_type(req: falcon.Request) -> str:
    """Return the media type of the body without its parameters, in lower case."""
    return (req.content_type or "").partition(";")[0].strip().lower()


class Body:
    """The bytes of a request as they come. Anything that breaks them off is an OSError."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes, none at the end. Servers have errors of their own for a broken
        chunk.
        """
        try:
            data: bytes = self._source.read(size)
        except OSError:
            raise
        except Exception as error:
            raise OSError("the body broke off") from error
        return data


def stream(req: falcon.Request) -> Body:
    """Return the body, bounded by its length; the server that decodes a chunked one bounds it."""
    return Body(req.stream if _chunked(req) else req.bounded_stream)


def _chunked(req: falcon.Request) -> bool:
    return req.content_length is None and bool(req.env.get("wsgi.input_terminated"))


def read(req: falcon.Request, limit: int) -> bytes:
    """Return the whole body, at most `limit` bytes; 413 past that."""
    target = io.BytesIO()
    _read_body(req, target, limit, None)
    return target.getvalue()


def read_json(req: falcon.Request, limit: int) -> Any:
    """Return the body as JSON in UTF-8; 400 if it is invalid, holds NaN, or names a key twice."""
    data = read(req, limit)
    if not data:
        raise Problem("invalid_json", "The body is empty; a JSON object was expected.")
    try:
        document = json.loads(
            data.decode("utf-8"),
            parse_float=Decimal,
            parse_int=_integer,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except UnicodeDecodeError:
        raise Problem("invalid_json", "The body is not UTF-8.") from None
    except (ValueError, ArithmeticError) as error:
        raise Problem(
            "invalid_json", say("The body is not JSON: {reason}", reason=str(error)[:280])
        ) from None
    except RecursionError:
        raise Problem("invalid_json", "The body is nested too deeply.") from None
    if req.context.body_hash is not None:  # the order of the members makes no difference
        req.context.body_hash.update(json.dumps(document, sort_keys=True, default=str).encode())
    return document


def parts(
    req: falcon.Request,
    *,
    file_limit: int,
    files: tuple[str, ...],
    count: int,
    into: BinaryIO | None = None,
) -> Iterator[FilePart | tuple[str, str]]:
    """Yield the parts of a multipart body as they come: a file, or a (name, text) pair.

    `count` is how many files may come. A file is copied to a temporary file (memory up to 1 MB)
    that the caller closes; or to `into`, if that is given. A text that comes twice is a 422.
    """
    seen = 0
    texts: set[str] = set()
    body_hash: hashlib._Hash | None = req.context.body_hash
    try:
        for part in _form(req):
            name = part.name or ""
            if name in files:
                seen += 1
                if seen > count:
                    raise invalid(
                        f"/{name}", "too_many", say("must be at most {count} files", count=count)
                    )
                filename = _filename(part)
                _hash_texts(body_hash, name, filename)
                if into is not None:
                    pour(part.stream, into, file_limit, body_hash)
                yield FilePart(name, filename, into or copy(part.stream, file_limit, body_hash))
            else:
                if name in texts:
                    raise repeated([name])
                texts.add(name)
                value = _text(part)
                _hash_texts(body_hash, name, value)
                yield name, value
    except MultipartParseError as error:
        words = say("The multipart body is broken: {reason}", reason=error.description)
        raise Problem("invalid_multipart", words) from None
    except (ValueError, OSError) as error:
        raise Problem("invalid_multipart", "The multipart body is broken or broke off.") from error


def copy(source: Any, limit: int, body_hash: "hashlib._Hash | None" = None) -> BinaryIO:
    """Copy `source` to a temporary file, rewound, and to the hash `body_hash`; 413 past `limit`."""
    target = tempfile.SpooledTemporaryFile(max_size=1024 * 1024)  # noqa: SIM115 - the caller closes it
    try:
        pour(source, cast(BinaryIO, target), limit, body_hash)
    except BaseException:
        target.close()
        raise
    target.seek(0)
    return cast(BinaryIO, target)


def pour(
    source: Any, target: BinaryIO, limit: int, body_hash: "hashlib._Hash | None" = None
) -> int:
    """Write `source` to `target`, and to the hash `body_hash`; return how many bytes; 413 past
    `limit`.
    """
    size = 0
    while chunk := source.read(CHUNK):
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        if body_hash is not None:
            body_hash.update(chunk)
        target.write(chunk)
    if body_hash is not None:
        body_hash.update(size.to_bytes(8, "big"))
    return size


def read_into(req: falcon.Request, target: BinaryIO, limit: int) -> int:
    """Write the whole body to `target`; return how many bytes; 413 past `limit`."""
    return _read_body(req, target, limit, req.context.body_hash)


def _read_body(
    req: falcon.Request, target: BinaryIO, limit: int, body_hash: "hashlib._Hash | None"
) -> int:
    refuse_larger(req, limit)
    try:
        size = pour(stream(req), target, limit, body_hash)
    except OSError as error:
        raise Problem("bad_request", "The body broke off.") from error
    if req.content_length and size < req.content_length:
        raise Problem("bad_request", "The body is shorter than its Content-Length.")
    return size


def refuse_larger(req: falcon.Request, limit: int) -> None:
    """Refuse with 413 a body whose own length is larger."""
    if (req.content_length or 0) > limit:
        raise _too_large(limit)


def drain(req: falcon.Request) -> None:
    """Read the rest of a refused body, up to a bound: a proxy that is still sending it would not
    see the response.
    """
    left = DRAIN
    source = stream(req)
    with contextlib.suppress(OSError):
        while left > 0 and (chunk := source.read(min(CHUNK, left))):
            left -= len(chunk)


def _hash_texts(body_hash: "hashlib._Hash | None", *texts: str | None) -> None:
    if body_hash is not None:
        body_hash.update(hashlib.sha256(repr(texts).encode("utf-8", "replace")).digest())


def _form(req: falcon.Request) -> Any:
    handler = req.options.media_handlers["multipart/form-data"]
    length = ENDLESS if _chunked(req) else req.content_length or 0  # falcon needs to know an end
    try:
        return handler.deserialize(stream(req), req.content_type, length)
    except falcon.HTTPError as error:
        raise Problem("invalid_multipart", "The multipart body has no usable boundary.") from error


def _text(part: Any) -> str:
    data: bytes = part.stream.read(256 * 1024 + 1)
    if len(data) > 256 * 1024:
        raise _too_large(256 * 1024)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Problem("invalid_multipart", "A text part is not UTF-8.") from None


def _filename(part: Any) -> str | None:
    try:
        name: str | None = part.filename
    except (MultipartParseError, ValueError, LookupError):
        return None
    return name[:255] if name else None


def _too_large(limit: int) -> Problem:
    size = f"{limit // (1024 * 1024)} MB" if limit >= 1024 * 1024 else f"{limit // 1024} kB"
    return Problem("payload_too_large", say("At most {size} are taken here.", size=size))


def _integer(digits: str) -> int:
    if len(digits) > 30:
        raise Problem("invalid_json", "The body is not JSON: a number has too many digits")
    return int(digits)


def _refuse_constant(name: str) -> None:
    raise Problem(
        "invalid_json", say("The body is not JSON: {name} is not a JSON number", name=name)
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Problem("invalid_json", "The body is not JSON: an object names a key twice")
    return members
