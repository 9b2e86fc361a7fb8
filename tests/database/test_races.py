"""What happens at the same time, with real commits."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
from conftest import PASSWORD, Api

from marketplace.postgres.database import Database


def at_once(number: int, call) -> list:
    """The results of `number` calls that start together."""
    ready = threading.Barrier(number)

    def run(index: int):
        ready.wait()
        return call(index)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


def test_one_of_many_equal_registrations_wins(committed: Api):
    body = {"name": "Sari", "email": "sari@example.com", "password": PASSWORD}
    answers = at_once(4, lambda _: committed.post("/api/auth/register", json=body).status_code)

    counted = Counter(answers)
    assert counted[201] == 1
    assert set(counted) <= {201, 409, 429}


def test_one_of_many_stores_of_a_user_is_opened(committed: Api):
    user = committed.buyer()
    answers = at_once(
        6, lambda n: committed.post("/api/stores", user, json={"name": f"Toko {n}"}).status_code
    )

    assert Counter(answers) == {201: 1, 409: 5}


def test_a_new_brand_is_made_once(committed: Api):
    seller = committed.seller()
    ids = at_once(
        8, lambda n: committed.product(seller, name=f"x{n}", brand="Merek Baru")["brand_id"]
    )

    assert len(set(ids)) == 1


def test_a_product_keeps_one_main_picture(committed: Api):
    from support.images import picture

    seller = committed.seller()
    path = f"/api/products/{committed.product(seller)['id']}"
    answers = at_once(
        4,
        lambda n: (
            committed.upload(
                f"{path}/images", seller, [("images", str(n), picture((30 + n, 30)))]
            ).status_code
        ),
    )
    images = committed.get(path).json["images"]

    assert answers == [201] * 4
    assert [image["is_main"] for image in images] == [True, False, False, False]
    at_once(
        4,
        lambda n: committed.patch(
            f"{path}/images/{images[n]['id']}", seller, json={"is_main": True}
        ),
    )
    assert sum(image["is_main"] for image in committed.get(path).json["images"]) == 1


def test_a_refresh_token_used_by_many_at_once_keeps_the_session(committed: Api):
    user = committed.buyer()
    answers = at_once(
        6,
        lambda _: (
            committed.post(
                "/api/auth/refresh", json={"refresh_token": user.refresh_token}
            ).status_code
        ),
    )

    assert answers == [200] * 6


def test_connections_that_the_server_ended_are_replaced_without_an_error(committed: Api):
    seller = committed.seller()
    at_once(8, lambda n: committed.get("/api/products"))
    with psycopg.connect(committed.owner_url, autocommit=True) as conn:
        others = (
            "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"  # an autovacuum is not ours to end
        )
        conn.execute(f"SELECT pg_terminate_backend(pid) {others}")
        while conn.execute(f"SELECT count(*) {others}").fetchone() != (0,):
            time.sleep(0.01)

    assert at_once(8, lambda n: committed.get("/api/stores/mine", seller).status_code) == [200] * 8


def test_a_connection_whose_statements_a_migration_has_outdated_is_replaced(committed: Api):
    seller = committed.seller()
    one = replace(committed.config, pool_size=1)
    api = Api(one, Database(one), committed.owner_url)
    paths = ("/api/cart", "/api/stores/mine", f"/api/stores/{seller.store_id}")
    with psycopg.connect(committed.owner_url, autocommit=True) as conn:
        for length, path in enumerate(paths, 100):
            assert api.get(path, seller).status_code == 200
            conn.execute(f"ALTER TABLE stores ALTER COLUMN city TYPE varchar({length})")
            answer = api.get(path, seller)
            assert (answer.status_code, answer.json.get("code")) == (503, "unavailable")
            assert int(answer.headers["retry-after"]) >= 1
            assert api.get(path, seller).status_code == 200
    api.db.close()


def test_a_database_that_is_away_is_a_503_and_its_return_is_noticed(committed: Api):
    seller = committed.seller()
    name = psycopg.conninfo.conninfo_to_dict(committed.owner_url)["dbname"]
    elsewhere = psycopg.conninfo.make_conninfo(committed.owner_url, dbname="postgres")
    with psycopg.connect(elsewhere, autocommit=True) as conn:
        conn.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false')
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = %s AND backend_type = 'client backend'",
            [name],
        )
        answer = committed.get("/api/stores/mine", seller)
        assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert committed.get("/healthz").status_code == 200
        assert committed.get("/readyz").status_code == 503
        conn.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS true')

    assert committed.get("/api/stores/mine", seller).status_code == 200
