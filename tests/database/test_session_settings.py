"""What responses depend on is pinned, and a locale that spoils them is refused."""

import secrets
from pathlib import Path

import psycopg
import pytest
from conftest import Api, created, database, make_config
from psycopg import sql

from marketplace.commands import doctor
from marketplace.postgres import migrations
from marketplace.postgres.database import Database
from marketplace.postgres.databases import drop
from marketplace.postgres.roles import MigrationError
from marketplace.postgres.statements import script

ODD = {
    "datestyle": "German",
    "intervalstyle": "iso_8601",
    "timezone": "Asia/Jakarta",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "transform_null_equals": "on",
    "standard_conforming_strings": "on",
    "default_transaction_isolation": "serializable",
    "gin_fuzzy_search_limit": "1",
    "search_path": "pg_catalog",
}


@pytest.mark.parametrize("name", ODD)
def test_settings_of_the_database_change_nothing(
    name: str, owner_url: str, template: str, tmp_path: Path
):
    with created(owner_url, f"{template}_{secrets.token_hex(4)}", template) as url:
        with psycopg.connect(owner_url, autocommit=True) as conn:
            conn.execute(
                sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                    sql.Identifier(psycopg.conninfo.conninfo_to_dict(url)["dbname"]),
                    sql.Identifier(name),
                    sql.Literal(ODD[name]),
                )
            )
        migrations.migrate(url, lambda line: None)
        db = Database(make_config(url, tmp_path, pool_size=4))
        try:
            api = Api(make_config(url, tmp_path), db, url)
            seller = api.seller()
            product = api.product(seller, name="Kopi Gayo", brand="Gayo")
            found = api.get("/api/products", params={"search": "gayo"}).json["products"]
            assert [each["id"] for each in found] == [product["id"]]
            assert api.get("/api/users/activities", seller).json["activities"]
            assert api.get("/api/changes").status_code == 200
        finally:
            db.close()


def spoilt(owner_url: str, options: str) -> str:
    """A new database with other options; its name."""
    name = f"marketplace_test_{secrets.token_hex(4)}"
    with psycopg.connect(owner_url, autocommit=True) as conn:
        try:
            conn.execute(f"CREATE DATABASE {name} TEMPLATE template0 {options}")
        except psycopg.errors.WrongObjectType:
            pytest.skip("this server has no such locale")
    return name


@pytest.mark.parametrize(
    "options",
    [
        "ENCODING 'UTF8' LOCALE_PROVIDER libc LOCALE 'C'",
        "ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'",
    ],
)
def test_a_locale_without_letters_is_refused(owner_url: str, options: str):
    name = spoilt(owner_url, options)
    try:
        with pytest.raises(MigrationError, match="locale C"):
            migrations.migrate(database(owner_url, name), lambda line: None)
        with psycopg.connect(database(owner_url, name)) as conn:
            tables = conn.execute("SELECT to_regclass('public.users')").fetchone()
            assert tables == (None,)
    finally:
        with psycopg.connect(owner_url, autocommit=True) as conn:
            drop(conn, name)


def test_a_database_in_use_is_told_of_its_locale_and_served(owner_url: str):
    name = spoilt(owner_url, "ENCODING 'UTF8' LOCALE_PROVIDER libc LOCALE 'C'")
    url = database(owner_url, name)
    try:
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(script("ledger"))
            first = migrations._read(migrations.MIGRATIONS)[0]
            migrations.roles.ensure(conn)
            conn.execute(first.text)
            migrations._record(conn, first, 0)
        lines: list[str] = []
        migrations.migrate(url, lines.append)
        assert any("locale C" in line for line in lines)
        with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as conn:
            found = list(doctor._safe(doctor.doctor.server(conn)))
        assert any(each.state == "wrong" and "locale C" in each.words for each in found)
    finally:
        with psycopg.connect(owner_url, autocommit=True) as conn:
            drop(conn, name)


def test_the_template_of_the_tests_is_fine(shared_database: str):
    with psycopg.connect(shared_database, row_factory=psycopg.rows.dict_row) as conn:
        assert doctor.doctor.server(conn)["letters"] is True
