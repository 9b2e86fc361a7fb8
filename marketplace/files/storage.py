"""Where files live: a local folder, or anything else that keeps bytes under keys (s3.py).

A key is a relative path in a small alphabet (`pictures/ab/cd/<digest>-thumb.webp`); whatever a
client sent is never part of one. A file is either there as a whole and on disk, or it is not there.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO, NamedTuple, Protocol

KEY = re.compile(r"(?!.{513})(?!.*\.\.)[a-z0-9_-][a-z0-9_.-]*(?:/[a-z0-9_-][a-z0-9_.-]*)*")
#: Stands in stored JSON for the address uploads are served from, until the answer is sent. No input
#: can contain it: control characters are refused.
URL_MARKER = "\x7f"
DIGEST = re.compile(r"[0-9a-f]{64}")
VARIANT = re.compile(r"[a-z0-9]{1,20}")
_PICTURE = re.compile(r"pictures/[0-9a-f]{2}/[0-9a-f]{2}/([0-9a-f]{64})-[a-z0-9]{1,20}\.webp")


class StorageError(Exception):
    """A key that cannot be one: a mistake of the program, never of a client."""


class StorageUnavailableError(Exception):
    """What keeps files does not answer, or refuses: worth another try."""


class Stored(NamedTuple):
    """One file as `keys` lists it: size in bytes, `modified` in seconds since 1970."""

    key: str
    size: int
    modified: float


class Storage(Protocol):
    """What keeps files. Keys that cannot be keys raise StorageError; missing files
    FileNotFoundError.
    """

    def put(self, key: str, data: bytes) -> None:
        """Store these bytes; on return they are on disk. A file of the same content only becomes
        younger.
        """

    def writing(self, key: str) -> AbstractContextManager[BinaryIO]:
        """A file to write to: stored when the block ends well, gone without a trace when it
        raises.
        """

    def open(self, key: str) -> BinaryIO:
        """The file, for reading."""

    def modified(self, key: str) -> float | None:
        """When the file was last put, in seconds since 1970; None where there is none."""

    def delete(self, key: str) -> None:
        """Remove the file; one that is not there is no error."""

    def keys(self, prefix: str) -> Iterator[Stored]:
        """Every file whose key begins with `prefix`, which is empty or ends in a slash; in no
        order.
        """

    def clear_unfinished(self, min_age: float) -> int:
        """Remove what crashed writers left, untouched for `min_age` seconds; answers how many."""


def picture_key(digest: str, variant: str) -> str:
    """The key of one size of a picture; two levels of folders keep each of them small."""
    if not (DIGEST.fullmatch(digest) and VARIANT.fullmatch(variant)):
        raise StorageError(f"Not a picture: {digest!r} {variant!r}")
    return f"pictures/{digest[:2]}/{digest[2:4]}/{digest}-{variant}.webp"


def digest_of(key: str) -> str | None:
    """The picture that a file is a size of; None of any other file."""
    found = _PICTURE.fullmatch(key)
    return found[1] if found else None


def own_picture(url: str, bases: Sequence[str]) -> str:
    """A link to one of our own uploads as the database has it; any other link as it is.

    `bases` are where uploads are served from; without any, every host's /uploads/ is taken for
    ours.
    """
    place = url.find("/pictures/") + 1
    if not place or not _PICTURE.fullmatch(url, place):
        return url
    base = url[:place]
    ours = base in bases if bases else base.endswith("/uploads/")
    return f"{URL_MARKER}{url[place:]}" if ours else url
