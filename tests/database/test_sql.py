"""The statements of sql/queries: each has its function, and PostgreSQL can plan each."""

import ast
import re
from pathlib import Path

import psycopg
import pytest

from marketplace.config.settings import ROOT
from marketplace.postgres.statements import QUERIES, named_sql

NOUNS = sorted(path.stem for path in QUERIES.glob("*.sql"))
STATEMENTS = [(noun, name) for noun in NOUNS for name in named_sql(noun)]


def used_names(noun: str) -> set[str]:
    """The statements that Python takes out of SQL["..."] of a noun."""
    found: set[str] = set()
    for path in (ROOT / "marketplace").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        if f'named_sql("{noun}")' in source:
            found |= set(re.findall(r'SQL\[\s*"(\w+)"', source))
            for node in ast.walk(ast.parse(source)):  # names chosen among literals
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.add(node.value)
    return found


@pytest.mark.parametrize("noun", NOUNS)
def test_every_statement_has_its_function(noun: str):
    assert (ROOT / "marketplace" / "queries" / f"{noun}.py").exists()
    assert set(named_sql(noun)) - used_names(noun) == set()


@pytest.mark.parametrize(
    "module", sorted(path.stem for path in (ROOT / "marketplace" / "queries").glob("[a-z]*.py"))
)
def test_every_query_function_is_documented_and_has_its_file(module: str):
    assert module in NOUNS
    tree = ast.parse(
        (ROOT / "marketplace" / "queries" / f"{module}.py").read_text(encoding="utf-8")
    )
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


@pytest.mark.parametrize(("noun", "name"), STATEMENTS, ids=[".".join(pair) for pair in STATEMENTS])
def test_postgresql_plans_every_statement(shared_database: str, noun: str, name: str):
    names: list[str] = []

    def numbered(match: re.Match) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    text = re.sub(r"%\((\w+)\)s", numbered, named_sql(noun)[name]).replace("%%", "%")
    with psycopg.connect(shared_database, autocommit=True) as conn:
        if "\nCOPY " in f"\n{text}":  # has no plan; that it is read well is seen when it runs
            return
        conn.execute(f"PREPARE planned AS {text}")
        nulls = ", ".join(["NULL"] * len(names))
        conn.execute("SET plan_cache_mode = force_generic_plan")
        conn.execute(f"EXPLAIN EXECUTE planned{f'({nulls})' if names else ''}")


def test_every_table_and_column_has_a_comment(shared_database: str):
    with psycopg.connect(shared_database) as conn:
        bare = conn.execute(
            """
            SELECT c.oid::regclass::text, a.attname
            FROM pg_class AS c
            JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum >= 0 AND NOT a.attisdropped
            WHERE c.relnamespace IN ('public'::regnamespace, 'auth'::regnamespace)
                AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                AND col_description(c.oid, a.attnum) IS NULL
            UNION ALL
            SELECT c.oid::regclass::text, 'the table'
            FROM pg_class AS c
            WHERE c.relnamespace IN ('public'::regnamespace, 'auth'::regnamespace)
                AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                AND obj_description(c.oid, 'pg_class') IS NULL
            """
        ).fetchall()
    assert bare == []


def test_the_applications_role_owns_nothing_and_reads_no_secret(shared_database: str):
    with psycopg.connect(shared_database) as conn:
        assert conn.execute(
            "SELECT count(*) FROM pg_class WHERE relowner = 'marketplace_app'::regrole"
        ).fetchone() == (0,)
        granted = conn.execute(
            """
            SELECT c.oid::regclass::text
            FROM pg_class AS c
            WHERE c.relnamespace = 'auth'::regnamespace AND c.relkind = 'r'
                AND has_table_privilege('marketplace_app', c.oid, 'SELECT, INSERT, UPDATE, DELETE')
            """
        ).fetchall()
        assert granted == []


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "marketplace").rglob("*.py")),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_sql_is_written_in_python(path: Path):
    if (
        path.name in ("embedded.py", "migrations.py", "roles.py", "job_queue.py", "databases.py")
        or path.parent.name == "commands"
    ):
        return  # what makes roles and databases, before there is a schema
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not re.match(
                r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|CREATE|ALTER) \S", node.value
            ), node.value[:60]
