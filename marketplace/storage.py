"""Where files live: a local folder, or anything else that keeps bytes under keys (s3.py).

A key is a relative path in a small alphabet (`pictures/ab/cd/<digest>-thumb.webp`); whatever a client sent
is never part of one. A file is either there as a whole and on disk, or it is not there.
"""

import contextlib
import os
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from marketplace.config import Config

KEY = re.compile(r"(?!.{513})(?!.*\.\.)[a-z0-9_-][a-z0-9_.-]*(?:/[a-z0-9_-][a-z0-9_.-]*)*")
#: Stands in stored JSON for the address uploads are served from, until the answer is sent. No input can contain it:
#: control characters are refused.
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
    """What keeps files. Keys that cannot be keys raise StorageError; missing files FileNotFoundError."""

    def put(self, key: str, data: bytes) -> None:
        """Store these bytes; on return they are on disk. A file of the same content only becomes younger."""

    def writing(self, key: str) -> AbstractContextManager[BinaryIO]:
        """A file to write to: stored when the block ends well, gone without a trace when it raises."""

    def open(self, key: str) -> BinaryIO:
        """The file, for reading."""

    def modified(self, key: str) -> float | None:
        """When the file was last put, in seconds since 1970; None where there is none."""

    def delete(self, key: str) -> None:
        """Remove the file; one that is not there is no error."""

    def keys(self, prefix: str) -> Iterator[Stored]:
        """Every file whose key begins with `prefix`, which is empty or ends in a slash; in no order."""

    def clear_unfinished(self, min_age: float) -> int:
        """Remove what crashed writers left, untouched for `min_age` seconds; answers how many."""

def of_uploads(config: Config) -> "Storage":
    """Where pictures live: in UPLOADS_DIR, or in a bucket of an S3 API."""
    if config.s3_bucket:
        from marketplace.s3 import S3Storage  # an extra; its import takes a quarter of a second

        return S3Storage(config, config.s3_bucket)
    return LocalStorage(config.uploads_dir, public=True)


def of_private(config: Config) -> "Storage":
    """Where files live that are never served, what sellers upload to be imported: in DATA_DIR, or in a bucket."""
    if config.s3_private_bucket:
        from marketplace.s3 import S3Storage

        return S3Storage(config, config.s3_private_bucket)
    return LocalStorage(config.private_dir)


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

    `bases` are where uploads are served from; without any, every host's /uploads/ is taken for ours.
    """
    place = url.find("/pictures/") + 1
    if not place or not _PICTURE.fullmatch(url, place):
        return url
    base = url[:place]
    ours = base in bases if bases else base.endswith("/uploads/")
    return f"{URL_MARKER}{url[place:]}" if ours else url


class LocalStorage:
    """Files under one folder: `public` ones may be read by a web server, others by this user alone."""

    def __init__(self, root: Path, *, public: bool = False):
        self.root = root
        self._file_mode, self._folder_mode = (0o644, 0o755) if public else (0o600, 0o700)

    def put(self, key: str, data: bytes) -> None:
        """Store these bytes; on return they are on disk. A file of the same content only becomes younger."""
        path = self._path(key)
        try:
            if path.stat().st_size == len(data) and path.read_bytes() == data:
                os.utime(path)  # the sweeper spares what is young: its row may be on its way
                return
        except FileNotFoundError:
            pass
        with self.writing(key) as file:
            file.write(data)

    @contextmanager
    def writing(self, key: str) -> Iterator[BinaryIO]:
        """A file to write to: stored when the block ends well, gone without a trace when it raises."""
        path = self._path(key)
        self._make_folder(path.parent)
        unfinished = path.with_name(f".{secrets.token_hex(8)}.part")
        handle = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, self._file_mode)
        try:
            with os.fdopen(handle, "w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)

    def open(self, key: str) -> BinaryIO:
        """The file, for reading."""
        return self._path(key).open("rb")

    def modified(self, key: str) -> float | None:
        """When the file was last put, in seconds since 1970; None where there is none."""
        try:
            return self._path(key).stat().st_mtime
        except FileNotFoundError:
            return None

    def delete(self, key: str) -> None:
        """Remove the file; one that is not there is no error. Its folder stays: a writer may be in it."""
        self._path(key).unlink(missing_ok=True)

    def keys(self, prefix: str) -> Iterator[Stored]:
        """Every file whose key begins with `prefix`, which is empty or ends in a slash; in no order."""
        if prefix and not prefix.endswith("/"):
            raise StorageError(f"A prefix ends in a slash: {prefix!r}")
        for path, status in _files(self._path(prefix[:-1]) if prefix else self.root):
            key = path.relative_to(self.root).as_posix()
            if KEY.fullmatch(key):
                yield Stored(key, status.st_size, status.st_mtime)

    def clear_unfinished(self, min_age: float) -> int:
        """Remove what crashed writers left, untouched for `min_age` seconds; answers how many."""
        before = time.time() - min_age
        removed = 0
        for path, status in _files(self.root):
            if path.name.startswith(".") and path.suffix == ".part" and status.st_mtime <= before:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _path(self, key: str) -> Path:
        return self.root / _checked(key)

    def _make_folder(self, folder: Path) -> None:
        """Make the folder and those above it, each recorded in the one above before it is relied upon."""
        if folder.is_dir():
            return
        self._make_folder(folder.parent)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(self._folder_mode)
        sync_folder(folder.parent)


def _checked(key: str) -> str:
    if not KEY.fullmatch(key):
        raise StorageError(f"Not a key: {key!r}")
    return key


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Every file below the folder, with its status; what disappears meanwhile is left out."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            with contextlib.suppress(FileNotFoundError):
                yield path, path.stat(follow_symlinks=False)


def sync_folder(folder: Path) -> None:
    """Make sure that a crash cannot undo what was renamed into or made in this folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
