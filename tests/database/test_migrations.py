"""The migration runner, on databases and files of its own."""

import re
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from conftest import created
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from marketplace.postgres import migrations
from marketplace.postgres.databases import drop
from marketplace.postgres.migrations import MigrationError, migrate, pending


@pytest.fixture
def url(owner_url: str) -> Iterator[str]:
    """An empty database."""
    with created(owner_url, f"marketplace_test_{secrets.token_hex(6)}") as url:
        yield url


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Puts a file into the folder of migrations; the folder."""
    folder = tmp_path / "migrations"
    folder.mkdir()

    def put(name: str, text: str) -> Path:
        (folder / name).write_text(text, encoding="utf-8")
        return folder

    return put


def silent(line: str) -> None:
    pass


def ask(url: str, question: str) -> object:
    with psycopg.connect(url) as conn:
        row = conn.execute(question).fetchone()
    assert row is not None
    return row[0]


def test_files_are_applied_once_in_order(url: str, write: Callable[[str, str], Path]):
    write("V0002__more.sql", "INSERT INTO things VALUES (2);\n")
    folder = write(
        "V0001__things.sql", "CREATE TABLE things (n int);\nINSERT INTO things VALUES (1);\n"
    )
    with psycopg.connect(url, autocommit=True) as conn:
        assert pending(conn, folder) == ["V0001__things.sql", "V0002__more.sql"]
    lines: list[str] = []
    assert migrate(url, lines.append, folder) == 2
    assert [line.split()[0] for line in lines] == ["V0001__things.sql", "V0002__more.sql", "the"]
    lines.clear()
    assert migrate(url, lines.append, folder) == 0
    assert lines == []
    assert ask(url, "SELECT array_agg(n) FROM things") == [1, 2]
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SET ROLE marketplace_app")
        assert pending(conn, folder) == []


def test_an_edited_file_is_refused(url: str, write: Callable[[str, str], Path]):
    folder = write("V0001__things.sql", "CREATE TABLE things (n int);\n")
    migrate(url, silent, folder)
    write("V0001__things.sql", "CREATE TABLE things (n int);\r\n")
    assert migrate(url, silent, folder) == 0  # line endings are git's business
    write("V0001__things.sql", "CREATE TABLE things (n bigint);\n")
    with pytest.raises(MigrationError, match=r"V0001__things\.sql was edited"):
        migrate(url, silent, folder)


def test_a_failure_names_file_line_and_reason_and_leaves_nothing_half_done(
    url: str, write: Callable[[str, str], Path]
):
    write("V0001__good.sql", "CREATE TABLE good (n int);\n")
    folder = write(
        "V0002__bad.sql",
        "CREATE TABLE half (n int);\n\n-- é 店\nCREATE TABLE bad (n nosuchtype);\n",
    )
    with pytest.raises(
        MigrationError, match=r'V0002__bad\.sql:4: ERROR 42704 type "nosuchtype" does not exist'
    ):
        migrate(url, silent, folder)
    assert ask(url, "SELECT to_regclass('half') IS NULL AND to_regclass('good') IS NOT NULL")
    write(
        "V0002__bad.sql",
        "CREATE TABLE half (n int NOT NULL);\nINSERT INTO half VALUES (1);\nINSERT INTO half "
        "VALUES (NULL);\n",
    )
    with pytest.raises(
        MigrationError, match=r"V0002__bad\.sql: statement 3: ERROR 23502 null value"
    ):
        migrate(url, silent, folder)
    write("V0002__bad.sql", "CREATE TABLE half (n int);\n")
    assert migrate(url, silent, folder) == 1


def test_four_at_once_apply_each_file_once(url: str, write: Callable[[str, str], Path]):
    write("V0001__things.sql", "CREATE TABLE things (n int);\nSELECT pg_sleep(0.5);\n")
    write("V0002__row.sql", "INSERT INTO things VALUES (1);\n")
    folder = write(
        "V0003__index.sql",
        "-- no transaction\nCREATE INDEX CONCURRENTLY things_n_idx ON things (n);\n",
    )
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: migrate(url, silent, folder), range(4)))
    assert sorted(counts) == [0, 0, 0, 3]
    assert ask(url, "SELECT count(*) FROM things") == 1
    assert ask(url, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'things_n_idx'::regclass")


def test_several_databases_of_one_server_may_be_migrated_at_once(
    owner_url: str, write: Callable[[str, str], Path]
):
    folder = write("V0001__things.sql", "CREATE TABLE things (n int);\n")
    names = [f"marketplace_test_{secrets.token_hex(6)}" for _ in range(4)]
    with psycopg.connect(owner_url, autocommit=True) as conn:
        for name in names:
            conn.execute(f"CREATE DATABASE {name}")
        urls = [
            make_conninfo("", **{**conninfo_to_dict(owner_url), "dbname": name}) for name in names
        ]
        try:
            with ThreadPoolExecutor(4) as pool:
                assert list(pool.map(lambda url: migrate(url, silent, folder), urls)) == [1] * 4
        finally:
            for name in names:
                drop(conn, name)


def test_a_version_unknown_here_is_refused_unless_it_is_newer(
    url: str, write: Callable[[str, str], Path]
):
    write("V0001__one.sql", "SELECT 1;\n")
    write("V0002__two.sql", "SELECT 2;\n")
    folder = write("V0003__three.sql", "SELECT 3;\n")
    migrate(url, silent, folder)
    (folder / "V0003__three.sql").unlink()
    lines: list[str] = []
    assert migrate(url, lines.append, folder) == 0
    assert lines == ["The database is ahead of this code: it has V0003__three.sql."]
    (folder / "V0001__one.sql").unlink()
    with pytest.raises(MigrationError, match=r"V0001__one\.sql, which this checkout lacks"):
        migrate(url, silent, folder)


def test_a_file_that_comes_too_late_is_refused(url: str, write: Callable[[str, str], Path]):
    folder = write("V0002__two.sql", "SELECT 2;\n")
    migrate(url, silent, folder)
    write("V0001__one.sql", "SELECT 1;\n")
    with pytest.raises(MigrationError, match=r"V0001__one\.sql comes before V0002__two\.sql"):
        migrate(url, silent, folder)


@pytest.mark.parametrize(
    "name", ["V1__short.sql", "0001_x.sql", "V0001_one_underscore.sql", "V0000__zero.sql"]
)
def test_a_misnamed_file_is_refused(url: str, write: Callable[[str, str], Path], name: str):
    with pytest.raises(MigrationError, match=re.escape(name)):
        migrate(url, silent, write(name, "SELECT 1;\n"))


def test_a_table_in_use_is_waited_for(
    url: str, write: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(migrations, "LOCK_TRIES", 1)
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", "300ms")
    migrate(url, silent, write("V0001__things.sql", "CREATE TABLE things (n int);\n"))
    folder = write("V0002__more.sql", "ALTER TABLE things ADD COLUMN m int;\n")
    with psycopg.connect(url) as conn:
        conn.execute("LOCK TABLE things IN ACCESS SHARE MODE")
        with pytest.raises(MigrationError, match=r"V0002__more\.sql: a table it needs is in use"):
            migrate(url, silent, folder)
        monkeypatch.setattr(migrations, "LOCK_TRIES", 5)
        with ThreadPoolExecutor(1) as pool:
            lines: list[str] = []

            def free_after_the_first_try(line: str) -> None:
                lines.append(line)
                conn.rollback()

            assert pool.submit(migrate, url, free_after_the_first_try, folder).result() == 1
    assert "trying again" in lines[0]


def test_the_application_may_defer_a_job_and_only_the_worker_may_take_it(
    url: str, write: Callable[[str, str], Path]
):
    migrate(url, silent, write("V0001__nothing.sql", "SELECT 1;\n"))
    defer = """
        SELECT jobs.procrastinate_defer_jobs_v1(
            ARRAY[ROW('quick', 'task', 0, NULL, NULL, '{"secret": 1}', now())::jobs.procrastinate_job_to_defer_v1])
    """
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SET ROLE marketplace_app")
        assert conn.execute(defer).fetchone() == ([1],)
        assert conn.execute("SELECT status::text FROM jobs.procrastinate_jobs").fetchone() == (
            "todo",
        )
        for forbidden in (
            "SELECT args FROM jobs.procrastinate_jobs",
            "SELECT jobs.procrastinate_fetch_job_v2(NULL, NULL)",
            "DELETE FROM jobs.procrastinate_jobs",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(forbidden)
        conn.execute("RESET ROLE")
        conn.execute("SET ROLE marketplace_worker")
        assert conn.execute(
            "SELECT (jobs.procrastinate_fetch_job_v2('{quick}', NULL)).id"
        ).fetchone() == (1,)
        conn.execute("SELECT jobs.procrastinate_finish_job_v1(1, 'succeeded', true)")
        assert conn.execute("SELECT count(*) FROM jobs.procrastinate_jobs").fetchone() == (0,)


def test_an_older_job_queue_is_brought_along(url: str, write: Callable[[str, str], Path]):
    folder = write("V0001__nothing.sql", "SELECT 1;\n")
    migrate(url, silent, folder)
    newest = ask(url, "SELECT name FROM schema_migrations WHERE version = 0")
    with psycopg.connect(url) as conn:  # as it was before the library's first file
        conn.execute("DROP SCHEMA jobs CASCADE")
        conn.execute("CREATE SCHEMA jobs")
        conn.execute("UPDATE schema_migrations SET name = '' WHERE version = 0")
    lines: list[str] = []
    migrate(url, lines.append, folder)
    assert len(lines) > 30
    assert ask(url, "SELECT name FROM schema_migrations WHERE version = 0") == newest
    assert ask(
        url,
        "SELECT bool_and(proconfig IS NOT NULL) FROM pg_proc WHERE pronamespace = "
        "'jobs'::regnamespace",
    )


def test_an_owner_who_may_not_make_roles_is_told_which_script_to_run(
    url: str, write: Callable[[str, str], Path]
):
    folder = write("V0001__nothing.sql", "SELECT 1;\n")
    migrate(url, silent, folder)  # so that the roles are there: it is membership that is missing
    plain = f"marketplace_test_{secrets.token_hex(4)}"
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {plain} LOGIN PASSWORD 'x'")
        try:
            conn.execute("DROP TABLE schema_migrations")
            conn.execute(f"GRANT CREATE ON SCHEMA public TO {plain}")
            with pytest.raises(MigrationError, match=r"sql/admin/roles\.sql"):
                migrate(make_conninfo(url, user=plain, password="x"), silent, folder)
        finally:
            conn.execute(f"GRANT {plain} TO CURRENT_USER")
            conn.execute(f"DROP OWNED BY {plain}")
            conn.execute(f"DROP ROLE {plain}")
