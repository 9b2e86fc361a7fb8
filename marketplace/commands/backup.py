"""backup: writes database and uploads, together and consistent, into a folder of their own.

    python -m marketplace backup [--to FOLDER] [--keep N]
    python -m marketplace backup --check BACKUP

It connects as the owner (MIGRATE_DATABASE_URL), directly, and runs beside everything else; only
image files are not removed meanwhile. docs/operations.md says what is in a backup and what is
not.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import IsolationLevel
from psycopg.rows import dict_row

from marketplace.config import settings
from marketplace.config.folders import HOME
from marketplace.config.settings import Config
from marketplace.files.storage import Storage, StorageUnavailableError
from marketplace.files.stores import of_private, of_uploads
from marketplace.ops import backups
from marketplace.ops.backups import PRIVATE, UNKNOWN, UPLOADS, BackupError, Earlier, Entry
from marketplace.ops.progress import Progress
from marketplace.postgres import programs
from marketplace.postgres.embedded import provision
from marketplace.postgres.pool import Conn
from marketplace.postgres.programs import ProgramError
from marketplace.queries import backups as asked

own_database = True
SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--to and --keep, --files, --jobs; or --check."""
    parser.add_argument(
        "--to", type=Path, default=HOME / "backups", metavar="FOLDER", help="default %(default)s"
    )
    parser.add_argument(
        "--keep", type=number, metavar="N", help="then remove all but the newest N backups there"
    )
    parser.add_argument(
        "--jobs",
        type=number,
        default=1,
        metavar="N",
        help="tables dumped at once (1); more may fail where a migration comes in between",
    )
    parser.add_argument(
        "--files",
        choices=("copy", "list"),
        help="copy images, or only list them; "
        "without it, those of a bucket are listed and others copied",
    )
    parser.add_argument(
        "--check", type=Path, metavar="BACKUP", help="read a backup and say whether it is whole"
    )


def number(text: str) -> int:
    """Return the value of an option that counts. Raises argparse.ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 10_000):
        raise argparse.ArgumentTypeError("a number from 1")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Back up, or check; 1 if something is wrong."""
    try:
        if args.check:
            return check(args.check)
        os.umask(0o077)  # hashes of passwords are in it
        with provision.connected():
            config = settings.load()
            if args.to.resolve().is_relative_to(config.uploads_dir):
                raise BackupError(f"{args.to} is among the uploads, which everybody may fetch.")
            with backups.alone(args.to):
                return _back_up(config, args)
    except (
        BackupError,
        ProgramError,
        StorageUnavailableError,
        OSError,
        psycopg.errors.InsufficientPrivilege,
    ) as error:
        print(error if args.check else f"No backup was made: {error}", file=sys.stderr)
        return 1


def check(backup: Path) -> int:
    """Read all of a backup, and report its errors."""
    said = backups.manifest(backup)
    total = (
        sum(it["size"] for it in said[backups.DATABASE].values())
        + said["bytes"]
        + said[backups.FILES]["size"]
    )
    with Progress("bytes", total) as bar:
        wrong = list(backups.check(backup, bar.add))
    print(
        f"{backup}: {said['migration_name']}, {sum(said['rows'].values()):,} rows, "
        f"{said['files']:,} files"
    )
    _name_some("damaged", wrong)
    print(f"{len(wrong)} wrong." if wrong else "All of it is whole.")
    return 1 if wrong else 0


def _back_up(config: Config, args: argparse.Namespace) -> int:
    earlier = next(reversed(backups.whole(args.to)), None)
    with backups.writing(args.to) as folder:
        with closing(_held(config.migrate_database_url)) as conn:
            said: dict[str, Any] = {
                "time": datetime.now(timezone.utc).isoformat(timespec="seconds")
            }
            said |= _dump(conn, config.migrate_database_url, folder, args.jobs)
            said |= _copy_files(config, folder, args.files, earlier)
            asked.server(conn)  # raises if the connection was lost, and with it the lock
        backups.write_manifest(folder, said)
        name = folder.name.strip(".").removesuffix(".part")
    print(
        f"{args.to / name}: {sum(said['rows'].values()):,} rows, {said['files']:,} files,"
        f" {said['copied']:,} of them copied now ({said['copied_bytes'] / 2**20:.1f} MB)."
    )
    _name_some("a row names it, and it is not there", said["missing"])
    if said["missing"]:
        print("The backup was kept, and no old one removed.", file=sys.stderr)
        return 1
    backups.note_last(config.data_dir, args.to / name)
    for old in backups.prune(args.to, args.keep) if args.keep else ():
        print(f"{args.to / old} was removed.")
    return 0


def _held(url: str) -> Conn:
    """A connection that keeps the sweeper from files for as long as it is open."""
    conn = psycopg.connect(
        url, autocommit=True, row_factory=dict_row, application_name="marketplace-backup"
    )
    asked.take_time(conn)
    if not asked.try_hold(conn):
        print("Waiting for another backup, or for a sweeper that is running.")
        asked.hold(conn)
    return conn


def _dump(conn: Conn, url: str, folder: Path, jobs: int) -> dict[str, Any]:
    """Dump one snapshot, and read the manifest's facts in the same snapshot."""
    server = asked.server(conn)
    if server["replica"]:
        raise BackupError(
            "MIGRATE_DATABASE_URL is a replica: what holds the sweeper back is held on the primary."
        )
    program, version = programs.fitting("pg_dump", server["number"] // 10_000)
    conn.isolation_level = IsolationLevel.REPEATABLE_READ
    conn.read_only = True
    with conn.transaction():
        snapshot = asked.export_snapshot(conn)
        said = {
            **asked.state(conn),
            "server": server["name"],
            "pg_dump": version,
            "database_name": server["database"],
        }
        said["rows"] = asked.counts(conn)
        address, env = programs.connection(url)
        command = [
            str(program),
            "--format=directory",
            f"--jobs={jobs}",
            "--compress=1",
            f"--snapshot={snapshot}",
            "--no-password",
            "--verbose",
            f"--file={folder / backups.DATABASE}",
            f"--dbname={address}",
        ]
        with Progress("tables", max(len(said["rows"]), 1)) as bar:
            watched(command, env, bar, "dumping contents of table")
        _write_keys(folder / ".uploads", asked.picture_files(conn))
        _write_keys(folder / ".private", asked.import_files(conn))
    return said


def watched(command: list[str], env: dict[str, str], bar: Progress, *steps: str) -> None:
    """Run one of PostgreSQL's programs that prints its steps; each such step moves the bar. Raises
    BackupError.
    """
    errors: list[str] = []
    with subprocess.Popen(
        command, env=env, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        try:
            for line in process.stderr or ():
                if any(step in line for step in steps):
                    bar.add(1)
                elif "error:" in line or "ERROR:" in line or errors:
                    errors.append(line.strip())
        except BaseException:
            process.terminate()  # or it goes on for nobody, and locks every table
            raise
    if process.returncode:
        raise BackupError(
            f"{Path(command[0]).name} failed: {' '.join(errors[:3]) or process.returncode}"
        )


def _write_keys(file: Path, keys: Iterable[str]) -> None:
    with file.open("w", encoding="ascii") as out:
        out.writelines(f"{key}\n" for key in keys)


def _copy_files(
    config: Config, folder: Path, how: str | None, earlier: Path | None
) -> dict[str, Any]:
    """Copy the files that the snapshot's rows name, and list them. A file of an import that is gone
    now is not needed.
    """
    uploads = of_uploads(config)
    how = how or ("list" if config.s3_bucket else "copy")
    said: dict[str, Any] = {
        "files": 0,
        "bytes": 0,
        "copied": 0,
        "copied_bytes": 0,
        "missing": [],
        "uploads": how,
    }
    with (folder / backups.FILES).open("w", encoding="ascii") as out:
        if how == "list":
            _note(out, said, _listed(uploads, folder / ".uploads", said["missing"]))
        else:
            _note(
                out,
                said,
                _copied(uploads, UPLOADS, folder, Earlier(earlier), said, said["missing"]),
            )
        _note(out, said, _copied(of_private(config), PRIVATE, folder, Earlier(None), said, []))
    return said


def _note(out: IO[str], said: dict[str, Any], found: Iterator[Entry]) -> None:
    for entry in found:
        out.write("\t".join(entry) + "\n")
        said["files"] += 1
        said["bytes"] += int(entry.size) if entry.copied else 0


@contextmanager
def _keys(file: Path) -> Iterator[Iterator[str]]:
    """Yield the keys that were written, with a bar; the file is gone afterwards."""
    with file.open(encoding="ascii") as lines:
        total = sum(1 for _ in lines)
    with file.open(encoding="ascii") as lines, Progress(file.name[1:], max(total, 1)) as bar:
        yield _counted(bar, lines)
    file.unlink()


def _counted(bar: Progress, lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        bar.add(1)
        yield line.rstrip("\n")


def _listed(storage: Storage, file: Path, missing: list[str]) -> Iterator[Entry]:
    there = {stored.key for stored in storage.keys("pictures/")}
    with _keys(file) as keys:
        for key in keys:
            if key not in there:
                missing.append(key)
            yield Entry(UPLOADS, key, UNKNOWN, UNKNOWN)


def _copied(
    storage: Storage,
    place: str,
    folder: Path,
    earlier: Earlier,
    said: dict[str, Any],
    missing: list[str],
) -> Iterator[Entry]:
    with _keys(folder / f".{place}") as keys:
        for key in keys:
            target = folder / place / key
            target.parent.mkdir(parents=True, exist_ok=True)
            entry = earlier.find(place, key)
            if entry is None or not _linked(earlier.backup, entry, target):
                try:
                    with storage.open(key) as file, target.open("xb") as out:
                        size, sha256 = backups.digest_of(file, out)
                except FileNotFoundError:
                    missing.append(key)
                    continue
                said["copied"] += 1
                said["copied_bytes"] += size
                entry = Entry(place, key, str(size), sha256)
            yield entry


def _linked(backup: Path | None, entry: Entry, target: Path) -> bool:
    """Return whether the earlier backup's copy was linked: it has the size, and the file system
    takes another link.
    """
    copy = (backup or target) / entry.place / entry.key
    try:
        if copy.stat().st_size == int(entry.size):
            target.hardlink_to(copy)
            return True
    except OSError:
        pass
    return False


def _name_some(what: str, names: list[str]) -> None:
    for name in names[:SHOWN]:
        print(f"{what}: {name}", file=sys.stderr)
    if len(names) > SHOWN:
        print(f"... and {len(names) - SHOWN} more.", file=sys.stderr)
