"""The demo shop of a first start, and the command that makes an admin."""

import argparse
import os
from pathlib import Path

import psycopg
import pytest
from conftest import Api
from psycopg.rows import dict_row
from support.responses import problem

from marketplace import demo
from marketplace.commands import create_admin
from marketplace.config import settings
from marketplace.config.folders import LOGINS
from marketplace.demo import unfinished
from marketplace.postgres import migrations
from marketplace.postgres.embedded import provision


def test_the_demo_shop_is_loaded_once_and_its_logins_work(committed: Api):
    lines: list[str] = []
    demo.load(committed.config, lines.append)

    logins = [line.split() for line in lines[2:]]
    kept = committed.config.data_dir / LOGINS
    assert [line.split() for line in kept.read_text().splitlines()] == logins
    assert kept.stat().st_mode & 0o777 == 0o600
    assert [role for _, _, role in logins] == [
        "admin",
        "seller",
        "seller",
        "seller",
        "buyer",
        "buyer",
    ]
    for email, password, role in logins:
        answer = committed.post("/api/auth/login", json={"email": email, "password": password})
        assert answer.json["user"]["role"] == role
    shown = committed.get("/api/products", params={"per_page": 100}).json["products"]
    assert len(shown) == 61
    assert all(product["images"] and product["category"] and product["brand"] for product in shown)
    assert 1 < sum(not product["in_stock"] for product in shown) < 10
    picture = shown[0]["images"][0]["variants"][-1]["url"].removeprefix(
        "http://falconframework.org"
    )
    assert committed.get(picture).headers["Content-Type"] == "image/webp"
    in_kinds = {p["name"]: p for p in shown if p["variant_count"]}
    assert {name: (p["variant_count"], p["stock"]) for name, p in in_kinds.items()} == {
        "Kemeja Batik Kawung Lengan Pendek Pria": (4, 24),
        "Sepatu Kanvas Tinggi Harian": (10, 20),
        "Biji Kopi Arabika Gayo 250 g": (3, 48),
    }
    shirt = in_kinds["Kemeja Batik Kawung Lengan Pendek Pria"]
    assert (shirt["price"], shirt["price_max"]) == ("189000.00", "199000.00")
    tree = committed.get("/api/categories").json["categories"]
    counts = {node["name"]: node["product_count"] for node in tree}
    assert counts["Makanan & Minuman"] == 21

    email, password, _ = logins[-1]
    login = committed.post("/api/auth/login", json={"email": email, "password": password})
    bearer = {"Authorization": f"Bearer {login.json['access_token']}"}
    lines_of = {"lines": [{"product_id": shown[0]["id"], "quantity": 1}], "buy_now": True}
    quote = committed.post("/api/checkout/quote", json=lines_of, headers=bearer).json
    assert quote["problems"] == ([] if shown[0]["in_stock"] else quote["problems"])
    assert len(quote["orders"][0]["delivery"]["options"]) == 3
    assert "ONGKIRDEMO" in {offer["code"] for offer in quote["vouchers"]}

    again: list[str] = []
    demo.load(committed.config, again.append)
    assert again == []
    assert not (kept.parent / unfinished.FILE).exists()


OURS = ("DATABASE_URL", "MIGRATE_DATABASE_URL", "WORKER_DATABASE_URL")


@pytest.mark.parametrize("named", [True, False])
def test_a_shop_whose_making_was_interrupted_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    for name in (*OURS, "PATH"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # put back at the end
    for name in OURS:
        monkeypatch.delenv(name)
    plain = settings.load()
    with provision.connected():
        config = settings.load()
        migrations.migrate(config.migrate_database_url, lambda line: None)
        with (
            psycopg.connect(config.migrate_database_url, row_factory=dict_row) as owner,
            pytest.raises(KeyboardInterrupt),
            unfinished.noted(config, owner),
        ):
            raise KeyboardInterrupt
    for name in OURS:
        monkeypatch.delenv(name)
    if not named:
        (tmp_path / unfinished.FILE).write_text("another database")
    lines: list[str] = []
    unfinished.discard(plain, lines.append)
    assert len(lines) == named
    assert not (tmp_path / unfinished.FILE).exists()
    with provision.connected(), psycopg.connect(settings.load().migrate_database_url) as owner:
        there = owner.execute("SELECT to_regclass('users') IS NULL").fetchone()
        assert there == (named,)
    unfinished.discard(plain, lines.append)
    assert len(lines) == named


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    create_admin.add_arguments(parser)
    return parser.parse_args(words)


def test_create_admin_makes_an_account_that_manages(
    committed: Api, monkeypatch, tmp_path: Path, capsys
):
    monkeypatch.setenv("DATABASE_URL", committed.owner_url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("BCRYPT_COST", "4")
    secret = tmp_path / "password"
    secret.write_text("sepeda-tua-di-pagi-hari\n", encoding="utf-8")
    wanted = arguments(
        "--email", "ayu@example.com", "--name", "Ayu", "--password-file", str(secret)
    )

    assert create_admin.run(wanted) == 0
    login = {"email": "AYU@example.com", "password": "sepeda-tua-di-pagi-hari"}
    answer = committed.post("/api/auth/login", json=login)
    assert answer.json["user"]["role"] == "admin"
    headers = {"Authorization": f"Bearer {answer.json['access_token']}"}
    assert committed.post("/api/brands", headers=headers, json={"name": "Senja"}).status_code == 201

    assert create_admin.run(wanted) == 1
    assert "an account with this address exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("password", "reason"), [("password1", "password"), ("short", "at least 8")]
)
def test_create_admin_refuses_a_weak_password(
    committed: Api, monkeypatch, tmp_path: Path, capsys, password: str, reason: str
):
    monkeypatch.setenv("DATABASE_URL", committed.owner_url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    secret = tmp_path / "password"
    secret.write_text(password, encoding="utf-8")

    wanted = arguments("--email", "a@example.com", "--name", "A", "--password-file", str(secret))
    assert create_admin.run(wanted) == 1
    assert reason in capsys.readouterr().err
    answer = committed.post(
        "/api/auth/login", json={"email": "a@example.com", "password": password}
    )
    problem(answer, 401, "invalid_credentials")
