"""Conditional requests (RFC 9110, section 13): ETag, If-None-Match, If-Match; and how long a
response may be cached.

An ETag is `"VERSION-DIGEST"`: the version of the thing (of a product with its stock, `7.12`) and a
digest of the response as it was sent. A list has the digest alone. For a product PostgreSQL keeps
the digest, and a 304 reads nothing else. If-None-Match compares the whole, so a 304 is returned
only if the response would be the same byte for byte. If-Match compares the version: what a worker
changes in a response meanwhile (a count, the name of a brand) is no change that an editor needs to
know.
"""

import re
from functools import lru_cache

import falcon
import xxhash

from marketplace import __version__
from marketplace.contract.errors import Problem
from marketplace.contract.operations import Operation
from marketplace.text.messages import say
from marketplace.web import rendering

_TAGS = re.compile(r'\s*(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|\Z)')
#: The suffixes that compressing proxies add to an ETag of ours (Apache; nginx makes it weak
#: instead).
_COMPRESSED = re.compile(r"-(?:gzip|br|zstd)\Z")
ANY = "*"
#: What a shared cache may do with a response of the catalogue, in seconds: keep it; then serve it
#: while one request fetches it anew; and serve it if it cannot be fetched, because the application
#: or the database is away.
_SHARED = "s-maxage=1, stale-while-revalidate=1, stale-if-error=30"


def finish(req: falcon.Request, resp: falcon.Response) -> None:
    """Set ETag and Cache-Control; respond with 304 to a client that has the response already."""
    declared: Operation | None = req.context.operation
    if declared is None:
        return
    if unchanged(req, resp):
        resp.status = falcon.HTTP_304
        resp.data = None
        resp.content_type = None
    if not resp.get_header("Cache-Control"):
        guest = req.context.caller is None
        resp.set_header("Cache-Control", _cache_control(declared, req.method, guest))
        if shared(req, declared) and resp.status_code == 200:
            # nginx counts whole seconds from the arrival of the response; this is to the end of
            # the second it was made in. After Cache-Control: nginx below 1.23 reads no
            # extension of it once it has seen this.
            resp.set_header("X-Accel-Expires", f"@{req.context.second}")


def unchanged(req: falcon.Request, resp: falcon.Response) -> bool:
    """Return whether the client has the response of a GET already. Sets the response's ETag."""
    reading = req.method in ("GET", "HEAD")
    version, tag = resp.context.version, resp.context.tag
    if resp.status_code not in (200, 201) or not (reading or version):
        return False
    if tag is None:
        rendering.render(req, resp)
        data = resp.data
        if data is None:
            return False
        digest = xxhash.xxh3_64_hexdigest(data)
        tag = f"{version}-{digest}" if version else digest
    resp.set_header("ETag", f'"{tag}"')
    if not reading or "HTTP_IF_NONE_MATCH" not in req.env:
        return False
    known = known_tags(req)
    return ANY in known or tag in known


def known_tags(req: falcon.Request) -> list[str]:
    """Return the ETags of responses that the client has (If-None-Match). Raises 400 for an
    unreadable header.
    """
    return _parsed(req, "If-None-Match") if "HTTP_IF_NONE_MATCH" in req.env else []


@lru_cache(maxsize=64)
def dressing(uploads_url: bytes) -> str:
    """Return a digest of what a product's response takes from elsewhere: the address of uploads,
    the form of this version.
    """
    return xxhash.xxh3_64_hexdigest(uploads_url + __version__.encode())[:8]


def check(req: falcon.Request) -> None:
    """Raise 400 for an unreadable If-Match."""
    _parsed(req, "If-Match")


def require(req: falcon.Request, version: object) -> None:
    """Raise 412 unless If-Match names the thing's version, or is not sent.

    Call it after locking the rows that are about to be written.
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
    """Return the ETags in a header, without quotes and W/; `*` is ANY. An empty list if none is
    sent.
    """
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


def shared(req: falcon.Request, declared: Operation) -> bool:
    """Return whether the response is of the catalogue, and the same for all guests."""
    return declared.catalogue and req.context.caller is None and req.method in ("GET", "HEAD")


@lru_cache(maxsize=1024)
def _cache_control(declared: Operation, method: str, guest: bool) -> str:
    if not declared.public:
        return "private, no-store"
    if not guest:
        return "private, no-cache"  # kept by the device alone, and revalidated each time
    if method not in ("GET", "HEAD"):
        return "no-store"
    if declared.catalogue:
        return f"public, max-age={declared.max_age}, {_SHARED}"
    return f"public, max-age={declared.max_age}" if declared.max_age else "no-cache"
