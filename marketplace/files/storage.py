"""Where files are kept: in a local folder, or anything else that keeps bytes under keys (s3.py).

A key is a relative path in a small alphabet (`pictures/ab/cd/<digest>-thumb.webp`); nothing that a
client sent is ever part of one. A file is either there as a whole and on disk, or not there at all.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO, NamedTuple, Protocol

KEY = re.compile(r"(?!.{513})(?!.*\.\.)[a-z0-9_-][a-z0-9_.-]*(?:/[a-z0-9_-][a-z0-9_.-]*)*")
#: In stored JSON it stands for the address of uploads, until the response is sent. No input can
#: contain it: control characters are refused.
URL_MARKER = "\x7f"
DIGEST = re.compile(r"[0-9a-f]{64}")
VARIANT = re.compile(r"[a-z0-9]{1,20}")
_PICTURE = re.compile(r"pictures/[0-9a-f]{2}/[0-9a-f]{2}/([0-9a-f]{64})-[a-z0-9]{1,20}\.webp")


class StorageError(Exception):
    """An invalid key: a bug of the program, never a client's mistake."""


class StorageUnavailableError(Exception):
    """The storage does not respond, or refuses: worth another try."""


class Stored(NamedTuple):
    """One file as `keys` lists it: size in bytes, `modified` in seconds since 1970."""

    key: str
    size: int
    modified: float


class Storage(Protocol):
    """A storage of files. Invalid keys raise StorageError; missing files FileNotFoundError."""

    def put(self, key: str, data: bytes) -> None:
        """Store these bytes; on return they are on disk. An existing file of the same content only
        becomes younger.
        """

    def writing(self, key: str) -> AbstractContextManager[BinaryIO]:
        """Yield a file to write to: stored when the block ends well, gone without a trace when it
        raises.
        """

    def open(self, key: str) -> BinaryIO:
        """Return the file, for reading."""

    def modified(self, key: str) -> float | None:
        """Return when the file was last stored, in seconds since 1970; None if there is none."""

    def delete(self, key: str) -> None:
        """Remove the file; a missing one is no error."""

    def keys(self, prefix: str) -> Iterator[Stored]:
        """Yield every file whose key begins with `prefix`, which is empty or ends in a slash; in no
        order.
        """

    def clear_unfinished(self, min_age: float) -> int:
        """Remove what crashed writers left, untouched for `min_age` seconds; return how many."""


def image_key(digest: str, variant: str) -> str:
    """Return the key of one size of an image; two levels of folders keep each of them small."""
    if not (DIGEST.fullmatch(digest) and VARIANT.fullmatch(variant)):
        raise StorageError(f"Not an image: {digest!r} {variant!r}")
    return f"pictures/{digest[:2]}/{digest[2:4]}/{digest}-{variant}.webp"


def digest_of(key: str) -> str | None:
    """Return the image that a file is a size of; None for any other file."""
    found = _PICTURE.fullmatch(key)
    return found[1] if found else None


def own_image(url: str, bases: Sequence[str]) -> str:
    """Return a link to one of our own uploads in the form of the database; any other link
    unchanged.

    `bases` are the addresses that uploads are served from; without any, every host's /uploads/
    counts as ours.
    """
    place = url.find("/pictures/") + 1
    if not place or not _PICTURE.fullmatch(url, place):
        return url
    base = url[:place]
    ours = base in bases if bases else base.endswith("/uploads/")
    return f"{URL_MARKER}{url[place:]}" if ours else url
