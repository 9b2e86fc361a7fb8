"""restore: restores a backup into an empty database, and its files beside the existing ones.

    python -m marketplace restore --from BACKUP [--into DATABASE]
    python -m marketplace restore --from BACKUP --only-files

It reads the whole backup first, overwrites nothing, and ends with `migrate`. The table of applied
migrations is filled last: until everything else is back, the API takes the database for an empty
one and /readyz returns 503.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from marketplace.commands import backup as backing_up
from marketplace.config import settings
from marketplace.config.settings import Config
from marketplace.files.storage import Storage, StorageUnavailableError
from marketplace.files.stores import of_private, of_uploads
from marketplace.ops import backups
from marketplace.ops.backups import UPLOADS, BackupError
from marketplace.ops.progress import Progress
from marketplace.postgres import migrations, programs, roles
from marketplace.postgres.pool import Conn
from marketplace.postgres.programs import ProgramError
from marketplace.postgres.statements import ADMIN, named_sql
from marketplace.queries import backups as asked

DATABASES = named_sql("databases", ADMIN)
LEDGER = "public.schema_migrations"
_LEDGER_ROWS = re.compile(r"^\d+; \d+ \d+ TABLE DATA public schema_migrations ", re.MULTILINE)
_EXTENSION = re.compile(r"; \d+ \d+ (?:COMMENT - )?EXTENSION (?:- )?(\S+)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--from and --into, --jobs."""
    parser.add_argument(
        "--from",
        dest="backup",
        type=Path,
        required=True,
        metavar="BACKUP",
        help="one backup's folder",
    )
    parser.add_argument(
        "--into",
        metavar="DATABASE",
        help="another database of the same server, made if it is not "
        "there; without it, that of MIGRATE_DATABASE_URL",
    )
    parser.add_argument(
        "--only-files",
        action="store_true",
        help="leave the database as it is: after it was "
        "put back to an earlier time, rows may name files that are gone",
    )
    parser.add_argument(
        "--jobs",
        type=backing_up.number,
        default=2,
        metavar="N",
        help="tables and indexes at once (2)",
    )


def run(args: argparse.Namespace) -> int:
    """Restore, and report what was done; 1 if it failed."""
    config = settings.load()
    try:
        said = _manifest(args.backup)
        if args.only_files:
            return _only_files(config, args.backup, said["files"])
        url = _target(config.migrate_database_url, args.into)
        with closing(_connected(url)) as conn:
            _refuse_full(conn)
            if backing_up.check(args.backup):
                raise BackupError("the backup is damaged")
            with psycopg.connect(url, autocommit=True) as plain:
                roles.ensure(plain)  # the dump grants to them
            _restore(config, url, conn, args, said)
    except (
        BackupError,
        ProgramError,
        StorageUnavailableError,
        OSError,
        psycopg.errors.InsufficientPrivilege,
    ) as error:
        print(f"Not restored: {error}", file=sys.stderr)
        return 1
    return 0


def _manifest(backup: Path) -> dict[str, Any]:
    """Return the backup's manifest, if this release can restore it."""
    said = backups.manifest(backup)
    newest = max(
        int(path.name[1:].partition("__")[0]) for path in migrations.MIGRATIONS.glob("V*.sql")
    )
    if said["migration"] > newest:
        raise BackupError(
            f"the backup is of a newer release: it has {said['migration_name']}, and this code "
            "does not"
        )
    return said


def _target(url: str, name: str | None) -> str:
    """Return the connection string of the database to restore into; one of another name is made."""
    if name is None:
        return url
    with closing(_connected(url)) as conn:
        locale = asked.locale(conn)
        template = DATABASES["make_empty_as" if locale.pop("provider") == "c" else "make_empty"]
        try:
            conn.execute(sql.SQL(template).format(database=sql.Identifier(name), **locale))
        except psycopg.errors.DuplicateDatabase:
            pass
        except psycopg.errors.InsufficientPrivilege:
            owner = conn.info.user
            raise BackupError(
                f'{owner} may not make databases; as a superuser: CREATE DATABASE "{name}" OWNER '
                f'"{owner}"'
            ) from None
    return make_conninfo("", **{**conninfo_to_dict(url), "dbname": name})


def _connected(url: str) -> Conn:
    return psycopg.connect(
        url, autocommit=True, row_factory=dict_row, application_name="marketplace-restore"
    )


def _refuse_full(conn: Conn) -> None:
    if asked.relations(conn):
        raise BackupError(
            f"the database {conn.info.dbname} is not empty, and nothing is overwritten; name one "
            "that is to be made:"
            " --into DATABASE (for the embedded server another DATA_DIR)"
        )


def _restore(
    config: Config, url: str, conn: Conn, args: argparse.Namespace, said: dict[str, Any]
) -> None:
    """Restore rows and files, check whether they belong together, and only then mark the database
    as complete.
    """
    server = asked.server(conn)
    program, _ = programs.fitting(
        "pg_restore", server["number"] // 10_000, at_least=said["pg_dump"]
    )
    dump = args.backup / backups.DATABASE
    try:
        rest, ledger = _contents(program, dump, asked.extensions(conn))
        _pg_restore(program, dump, url, rest, args.jobs)
        _compare_counts(said["rows"], asked.counts(conn))
        put, there = _put_back(config, args.backup, said["files"])
        _refuse_missing(conn, of_uploads(config), set(said["missing"]))
        _pg_restore(program, dump, url, ledger, 1)
    except BaseException:
        print(
            f"The database {conn.info.dbname} is half restored: drop it and begin again. The API "
            "does not take it.",
            file=sys.stderr,
        )
        raise
    applied = migrations.migrate(url, print)
    asked.analyze(conn)
    print(
        f"{args.backup.resolve().name} is in the database {conn.info.dbname}: "
        f"{sum(said['rows'].values()):,} rows;"
        f" {put:,} files put back, {there:,} were there; {applied} migrations since.\n"
        "The change feed begins anew: apps copy the catalogue again. Jobs that waited then are "
        "done by a worker."
    )


def _contents(program: Path, dump: Path, extensions: set[str]) -> tuple[list[str], list[str]]:
    """Return the contents of a dump as pg_restore lists them: all except the ledger's rows, and
    those.

    Extensions that this login may not make, which a superuser made for himself, are left out, and
    comments on them.
    """
    done = subprocess.run(
        [str(program), "--list", str(dump)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BackupError(done.stderr.strip())
    lines = [line for line in done.stdout.splitlines() if line and not line.startswith(";")]
    ledger = [line for line in lines if _LEDGER_ROWS.match(line)]
    rest = []
    for line in lines:
        extension = _EXTENSION.search(line)
        if extension is None and line not in ledger:
            rest.append(line)
        elif extension and " COMMENT - " not in line:
            if extension[1] in extensions:
                rest.append(line)
            else:
                print(f"The extension {extension[1]} is left to a superuser.")
    return rest, ledger


def _pg_restore(program: Path, dump: Path, url: str, contents: list[str], jobs: int) -> None:
    address, env = programs.connection(url)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".list") as chosen:
        chosen.write("".join(f"{line}\n" for line in contents))
        chosen.flush()
        command = [
            str(program),
            "--exit-on-error",
            "--no-owner",
            "--no-tablespaces",
            "--no-password",
            "--verbose",
            f"--jobs={jobs}",
            f"--use-list={chosen.name}",
            f"--dbname={address}",
            str(dump),
        ]
        with Progress("steps", max(len(contents), 1)) as bar:
            backing_up.watched(command, env, bar, "creating ", "processing data")


def _only_files(config: Config, backup: Path, total: int) -> int:
    if backing_up.check(backup):
        raise BackupError("the backup is damaged")
    put, there = _put_back(config, backup, total)
    print(f"{put:,} files put back, {there:,} were there.")
    with closing(_connected(config.migrate_database_url)) as conn:
        _refuse_missing(conn, of_uploads(config), set())
    print("Every file that a row names is there.")
    return 0


def _compare_counts(then: dict[str, int], now: dict[str, int]) -> None:
    for name in sorted((then.keys() | now.keys()) - {LEDGER}):
        if then.get(name) != now.get(name):
            raise BackupError(f"{name} has {now.get(name)} rows, and had {then.get(name)}")


def _put_back(config: Config, backup: Path, total: int) -> tuple[int, int]:
    """Store missing files; return how many were stored, and how many were there already."""
    put = there = 0
    uploads, private = of_uploads(config), of_private(config)
    with Progress("files", max(total, 1)) as bar:
        for entry in backups.entries(backup):
            bar.add(1)
            if not entry.copied:
                continue
            storage = uploads if entry.place == UPLOADS else private
            if storage.modified(entry.key) is None:
                with (
                    (backup / entry.place / entry.key).open("rb") as file,
                    storage.writing(entry.key) as out,
                ):
                    backups.digest_of(file, out)
                put += 1
                continue
            with storage.open(entry.key) as file:
                if backups.digest_of(file)[1] != entry.sha256:
                    raise BackupError(
                        f"{entry.key} is in {entry.place} already, and is another file"
                    )
            there += 1
    return put, there


def _refuse_missing(conn: Conn, storage: Storage, known: set[str]) -> None:
    """Check that every file that a row names is there, except those that were missing when the
    backup was made.
    """
    with conn.transaction():
        lost = list(_absent(storage, asked.picture_files(conn)))
    if new := [key for key in lost if key not in known]:
        raise BackupError(f"rows name {len(new):,} files that are nowhere: {', '.join(new[:3])}")
    if lost:
        print(
            f"{len(lost):,} files that rows name were missing when the backup was made, and are.",
            file=sys.stderr,
        )


def _absent(storage: Storage, keys: Iterable[str]) -> Iterator[str]:
    yield from (key for key in keys if storage.modified(key) is None)
