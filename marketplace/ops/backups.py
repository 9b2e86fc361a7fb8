"""A backup: a folder with a dump of the database, copies of its files, and a manifest.

    2026-11-27T02-30-00Z/
        database/       pg_dump's directory format
        uploads/        files of images, by their keys
        private/        files of imports that had not ended
        files.tsv       place, key, size and SHA-256 of each of them
        manifest.json   when, of what, by what; how many rows; SHA-256 of everything else

It is written under a name with a dot before it and renamed when all of it is on disk: a folder with
a date for a name is whole. Files that the previous backup has too are hard links to it: names of
images are hashes, so they never change.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

from marketplace.files.local import sync_folder

FORMAT = 1
DATABASE, FILES, MANIFEST = "database", "files.tsv", "manifest.json"
LAST = "last-backup"
UPLOADS, PRIVATE = "uploads", "private"
#: Marks a file that was listed and not copied.
UNKNOWN = "-"
BLOCK = 1024 * 1024
_NAME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}Z")
_UNFINISHED = re.compile(rf"\.{_NAME.pattern}\.(?:part|old)")


class BackupError(Exception):
    """A backup cannot be made, is damaged, or cannot be restored; the message says why."""


class Entry(NamedTuple):
    """One file: `place` is uploads or private; size in bytes and SHA-256, both UNKNOWN if only the
    key was noted.
    """

    place: str
    key: str
    size: str
    sha256: str

    @property
    def copied(self) -> bool:
        """Whether the backup has the file itself."""
        return self.sha256 != UNKNOWN


class Earlier:
    """The list of the previous backup, read along with the new one: both are in
    the order of bytes.
    """

    def __init__(self, backup: Path | None) -> None:
        self.backup = backup
        self._entries = entries(backup) if backup else iter(())
        self._next = next(self._entries, None)

    def find(self, place: str, key: str) -> Entry | None:
        """Return the file, if that backup has a copy. Call it in order."""
        while self._next and self._next.place == place and self._next.key < key:
            self._next = next(self._entries, None)
        found = self._next
        return (
            found if found and found.place == place and found.key == key and found.copied else None
        )


def whole(folder: Path) -> list[Path]:
    """Return the backups of a folder, oldest first, without unfinished ones."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if _NAME.fullmatch(path.name) and (path / MANIFEST).is_file()
    )


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make the folder, readable by this user alone, and keep others from backing up into it. Raises
    BackupError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / ".lock").open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"Another backup is being written into {folder}.") from None
        for path in folder.iterdir():
            if _UNFINISHED.fullmatch(path.name):  # nobody else works here: its writer was killed
                shutil.rmtree(path, ignore_errors=True)
        yield


@contextmanager
def writing(folder: Path) -> Iterator[Path]:
    """Yield a folder to write a backup into: there under its name when the block ends well, gone
    when it raises.
    """
    name = _free_name(folder)
    unfinished = folder / f".{name}.part"
    unfinished.mkdir(mode=0o700)
    try:
        yield unfinished
        os.sync()  # thousands of files, and the folders they are in
        unfinished.rename(folder / name)
        sync_folder(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _free_name(folder: Path) -> str:
    while (folder / (name := datetime.now(timezone.utc).strftime("%Y-%m-%dT%H-%M-%SZ"))).exists():
        time.sleep(0.1)
    return name


def note_last(data_dir: Path, backup: Path) -> None:
    """Record when a backup ended well, and where it is: for monitoring that there is one every
    night.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    fresh = data_dir / ".last-backup.new"
    fresh.write_text(
        f"{datetime.now(timezone.utc).isoformat(timespec='seconds')} {backup}\n", encoding="utf-8"
    )
    fresh.replace(data_dir / LAST)


def last(data_dir: Path) -> float | None:
    """Return when the last backup of this host ended well, in seconds since 1970;
    None if none did.
    """
    try:
        return (data_dir / LAST).stat().st_mtime
    except OSError:
        return None


def prune(folder: Path, keep: int) -> list[str]:
    """Remove all whole backups except the newest `keep`; return the names of those
    that are gone.
    """
    gone = whole(folder)[:-keep]
    for backup in gone:
        removed = backup.with_name(f".{backup.name}.old")
        backup.rename(removed)  # from here on it is no backup, wherever this is stopped
        shutil.rmtree(removed)
    return [backup.name for backup in gone]


def write_manifest(backup: Path, said: dict[str, Any]) -> None:
    """Write the last file: the facts about the backup, and hashes of all others except those in
    files.tsv.
    """
    dump = {path.name: _measured(path) for path in sorted((backup / DATABASE).iterdir())}
    manifest = {"format": FORMAT, **said, DATABASE: dump, FILES: _measured(backup / FILES)}
    (backup / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def manifest(backup: Path) -> dict[str, Any]:
    """Return the backup's manifest. Raises BackupError if there is none, or one that this code does
    not know.
    """
    if not _NAME.fullmatch(backup.resolve().name):
        raise BackupError(f"{backup} is no finished backup: those have a date for a name.")
    try:
        said = json.loads((backup / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BackupError(f"{backup / MANIFEST} cannot be read: {error}") from error
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise BackupError(
            f"{backup} is of another format than {FORMAT}; restore it with the release that made "
            "it."
        )
    return said


def entries(backup: Path) -> Iterator[Entry]:
    """Yield files of the backup: those of uploads, then private ones, each in the
    order of bytes.
    """
    with (backup / FILES).open(encoding="ascii") as lines:
        for line in lines:
            place, key, size, sha256 = line.rstrip("\n").split("\t")
            yield Entry(place, key, size, sha256)


def check(backup: Path, seen: Callable[[int], None] = lambda bytes_read: None) -> Iterator[str]:
    """Yield what is missing or damaged, in words; nothing if all is whole. Reads everything, and
    passes `seen` how much.
    """
    said = manifest(backup)
    sealed = {FILES: said[FILES]} | {
        f"{DATABASE}/{name}": measured for name, measured in said[DATABASE].items()
    }
    for name, expected in sealed.items():
        yield from _differences(backup, name, str(expected["size"]), expected["sha256"], seen)
    for path in sorted((backup / DATABASE).glob("*")):
        if path.name not in said[DATABASE]:
            yield f"{DATABASE}/{path.name} does not belong here"
    try:
        for entry in entries(backup):
            if entry.copied:
                yield from _differences(
                    backup, f"{entry.place}/{entry.key}", entry.size, entry.sha256, seen
                )
    except (OSError, ValueError) as error:
        yield f"{FILES} cannot be read: {error}"


def _differences(
    backup: Path, name: str, size: str, sha256: str, seen: Callable[[int], None]
) -> Iterator[str]:
    try:
        with (backup / name).open("rb") as file:
            length, digest = digest_of(file)
    except OSError as error:
        yield f"{name}: {error.strerror}"
        return
    seen(length)
    if str(length) != size:
        yield f"{name}: {length} bytes, not {size}"
    elif digest != sha256:
        yield f"{name}: not what was written"


def _measured(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        size, sha256 = digest_of(file)
    return {"size": size, "sha256": sha256}


def digest_of(
    file: BinaryIO | IO[bytes], copy: BinaryIO | IO[bytes] | None = None
) -> tuple[int, str]:
    """Return size and SHA-256 of the rest of a stream, which is written to `copy` on the way."""
    digest = hashlib.sha256()
    size = 0
    while block := file.read(BLOCK):
        digest.update(block)
        size += len(block)
        if copy is not None:
            copy.write(block)
    return size, digest.hexdigest()
