"""Two walls before each row that is somebody's: the condition in the statement, and what the
database knows.

Every condition of ownership in sql/queries is marked `/* own */`. Each is taken away in turn;
nothing of anybody else's may come back or change.
"""

import contextlib
import importlib
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import psycopg
import pytest
from conftest import Api, RollbackDatabase, make_config
from support.attacks import MARK, Scene, attacks, foreign_rows, refusals, scene
from support.import_shop import Shop

from marketplace.postgres.statements import QUERIES, named_sql

OWN = re.compile(r"/\* own \*/ (.+?)(?=;?$)", re.MULTILINE)
#: Run by the worker, and tried with imports below.
WORKERS = ("import_rows", "import_variants")
#: `%(store_id)s` of a public list filters, it does not protect. An EXPLAIN shares its text with the
#: statement that it is about, and returns no row of anybody.
CONDITIONS = [
    (file.stem, name, number)
    for file in sorted(QUERIES.glob("*.sql"))
    for name, text in named_sql(file.stem).items()
    if not text.startswith("EXPLAIN ")
    for number, _ in enumerate(OWN.findall(text))
]


class Stage(NamedTuple):
    """A scene, and the texts of the statements that each attack runs, by its name."""

    at: Scene
    asked: dict[str, set[str]]


def without(monkeypatch: pytest.MonkeyPatch, noun: str, name: str, number: int) -> str:
    """Take one condition away from a statement; its text then."""
    statements: Any = importlib.import_module(f"marketplace.queries.{noun}").SQL
    count = iter(range(100))
    text = OWN.sub(lambda found: "true" if next(count) == number else found[0], statements[name])
    assert text != statements[name]
    monkeypatch.setitem(statements, name, text)
    return text


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The texts of all statements that are run."""
    return recorded(monkeypatch)


def recorded(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    texts: set[str] = set()
    original = psycopg.Cursor.execute

    def execute(self: Any, query: Any, *args: Any, **options: Any) -> Any:
        texts.add(str(query))
        return original(self, query, *args, **options)

    monkeypatch.setattr(psycopg.Cursor, "execute", execute)
    return texts


@pytest.fixture(scope="module")
def stage(shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One scene for the tests of this file, and what each attack asks there."""
    config = make_config(shared_database, tmp_path_factory.mktemp("stage"))
    db = RollbackDatabase(config)
    at = scene(Api(config, db, shared_database))
    asked: dict[str, set[str]] = defaultdict(set)
    with pytest.MonkeyPatch.context() as patch, undone(db):
        texts = recorded(patch)
        for name, attack in attacks(at):
            texts.clear()
            assert attack() == [], name
            asked[name] |= texts
    yield Stage(at, asked)
    db.close()


@contextlib.contextmanager
def undone(db: RollbackDatabase) -> Iterator[None]:
    """What is written is taken back at the end."""
    db.conn.execute("SAVEPOINT stage", prepare=False)
    try:
        yield
    finally:
        db.conn.execute("ROLLBACK TO SAVEPOINT stage", prepare=False)


@pytest.fixture
def played(stage: Stage) -> Iterator[Stage]:
    with undone(stage.at.api.db):
        yield stage


def test_conditions_are_marked_in_every_private_table():
    assert {noun for noun, _, _ in CONDITIONS} == {
        "activities", "addresses", "audit", "badges", "books", "carts", "checkouts", "delivery_options", "exports",
        "idempotency", "import_rows", "import_variants", "imports", "invoices", "orders", "orders_export", "payments",
        "products", "refunds", "returns",
        "stock", "store_settings", "stores", "uploads", "users", "vouchers",
    }  # fmt: skip
    assert len(CONDITIONS) >= 25


def test_nothing_of_anybody_elses_comes_back_and_what_is_named_is_not_there(played: Stage):
    at = played.at
    assert refusals(at) == []
    assert foreign_rows(at) == []


@pytest.mark.parametrize(
    ("noun", "name", "number"), [each for each in CONDITIONS if each[0] not in WORKERS]
)
def test_the_database_holds_where_the_statement_forgets(
    played: Stage,
    monkeypatch: pytest.MonkeyPatch,
    executed: set[str],
    noun: str,
    name: str,
    number: int,
):
    """Only the attacks that ask the statement are made: it is nothing to the others."""
    whole = importlib.import_module(f"marketplace.queries.{noun}").SQL[name]
    text = without(monkeypatch, noun, name, number)

    def asks(attack: str) -> bool:
        return any(whole in query for query in played.asked.get(attack, ()))

    assert foreign_rows(played.at, asks) == []
    if not any(text in query for query in executed):  # it is asked only after other attacks
        assert foreign_rows(played.at) == []
    assert any(text in query for query in executed), "no attack runs this statement"


@pytest.mark.parametrize(
    ("noun", "name", "table"),
    [
        ("activities", "search", "activities"),
        ("imports", "search", "imports"),
        ("imports", "find", "imports"),
    ],
)
def test_without_both_walls_the_attack_finds_it(
    played: Stage, monkeypatch: pytest.MonkeyPatch, noun: str, name: str, table: str
):
    at = played.at
    without(monkeypatch, noun, name, 0)
    with at.api.as_owner(at.api.db.conn) as conn:
        conn.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    assert foreign_rows(at) != []


def test_without_the_databases_wall_the_statement_holds(played: Stage):
    at = played.at
    with at.api.as_owner(at.api.db.conn) as conn:
        for table in (
            "activities",
            "imports",
            "import_errors",
            "import_changes",
            "users",
            "audit",
            "idempotency_keys",
        ):
            conn.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        for table in (
            "products",
            "inventory",
            "product_images",
            "product_documents",
            "product_categories",
            "stores",
        ):
            conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        conn.execute(
            "CREATE OR REPLACE FUNCTION my_store_id() RETURNS bigint LANGUAGE sql AS 'SELECT "
            "1::bigint'"
        )
        conn.execute(
            "CREATE OR REPLACE FUNCTION my_role() RETURNS text LANGUAGE sql AS $$SELECT 'admin'$$"
        )
    assert foreign_rows(at) == []


@pytest.mark.parametrize(
    ("noun", "name", "number"), [each for each in CONDITIONS if each[0] == WORKERS[0]]
)
def test_an_import_that_forgets_whose_products_they_are_changes_nobody_elses(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    executed: set[str],
    noun: str,
    name: str,
    number: int,
):
    """Where the statement forgets, the database refuses: then the import fails, nothing is written."""
    api = shop.api
    victim = api.seller()
    product = api.product(victim, name=MARK, price="5000.00")
    mine = api.product(shop.seller, name="Teh", price="100.00")
    text = without(monkeypatch, noun, name, number)
    header = "marketplace_product_id,name,price,image_url\n"
    import_id = shop.send(
        f"{header}{product['id']},Stolen,1,\n{mine['id']},Teh,2,https://x.example/a.jpg\n"
    )
    with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
        shop.run(import_id)
    shop.run(shop.send(f"{header}{mine['id']},Teh,2,https://x.example/b.jpg\n"))
    shown = api.get(f"/api/products/{product['id']}").json
    assert (shown["name"], shown["price"], shown["store"]["id"]) == (
        MARK,
        "5000.00",
        victim.store_id,
    )
    assert any(text in query for query in executed), "no import runs this statement"


@pytest.mark.parametrize(
    ("noun", "name", "number"), [each for each in CONDITIONS if each[0] == WORKERS[1]]
)
def test_an_import_that_forgets_whose_variants_they_are_changes_nobody_elses(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    executed: set[str],
    noun: str,
    name: str,
    number: int,
):
    """Where the statement forgets, the database refuses: then the import fails, nothing is written."""
    header = (
        "marketplace_product_id,variant_id,name,price,stock,option1_name,option1_value,hidden\n"
    )
    theirs = Shop(shop.api)
    for each in (theirs, shop):
        each.run(
            each.send(f"{header},,{MARK},5000,4,Warna,Merah,no\n,,{MARK},6000,4,Warna,Biru,no\n")
        )
    found = "SELECT product_id, id FROM variants WHERE store_id = %s ORDER BY id"
    stolen, _ = theirs.rows(found, theirs.seller.store_id)
    mine, other = shop.rows(found, shop.seller.store_id)
    whose = "SELECT t::text AS row FROM variants AS t WHERE store_id = %s ORDER BY id"
    before = theirs.rows(whose, theirs.seller.store_id)
    shown = shop.api.get(f"/api/products/{stolen['product_id']}").json
    text = without(monkeypatch, noun, name, number)
    rows = (
        f"{mine['product_id']},{mine['id']},Ours,1,9,Warna,Merah,no\n",
        f"{stolen['product_id']},{stolen['id']},Stolen,1,9,Warna,Merah,no\n",
        f",{stolen['id']},Stolen,2,9,,,no\n",
        f"{stolen['product_id']},,Stolen,1,9,Warna,Hijau,no\n",
        f"{mine['product_id']},{other['id']},Ours,2,9,Warna,Ungu,yes\n",
    )
    for row in rows:
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
            shop.run(shop.send(header + row))
    assert theirs.rows(whose, theirs.seller.store_id) == before
    assert shop.api.get(f"/api/products/{stolen['product_id']}").json == shown
    assert any(text in query for query in executed), "no import runs this statement"
    theirs.db.close()


def test_the_applications_role_owns_nothing_and_may_make_nothing(api: Api):
    rows = api.db.conn.execute(
        """
        SELECT 'owns ' || c.oid::regclass AS what FROM pg_class AS c WHERE c.relowner = 'marketplace_app'::regrole
        UNION ALL
        SELECT 'makes in ' || n.nspname FROM pg_namespace AS n
        WHERE has_schema_privilege('marketplace_app', n.oid, 'CREATE')
        UNION ALL
        SELECT 'is ' || r.rolname FROM pg_roles AS r
        WHERE r.rolname IN ('marketplace_app', 'marketplace_worker')
            AND (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolcanlogin OR r.rolreplication)
        UNION ALL
        SELECT 'reaches ' || c.oid::regclass FROM pg_class AS c
        WHERE c.relnamespace = 'auth'::regnamespace AND c.relkind IN ('r', 'p', 'S')
            AND has_table_privilege('marketplace_app', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
        UNION ALL
        SELECT 'empties ' || c.oid::regclass FROM pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
            AND has_table_privilege('marketplace_app', c.oid, 'TRUNCATE, TRIGGER')
        """
    ).fetchall()
    assert [row["what"] for row in rows] == []
