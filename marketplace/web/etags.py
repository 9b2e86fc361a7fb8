"""Conditional requests (RFC 9110, section 13): ETag, If-None-Match, If-Match; and how long an
answer may be cached.

A tag is `"VERSION-DIGEST"`: the version of the thing (of a product with its stock, `7.12`) and a
digest of the answer as it was sent; a list has the digest alone. For a product PostgreSQL keeps the
digest, and a 304 reads nothing else. If-None-Match compares the whole, so that a 304 is given only
when the answer would be the same byte for byte. If-Match compares the version: what a worker does
to an answer meanwhile (a count, the name of a brand) is no change that an editor has to hear of.
"""

import re
import time
from functools import lru_cache
from typing import Any

import falcon
import xxhash

from marketplace import __version__
from marketplace.contract.errors import Problem
from marketplace.contract.operations import Operation
from marketplace.text.messages import say
from marketplace.web import rendering

_TAGS = re.compile(r'\s*(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|\Z)')
#: What proxies that compress put behind a tag of ours (Apache; nginx makes it weak instead).
_COMPRESSED = re.compile(r"-(?:gzip|br|zstd)\Z")
ANY = "*"
#: What a cache that many share may do with an answer of the catalogue, in seconds: keep it; then
#: give it while somebody fetches it anew; and give it where it cannot be had anew, because the
#: application or the database is away.
_SHARED = "s-maxage=1, stale-while-revalidate=1, stale-if-error=30"


class ConditionalRequests:
    """Middleware: gives an answer its tag, and answers 304 to who has it already."""

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Note the second from which on everything is read that will be answered."""
        req.context.second = int(time.time())

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool
    ) -> None:
        """Set ETag and Cache-Control."""
        declared: Operation | None = req.context.operation
        if declared is None:
            return
        if unchanged(req, resp):
            resp.status = falcon.HTTP_304
            resp.data = None
            resp.content_type = None
        if not resp.get_header("Cache-Control"):
            resp.set_header("Cache-Control", _cache_control(req, declared))
            if shared(req, declared) and resp.status_code == 200:
                # nginx counts whole seconds from when it has the answer; this is to the end of the
                # second it was made in. Behind Cache-Control: nginx below 1.23 reads no extension
                # of it once it has seen this.
                resp.set_header("X-Accel-Expires", f"@{req.context.second}")


def unchanged(req: falcon.Request, resp: falcon.Response) -> bool:
    """Whether the client has what a GET is about to answer. Sets the answer's ETag."""
    reading = req.method in ("GET", "HEAD")
    version = getattr(resp.context, "version", None)
    if resp.status_code not in (200, 201) or not (reading or version):
        return False
    tag = getattr(resp.context, "tag", None)
    if tag is None:
        rendering.render(req, resp)
        if resp.data is None:
            return False
        tag = _tag(resp.data, version)
    resp.set_header("ETag", f'"{tag}"')
    known = known_tags(req) if reading else []
    return ANY in known or tag in known


def known_tags(req: falcon.Request) -> list[str]:
    """The tags of answers the client has (If-None-Match). Raises 400 for a header that cannot be
    read.
    """
    return _parsed(req, "If-None-Match")


@lru_cache(maxsize=64)
def dressing(uploads_url: bytes) -> str:
    """A digest of what a product's answer has from elsewhere: the address of uploads, the form
    of this version.
    """
    return xxhash.xxh3_64_hexdigest(uploads_url + __version__.encode())[:8]


def check(req: falcon.Request) -> None:
    """400 for an If-Match that cannot be read."""
    _parsed(req, "If-Match")


def require(req: falcon.Request, version: object) -> None:
    """412 unless the thing's version is one that If-Match names, or none is named.

    To be called behind the lock of what is about to be written.
    """
    wanted = _parsed(req, "If-Match")
    if (
        wanted
        and ANY not in wanted
        and str(version) not in {tag.partition("-")[0] for tag in wanted}
    ):
        raise Problem(
            "precondition_failed",
            "It has changed since you read it. Read it again and repeat your change.",
        )


def _parsed(req: falcon.Request, name: str) -> list[str]:
    """The tags in a header, without quotes and W/; `*` is ANY. None sent: an empty list."""
    header = req.get_header(name)
    if header is None:
        return []
    if header.strip() == ANY:
        return [ANY]
    tags: list[str] = []
    end = 0
    while found := _TAGS.match(header, end):
        tags.append(_COMPRESSED.sub("", found[1]))
        end = found.end()
    if end != len(header) or not tags:
        raise Problem(
            "bad_request", say('{name} must be * or tags in quotation marks: "7-1f0c".', name=name)
        )
    return tags


def _tag(data: bytes, version: str | None) -> str:
    digest = xxhash.xxh3_64_hexdigest(data)
    return f"{version}-{digest}" if version else digest


def shared(req: falcon.Request, declared: Operation) -> bool:
    """Whether the answer is the same for all guests, and of the catalogue."""
    return declared.catalogue and req.context.caller is None and req.method in ("GET", "HEAD")


def _cache_control(req: falcon.Request, declared: Operation) -> str:
    if not declared.public:
        return "private, no-store"
    if req.context.caller is not None:
        return "private, no-cache"  # kept by the device alone, and asked for again each time
    if req.method not in ("GET", "HEAD"):
        return "no-store"
    if declared.catalogue:
        return f"public, max-age={declared.max_age}, {_SHARED}"
    return f"public, max-age={declared.max_age}" if declared.max_age else "no-cache"
