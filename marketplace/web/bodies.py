"""Reading bodies: with limits, and nothing trusted (multipart.py reads forms).

JSON numbers are read as int or Decimal, never through float. Large files are copied to a spooled
temporary file while they are counted.
"""

import codecs
import contextlib
import hashlib
import io
import json
import tempfile
import zlib
from decimal import Decimal
from typing import Any, BinaryIO, cast

import falcon

from marketplace.contract.errors import Problem
from marketplace.text.messages import say

CHUNK = 64 * 1024
DRAIN = 1024 * 1024
#: Commas and brackets of a JSON body: each value costs an object. The longest description has
#: 20,000 characters, which may all be commas.
VALUES = 30_000


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


class _Gunzipped:
    """The content of a gzip stream, a piece at a time, so that a bomb is found out by its size."""

    def __init__(self, source: Body) -> None:
        self._source = source
        self._inflate = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end. Raises OSError if it is broken."""
        data = b""
        while not data and not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._source.read(CHUNK)
            if not packed:
                raise OSError("the gzip stream broke off")
            try:
                data = self._inflate.decompress(packed, size)
            except zlib.error as error:
                raise OSError("not a gzip stream") from error
        return data


def stream(req: falcon.Request) -> Body:
    """Return the body as sent, bounded by its length; the server that decodes a chunked one
    bounds it.
    """
    return Body(req.stream if is_chunked(req) else req.bounded_stream)


def _is_gzipped(req: falcon.Request) -> bool:
    """Return whether the body is compressed by gzip. Raises 415 for other encodings."""
    encoding = (req.get_header("Content-Encoding") or "").strip().lower()
    if encoding in ("gzip", "x-gzip"):
        return True
    if encoding not in ("", "identity"):
        raise refuse_encoding("gzip")
    return False


def refuse_encoding(accepted: str) -> Problem:
    """Return a 415 about Content-Encoding (RFC 9110, section 15.5.16)."""
    words = say("This Content-Encoding is not read here; send it with: {types}.", types=accepted)
    return Problem("unsupported_media_type", words, headers={"Accept-Encoding": accepted})


def is_chunked(req: falcon.Request) -> bool:
    """Return whether the body comes in chunks and has no length of its own."""
    return req.content_length is None and bool(req.env.get("wsgi.input_terminated"))


def read(req: falcon.Request, limit: int) -> bytes:
    """Return the whole body, at most `limit` bytes; 413 past that."""
    target = io.BytesIO()
    _read_body(req, target, limit, None)
    return target.getvalue()


def read_json(req: falcon.Request, limit: int) -> Any:
    """Return the body as JSON in UTF-8; 400 if it is invalid, holds NaN, or names a key twice."""
    data = read(req, limit).removeprefix(codecs.BOM_UTF8)
    if not data:
        raise Problem("invalid_json", "The body is empty; a JSON object was expected.")
    if data.count(b",") + data.count(b"[") + data.count(b"{") > VALUES:
        raise Problem("invalid_json", "The body has too many values.")
    document = parse_json(data)
    if req.context.body_hash is not None:  # the order of the members makes no difference
        req.context.body_hash.update(json.dumps(document, sort_keys=True, default=str).encode())
    return document


def parse_json(data: bytes) -> Any:
    """Return the value of JSON in UTF-8, numbers as int or Decimal; 400 if it is invalid."""
    try:
        return json.loads(
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
            raise too_large(limit)
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
    packed = _is_gzipped(req)
    source = _Gunzipped(stream(req)) if packed else stream(req)
    try:
        size = pour(source, target, limit, body_hash)
    except OSError as error:
        raise Problem("bad_request", "The body broke off.") from error
    if req.content_length and size < req.content_length and not packed:
        raise Problem("bad_request", "The body is shorter than its Content-Length.")
    return size


def refuse_larger(req: falcon.Request, limit: int) -> None:
    """Refuse with 413 a body whose own length is larger."""
    if (req.content_length or 0) > limit:
        raise too_large(limit)


def drain(req: falcon.Request) -> None:
    """Read the rest of a refused body, up to a bound: a proxy that is still sending it would not
    see the response.
    """
    left = DRAIN
    source = stream(req)
    with contextlib.suppress(OSError):
        while left > 0 and (chunk := source.read(min(CHUNK, left))):
            left -= len(chunk)


def too_large(limit: int) -> Problem:
    """Return a 413 that names the limit, in bytes."""
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
