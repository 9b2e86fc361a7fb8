"""check-sql, explain and statement: what is run to look at SQL changes nothing, and says each mistake once."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from conftest import Api
from support.commands import environment

from marketplace.config.settings import ROOT
from marketplace.postgres import statement_checks


class Copy:
    """A copy of the code whose SQL may be broken, beside a database that is migrated."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder / "copy"
        self.url = url
        for name in ("marketplace", "sql"):
            shutil.copytree(
                ROOT / name, self.folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )

    def edit(self, noun: str, change: Callable[[str], str]) -> None:
        file = self.folder / "sql" / "queries" / f"{noun}.sql"
        before = file.read_text()
        file.write_text(change(before))
        assert file.read_text() != before

    def line(self, noun: str, words: str) -> int:
        """The line of a file that has these words."""
        text = (self.folder / "sql" / "queries" / f"{noun}.sql").read_text()
        return text[: text.index(words)].count("\n") + 1

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        env = environment(self.url, self.folder)
        command = [sys.executable, "-m", "marketplace", *arguments]
        return subprocess.run(
            command,
            cwd=self.folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def with_a_second_statement(text: str) -> str:
    return re.sub(
        r"(-- name: find\n.*?;\n)",
        r"\1CREATE TABLE ran (x integer);\n",
        text,
        count=1,
        flags=re.DOTALL,
    )


@pytest.fixture
def copy(shared_database: str, tmp_path: Path) -> Copy:
    return Copy(tmp_path, shared_database)


def test_a_second_statement_is_not_executed_and_is_named(copy: Copy):
    copy.edit("brands", with_a_second_statement)
    done = copy.run("check-sql")
    line = copy.line("brands", "CREATE TABLE ran")
    assert done.returncode == 1
    assert (
        f"sql/queries/brands.sql:{line}: a second statement; each has a name of its own"
        in done.stdout
    )
    assert done.stdout.endswith(" statements, 1 mistake.\n")
    assert done.stderr == ""
    with psycopg.connect(copy.url) as conn:
        assert conn.execute("SELECT to_regclass('public.ran')").fetchone() == (None,)


def test_a_mistyped_header_is_one_complaint_and_blames_nobody_else(copy: Copy):
    copy.edit("brands", lambda text: text.replace("-- name: find\n", "-- nme: find\n", 1))
    done = copy.run("check-sql")
    line = copy.line("brands", "-- nme: find")
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert lines[0].startswith(f"sql/queries/brands.sql:{line}: `-- nme: find` is no header")
    assert [line.endswith(" statements, 1 mistake.") for line in lines[1:]] == [True]


def test_a_mistake_in_a_fragment_is_one_complaint_at_its_own_line(copy: Copy):
    copy.edit(
        "products",
        lambda text: text.replace(
            "ORDER BY w.key DESC, w.id DESC", "ORDER BY w.kye DESC, w.id DESC"
        ),
    )
    done = copy.run("check-sql")
    line = copy.line("products", "w.kye")
    lines = done.stdout.splitlines()
    assert lines[0] == (
        f"sql/queries/products.sql:{line}: list_newest, list_category_newest, list_brand_newest, list_store_newest:"
        " column w.kye does not exist"
    )
    assert len(lines) == 2


def test_each_kind_of_mistake_is_found_by_postgresql(copy: Copy):
    copy.edit(
        "stores", lambda text: text.replace("SELECT s.id", "SELECT s.no_such_column, s.id", 1)
    )
    copy.edit(
        "import_rows",
        lambda text: text.replace("COPY import_rows (", "COPY import_rows (no_such_column, ", 1),
    )
    copy.edit("jobs", lambda text: text + "\n-- name: broken\nSELEC 1;\n")
    done = copy.run("check-sql", "stores", "import_rows", "jobs")
    assert done.returncode == 1
    for words in (
        "column s.no_such_column does not exist",
        'column "no_such_column" of relation',
        "syntax error at",
    ):
        assert words in done.stdout
    assert done.stdout.endswith(", 3 mistakes.\n")
    assert "there are activities, " in copy.run("check-sql", "nonsense").stderr


def test_reading_executes_nothing_whatever_the_statement(
    shared_database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "bad.sql").write_text(
        "-- name: role\nCREATE ROLE ran;\n-- name: rows\nDELETE FROM users;\n"
        "-- name: number\nSELECT setval('users_id_seq', 5);\n-- name: copy\nCOPY users (name) FROM STDIN;\n"
    )
    monkeypatch.setattr(statement_checks, "QUERIES", tmp_path)
    with psycopg.connect(shared_database, autocommit=True) as conn:
        before = conn.execute("SELECT last_value, is_called FROM users_id_seq").fetchone()
        assert statement_checks.check(conn) == (4, [])
        assert conn.execute("SELECT last_value, is_called FROM users_id_seq").fetchone() == before
        assert conn.execute("SELECT FROM pg_roles WHERE rolname = 'ran'").fetchall() == []


def test_statement_prints_the_whole_text(copy: Copy):
    done = copy.run("statement", "products.list_category")
    assert done.returncode == 0
    assert done.stdout.startswith("-- A category with its subtree:")
    assert "include" not in done.stdout
    assert (
        done.stdout.count(
            "CASE WHEN %(sort)s = 'newest' AND %(descending)s THEN p.created_at END DESC"
        )
        == 2
    )
    assert done.stdout.endswith("ORDER BY page.place;\n")
    assert "there are products.list_newest, " in copy.run("statement", "products.nonsense").stderr
    assert "there are activities, " in copy.run("statement", "nonsense").stderr


def test_explain_knows_fragments_and_writes_nothing(committed: Api, tmp_path: Path):
    copy = Copy(tmp_path, committed.owner_url)
    store = committed.seller().store_id
    done = copy.run(
        "explain", "products.list_store_newest", f"store_id={store}", "limit=21", "most=0"
    )
    assert "actual time" in done.stdout
    number = "\n-- name: number\nSELECT nextval('stores_id_seq') AS id, %(x)s::text AS x;\n"
    copy.edit("stores", lambda text: text + number)
    with psycopg.connect(committed.owner_url, autocommit=True) as conn:
        before = conn.execute("SELECT last_value, is_called FROM stores_id_seq").fetchone()
        for words in (
            ["stores.number", "x=1", "--role", "marketplace"],
            ["stores.change", f"store_id={store}", "name=Toko", "description="],
            ["products.add", f"store_id={store}", "name=Teh", "price=1", "stock=1", "hidden=false"],
            ["sessions.register", "name=Sari", "email=s@example.com", "role=buyer"],
        ):
            done = copy.run("explain", *words)
            assert (done.returncode, done.stderr) == (0, ""), words
            assert done.stdout.startswith("It writes: planned with these values, and not run.\n"), (
                words
            )
        assert conn.execute("SELECT last_value, is_called FROM stores_id_seq").fetchone() == before
        assert conn.execute("SELECT count(*) FROM users").fetchone() == (1,)
    copy.edit("stores", with_a_second_statement)
    done = copy.run("explain", "stores.find", f"store_id={store}")
    assert (done.returncode, "a second statement" in done.stderr) == (2, True)


def test_a_command_that_needs_broken_sql_says_so_in_one_line(copy: Copy):
    copy.edit("doctor", lambda text: text.replace("-- name: ", "-- nme: ", 1))
    done = copy.run("doctor")
    assert done.returncode == 1
    assert re.fullmatch(r"sql/queries/doctor\.sql:\d+: `-- nme: \w+` is no header.*\n", done.stderr)
