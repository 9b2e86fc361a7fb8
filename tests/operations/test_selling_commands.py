"""Commands that set up selling: areas and taxes."""

from pathlib import Path

import psycopg
import pytest
from conftest import Api
from support.commands import command

from marketplace.config.settings import ROOT

AREAS = ROOT.parent / "shared" / "data" / "areas"


@pytest.mark.skipif(not AREAS.exists(), reason="the areas of Indonesia are not beside the project")
def test_the_areas_of_indonesia_are_loaded_and_again(committed: Api, tmp_path: Path):
    loaded = command(committed.owner_url, tmp_path, "load-areas", str(AREAS))
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout == "91592 areas of ID: 91592 new or changed, 0 removed.\n"
    again = command(committed.owner_url, tmp_path, "load-areas", str(AREAS))
    assert again.stdout == "91592 areas of ID: 0 new or changed, 0 removed.\n"
    found = committed.get("/api/areas", params={"search": "cipocok"}).json["areas"]
    assert found[0]["name"] == "Cipocok Jaya"
    assert found[0]["path"] == ["Banten", "Kota Serang"]
    assert committed.get("/api/areas").json["areas"][0]["name"] == "Aceh"


def test_a_file_of_areas_replaces_those_of_its_country(committed: Api, tmp_path: Path):
    file = tmp_path / "areas.csv"
    file.write_text("code,name,postcodes\n36,DKI BANTEN,\n36.73,Kota Serang,42111 42112\n")
    assert command(committed.owner_url, tmp_path, "load-areas", str(file)).returncode == 0
    (area,) = committed.get("/api/areas", params={"search": "serang"}).json["areas"]
    assert (area["postcodes"], area["path"]) == (["42111", "42112"], ["DKI Banten"])
    file.write_text("code,name\n36,DKI Banten\n")
    less = command(committed.owner_url, tmp_path, "load-areas", str(file))
    assert less.stdout == "1 areas of ID: 0 new or changed, 1 removed.\n"
    for text, words in (
        ("code\n36\n", "lacks code or name"),
        ("code,name\n36.73,Serang\n", "which no file has"),
        ("code,name\n36;73,Serang\n", "line 2"),
        ("code,name\n", "no area"),
    ):
        file.write_text(text)
        refused = command(committed.owner_url, tmp_path, "load-areas", str(file))
        assert refused.returncode == 1
        assert words in refused.stderr
    assert len(committed.get("/api/areas").json["areas"]) == 1


def test_taxes_are_added_and_closed(committed: Api, tmp_path: Path):
    def run(*arguments: str):
        return command(committed.owner_url, tmp_path, "tax-rates", *arguments)

    assert run("add", "ID", "PPN", "11").stdout == "Rate 1 is in force.\n"
    admin = committed.admin()
    food = committed.post("/api/categories", admin, json={"name": "Beras"}).json["id"]
    red = {"name": "Beras merah", "parent_id": food}
    child = committed.post("/api/categories", admin, json=red).json["id"]
    assert run("add", "ID", "Beras", "0", "--category", str(food)).returncode == 0
    assert "close 1, 2" in run("add", "ID", "PPN", "11", "--on-top").stderr
    assert "no category" in run("add", "ID", "PPN", "11", "--category", "99").stderr
    for wrong in (("Id", "11"), ("ID", "101"), ("ID", "NaN"), ("ID", "1.00001")):
        assert run("add", wrong[0], "PPN", wrong[1]).returncode == 2
    listed = run().stdout.splitlines()
    assert listed[0].split() == ["1", "ID", "PPN:", "11", "%", "in", "the", "prices,", "all"]
    with psycopg.connect(committed.owner_url) as conn:
        rates = "SELECT (tax_rate(%s, %s)).rate"
        for category, country, rate in ((None, "ID", 11), (child, "ID", 0), (child, "SG", None)):
            assert conn.execute(rates, [category, country]).fetchone()[0] == rate
    assert run("close", "1").stdout == "Rate 1 is closed.\n"
    assert run("close", "1").returncode == 1
    assert len(run().stdout.splitlines()) == 1


def test_holidays_and_commission_are_set(committed: Api, tmp_path: Path):
    def run(*arguments: str):
        return command(committed.owner_url, tmp_path, *arguments)

    assert run("holidays", "add", "2999-12-25", "Natal").stdout == "2999-12-25 Natal\n"
    assert run("holidays", "add", "2999-12-25", "").returncode == 1
    assert run("holidays", "remove", "2999-12-24").returncode == 1
    assert run("holidays", "remove", "2999-12-25").stdout == ""
    assert run("holidays", "add", "Natal", "x").returncode == 2
    assert run("commission").stdout == "Rule 1: 0 %, and 0 % tax on it.\n"
    assert run("commission", "set", "5", "--tax", "11").stdout.endswith(
        ": 5 %, and 11 % tax on it.\n"
    )
    assert run("commission", "set", "101").returncode == 2
    with psycopg.connect(committed.owner_url) as conn:
        rules = conn.execute("SELECT count(*), count(active_to) FROM commission_rules").fetchone()
    assert rules == (2, 1)


def test_what_a_provider_pays_out_is_booked_once_a_day(committed: Api, tmp_path: Path):
    def run(*arguments: str):
        return command(committed.owner_url, tmp_path, "paid-out", "midtrans", *arguments)

    part = run("2026-11-20", "1191600.50")
    assert (part.returncode, "a part of a coin of IDR: 1191600.50" in part.stderr) == (1, True)
    done = run("2026-11-20", "1191600")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(
        ": 1191600.00 of midtrans for 2026-11-20; -1191600.00 are left there.\n"
    )
    assert run("2026-11-20", "1191600.00").stdout == done.stdout
    other = run("2026-11-20", "5000")
    assert (other.returncode, "booked already" in other.stderr) == (1, True)
    for wrong in (("2999-01-01", "1"), ("20.11.2026", "1"), ("2026-11-20", "0"), ("2026-11-20", "NaN"),
                  ("2026-11-20", "1.001"), ("2026-11-20", "1e13")):  # fmt: skip
        assert run(*wrong).returncode == 2, wrong
    with psycopg.connect(committed.owner_url) as conn:
        booked = conn.execute(
            "SELECT a.kind, p.amount::text FROM ledger_postings AS p JOIN ledger_accounts AS a ON a.id = p.account_id"
            " JOIN ledger_entries AS e ON e.id = p.entry_id WHERE e.kind = 'settlement' ORDER BY p.line"
        ).fetchall()
    assert booked == [("bank", "1191600.00"), ("provider", "-1191600.00")]
