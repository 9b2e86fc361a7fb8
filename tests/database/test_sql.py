"""The statements of sql/queries: each has its function, and PostgreSQL can plan each."""

import ast
import re
from pathlib import Path

import psycopg
import pytest

from marketplace.config.settings import ROOT
from marketplace.postgres.statements import ADMIN, QUERIES, named_sql

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
        if text.split()[0] in ("COPY", "EXPLAIN", "BEGIN", "COMMIT", "ANALYZE"):
            return  # it cannot be prepared; that it is understood is seen when it runs
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


#: How a statement starts; and whole words that are one.
STATEMENT = re.compile(
    r"""\s*(
        (SELECT|WITH|EXPLAIN|SET|RESET|SHOW|PREPARE|EXECUTE|DEALLOCATE|COPY|VACUUM|ANALYZE|LISTEN)\s
        | (UNLISTEN|NOTIFY|GRANT|REVOKE|CREATE|ALTER|DROP|TRUNCATE|REINDEX|CLUSTER|CALL|DO|LOCK)\s
        | (DECLARE|FETCH|CLOSE|RELEASE|ROLLBACK|START|REASSIGN|REFRESH|MERGE|VALUES|TABLE)\s
        | (INSERT\s+INTO|DELETE\s+FROM|UPDATE\s+\S+\s+SET|COMMENT\s+ON|SECURITY\s+LABEL)\b
        | (BEGIN|COMMIT|ROLLBACK|SAVEPOINT|CHECKPOINT|ANALYZE|VACUUM|END|ABORT|DISCARD)\b
    )""",
    re.VERBOSE,
)
LOWER = re.compile(
    r"\s*(select\s.+\sfrom\s|insert\s+into\s|delete\s+from\s|update\s+\S+\s+set\s"
    r"|(create|alter|drop)\s+(table|role|database|schema|index|view|function|extension)\s)",
    re.DOTALL,
)


def sql_of(source: str) -> list[str]:
    """Texts of a module that are statements, or the start of one; docstrings are none."""
    tree = ast.parse(source)
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    prose = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, holders) and node.body and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
        if any(LOOK.match(piece) for LOOK in (STATEMENT, LOWER) for piece in pieces(node.value))
    ]


def pieces(text: str) -> list[str]:
    """A text, and what stands behind each line break and semicolon in it."""
    return [text, *re.split(r"[\n;]", text)]


@pytest.mark.parametrize(
    "source",
    [
        'conn.execute("SELECT 1")',
        'conn.execute(f"SET LOCAL lock_timeout = {seconds}")',
        'X = """\n-- why\nCREATE TABLE x (y integer);\n"""',
        'sql.SQL("DROP DATABASE {}")',
        'conn.execute("BEGIN")',
        'conn.execute("update products set price = 1")',
        'conn.execute("  insert into x " "values (1)")',
        'f"{one}; DELETE FROM users"',
    ],
)
def test_sql_in_python_is_recognised(source: str):
    assert sql_of(source)


@pytest.mark.parametrize(
    "source",
    [
        '"""SELECT is a word."""',
        '"Select a file."',
        '"DELETE"',
        '"With a name."',
        'X = "SET"',
        '"COPY "',
    ],
)
def test_words_are_no_sql(source: str):
    assert not sql_of(source)


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "marketplace").rglob("*.py")),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_sql_is_written_in_python(path: Path):
    assert sql_of(path.read_text(encoding="utf-8")) == []


ADMINISTERED = {
    "databases": {"commands/restore", "postgres/databases", "postgres/embedded/provision"},
    "explain": {"commands/check_sql", "commands/explain"},
    "make_roles": {"postgres/roles"},
    "migrate": {"postgres/migrations"},
    "queue": {"postgres/queue_schema"},
}


@pytest.mark.parametrize("name", sorted(ADMINISTERED))
def test_every_statement_of_administration_is_used(name: str):
    sources = [(ROOT / "marketplace" / f"{module}.py").read_text() for module in ADMINISTERED[name]]
    texts = {
        node.value
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant)
    }
    assert set(named_sql(name, ADMIN)) - texts == set()
    assert all(f'named_sql("{name}", ADMIN)' in source for source in sources)
