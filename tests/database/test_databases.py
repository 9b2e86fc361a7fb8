"""Databases as a whole: how one is dropped that somebody is still in."""

import secrets
import threading

import psycopg
import pytest
from conftest import database
from psycopg.conninfo import make_conninfo

from marketplace.postgres.databases import drop


@pytest.fixture
def name(owner_url: str) -> str:
    name = f"marketplace_test_{secrets.token_hex(6)}"
    with psycopg.connect(owner_url, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")
    return name


def test_a_database_goes_with_all_connections_to_it(owner_url: str, name: str):
    inside = psycopg.connect(database(owner_url, name))
    with psycopg.connect(owner_url, autocommit=True) as conn:
        drop(conn, name)
        with pytest.raises(psycopg.OperationalError):
            inside.execute("SELECT 1")
        drop(conn, name)  # nothing is left to do


def test_who_cannot_be_ended_is_waited_for(owner_url: str, name: str):
    """As an autovacuum, which acts as a superuser: its connection cannot be ended by others."""
    with psycopg.connect(owner_url, autocommit=True) as conn:
        try:
            inside = psycopg.connect(make_conninfo(database(owner_url, name), user="postgres"))
        except psycopg.OperationalError:
            drop(conn, name)
            pytest.skip("nobody but the owner may log in here")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
        leaving = threading.Timer(0.5, inside.close)
        leaving.start()
        drop(conn, name)
        leaving.join()
        assert conn.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is None


def test_somebody_elses_database_is_left_alone(owner_url: str, name: str):
    stranger = f"stranger_{secrets.token_hex(4)}"
    with psycopg.connect(owner_url, autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {stranger}")
        try:
            conn.execute(f"GRANT {stranger} TO current_user")
            conn.execute(f"SET ROLE {stranger}")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                drop(conn, name)
        finally:
            conn.execute("RESET ROLE")
            conn.execute(f"DROP ROLE {stranger}")
            drop(conn, name)
