"""Files in a folder of this machine."""

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from marketplace.files.storage import KEY, StorageError, Stored


class LocalStorage:
    """Files under one folder: a web server may read `public` ones, others only this user."""

    def __init__(self, root: Path, *, public: bool = False):
        self.root = root
        self._file_mode, self._folder_mode = (0o644, 0o755) if public else (0o600, 0o700)

    def put(self, key: str, data: bytes) -> None:
        """Store these bytes; on return they are on disk. An existing file of the same content only
        becomes younger.
        """
        path = self._path(key)
        try:
            if path.stat().st_size == len(data) and path.read_bytes() == data:
                os.utime(path)  # the sweeper spares young files: their rows may be on their way
                return
        except FileNotFoundError:
            pass
        with self.writing(key) as file:
            file.write(data)

    @contextmanager
    def writing(self, key: str) -> Iterator[BinaryIO]:
        """Yield a file to write to: stored when the block ends well, gone without a trace when it
        raises.
        """
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
        """Return the file, for reading."""
        return self._path(key).open("rb")

    def modified(self, key: str) -> float | None:
        """Return when the file was last stored, in seconds since 1970; None if there is none."""
        try:
            return self._path(key).stat().st_mtime
        except FileNotFoundError:
            return None

    def delete(self, key: str) -> None:
        """Remove the file; a missing one is no error. Its folder stays: a writer may be in it."""
        self._path(key).unlink(missing_ok=True)

    def keys(self, prefix: str) -> Iterator[Stored]:
        """Yield every file whose key begins with `prefix`, which is empty or ends in a slash; in no
        order.
        """
        if prefix and not prefix.endswith("/"):
            raise StorageError(f"A prefix ends in a slash: {prefix!r}")
        for path, status in _files(self._path(prefix[:-1]) if prefix else self.root):
            key = path.relative_to(self.root).as_posix()
            if KEY.fullmatch(key):
                yield Stored(key, status.st_size, status.st_mtime)

    def clear_unfinished(self, min_age: float) -> int:
        """Remove what crashed writers left, untouched for `min_age` seconds; return how many."""
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
        """Make the folder and its parents, each synced in its parent before it is used."""
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
    """Yield every file below the folder, with its status; files that disappear meanwhile are left
    out.
    """
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
