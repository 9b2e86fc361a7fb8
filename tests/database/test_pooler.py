"""Behind a pooler nothing can be set for a connection: the login itself has to be what the
application is.
"""

import secrets
import time
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from conftest import Api
from psycopg.conninfo import make_conninfo
from support.responses import problem

from marketplace.config import settings
from marketplace.config.env import ConfigError
from marketplace.postgres.database import Database


@pytest.fixture
def login(committed: Api) -> Iterator[str]:
    """A login of the application's own."""
    name = f"marketplace_pooled_{secrets.token_hex(3)}"
    with psycopg.connect(committed.owner_url, autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x' IN ROLE marketplace_app")
        yield name
        while (
            conn.execute("SELECT FROM pg_stat_activity WHERE usename = %s", [name]).fetchone()
            is not None
        ):
            time.sleep(
                0.01
            )  # a connection that was closed ends a moment later, and only its own role may end it
        conn.execute(f"DROP ROLE {name}")


def pooled(api: Api, url: str) -> Api:
    config = replace(api.config, database_url=url, database_pooler="transaction")
    return Api(config, Database(config), api.owner_url)


def test_the_owners_login_is_refused(committed: Api):
    """It would step around every policy."""
    api = pooled(committed, committed.owner_url)
    problem(api.get("/api/products"), 503, "unavailable")
    api.db.close()


def test_a_login_without_time_limits_is_refused_and_one_with_them_does_all(
    committed: Api, login: str
):
    url = make_conninfo(committed.owner_url, user=login, password="x")
    api = pooled(committed, url)
    problem(api.get("/api/products"), 503, "unavailable")
    api.db.close()
    with psycopg.connect(committed.owner_url, autocommit=True) as conn:
        conn.execute(f"ALTER ROLE {login} SET statement_timeout = '4s'")
        conn.execute(f"ALTER ROLE {login} SET lock_timeout = '3s'")
    api = pooled(committed, url)
    seller = api.seller()
    product = api.product(seller)
    assert (
        api.patch(f"/api/products/{product['id']}", seller, json={"price": "5"}).status_code == 200
    )
    assert api.get("/api/products").json["products"][0]["price"] == "5.00"
    assert api.get(f"/api/products/{product['id']}", api.buyer()).status_code == 200
    assert (
        api.patch(f"/api/products/{product['id']}", api.seller(), json={"price": "6"}).status_code
        == 404
    )
    with api.db.primary() as conn:
        prepared = conn.execute("SELECT count(*) AS n FROM pg_prepared_statements").fetchone()
    assert prepared == {"n": 0}, "the next connection would not know them"
    api.db.close()


def test_the_worker_and_migrations_go_past_the_pooler():
    env = {"DATABASE_URL": "host=pooler", "DATABASE_POOLER": "transaction"}
    config = settings.load(env, secret_keys=("k" * 40,))
    assert (config.worker_database_url, config.migrate_database_url) == ("", "")
    with pytest.raises(ConfigError, match="WORKER_DATABASE_URL"):
        Database.of_worker(config)
    direct = settings.load({**env, "WORKER_DATABASE_URL": "host=postgres"}, secret_keys=("k" * 40,))
    Database.of_worker(direct).close()
    with pytest.raises(ConfigError, match="DATABASE_POOLER"):
        settings.load({**env, "DATABASE_POOLER": "session"}, secret_keys=("k" * 40,))
