"""A user's addresses, and the areas they are picked from."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from conftest import PASSWORD, Api, User
from support.buying import HOME
from support.responses import problem

from marketplace.queries import areas
from marketplace.workflows import addresses as workflow

PATH = "/api/users/addresses"
ABROAD = {"recipient": "Ann", "phone": "1", "country": "NL", "line1": "Dam 1"}
AREAS = {
    "36": ("Banten", ""),
    "36.73": ("Kota Serang", ""),
    "36.73.06": ("Cipocok Jaya", "42121"),
    "36.73.06.1003": ("Cipocok Jaya", "42121"),
    "36.04": ("Kabupaten Serang", ""),
    "31": ("DKI Jakarta", ""),
}


def add(api: Api, user: User, **fields) -> dict:
    answer = api.post(PATH, user, json={**HOME, **fields})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"{PATH}/{answer.json['id']}"
    return answer.json


def defaults(api: Api, user: User) -> list[int]:
    listed = api.get(PATH, user).json["addresses"]
    return [address["id"] for address in listed if address["is_default"]]


def load(api: Api) -> None:
    with api.as_owner(api.db.conn) as conn:
        names, postcodes = zip(*AREAS.values(), strict=True)
        areas.load(conn, "ID", list(AREAS), names, postcodes)


def test_an_address_is_kept_and_said_in_one_line(api: Api):
    user = api.buyer()
    made = add(api, user, line2="Lantai 2", latitude=-6.120833, longitude=106.5)
    assert made["text"] == "Jl. Veteran 5, Lantai 2, Cipocok Jaya, Serang, Banten 42121"
    assert (made["latitude"], made["longitude"]) == (-6.120833, 106.5)
    assert (made["country"], made["is_default"], made["version"]) == ("ID", True, 1)
    read = api.get(f"{PATH}/{made['id']}", user)
    assert read.json == made
    assert read.headers["etag"].startswith('"1-')
    same = {"If-None-Match": read.headers["etag"]}
    assert api.get(f"{PATH}/{made['id']}", user, headers=same).status_code == 304


def test_there_is_one_default_and_it_moves(api: Api):
    user = api.buyer()
    first, second = add(api, user), add(api, user)
    assert defaults(api, user) == [first["id"]]
    path = f"{PATH}/{second['id']}"
    assert api.patch(path, user, json={"is_default": True}).json["is_default"] is True
    assert defaults(api, user) == [second["id"]]
    assert api.patch(path, user, json={"is_default": False}).json["is_default"] is True
    third = add(api, user, is_default=True)
    assert defaults(api, user) == [third["id"]]
    assert api.delete(f"{PATH}/{third['id']}", user).status_code == 204
    assert defaults(api, user) == [first["id"]]
    problem(api.delete(f"{PATH}/{third['id']}", user), 404, "not_found")


def test_an_address_is_replaced_or_changed_in_part(api: Api):
    user = api.buyer()
    made = add(api, user, note="Pagar hijau")
    path = f"{PATH}/{made['id']}"
    changed = api.patch(path, user, json={"phone": "0812"}, headers={"If-Match": '"1-x"'})
    assert (changed.json["phone"], changed.json["note"]) == ("0812", "Pagar hijau")
    stale = api.put(path, user, json=HOME, headers={"If-Match": '"1-x"'})
    problem(stale, 412, "precondition_failed")
    replaced = api.put(path, user, json=changed.json | {"note": None})
    assert (replaced.status_code, replaced.json["note"], replaced.json["version"]) == (200, None, 3)


@pytest.mark.parametrize("missing", ["province", "city", "district", "postcode"])
def test_an_indonesian_address_is_whole_or_refused(api: Api, missing: str):
    user = api.buyer()
    lacking = {name: value for name, value in HOME.items() if name != missing}
    problem(api.post(PATH, user, json=lacking), 422, "address_incomplete")
    problem(api.post(PATH, user, json={**HOME, "postcode": "4212"}), 422, "address_incomplete")
    assert api.post(PATH, user, json=ABROAD).json["text"] == "Dam 1, NL"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recipient", " "),
        ("recipient", "x" * 201),
        ("phone", ""),
        ("country", "id"),
        ("country", "ID\n"),
        ("area_code", "36..73"),
        ("line1", None),
        ("line1", "a\x00b"),
        ("latitude", 91),
        ("latitude", "1"),
        ("longitude", 181),
        ("latitude", 5),
        ("is_default", "yes"),
        ("street", "x"),
    ],
)
def test_a_wrong_field_is_named(api: Api, field: str, value: object):
    answer = api.post(PATH, api.buyer(), json={**HOME, field: value})
    assert problem(answer, 422, "validation_failed")["errors"][0]["pointer"] == f"/{field}"


def test_somebody_elses_address_is_not_there(api: Api):
    mine, other = add(api, api.buyer()), api.buyer()
    path = f"{PATH}/{mine['id']}"
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        problem(api.request(method, path, other, json=HOME), 404, "not_found")
    assert api.get(PATH, other).json == {"addresses": []}


def test_a_user_has_fifty_addresses_however_many_come_at_once(
    committed: Api, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(workflow, "MOST", 5)
    user = committed.buyer()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: committed.post(PATH, user, json=HOME), range(12)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201] * 5 + [409] * 7
    refused = next(answer for answer in answers if answer.status_code == 409)
    problem(refused, 409, "too_many_addresses")
    with psycopg.connect(committed.owner_url) as conn:
        kept = conn.execute("SELECT count(*), count(*) FILTER (WHERE is_default) FROM addresses")
        assert kept.fetchone() == (5, 1)


def test_a_repeated_address_is_added_once(api: Api):
    user, key = api.buyer(), {"Idempotency-Key": "alamat-1"}
    first = api.post(PATH, user, json=HOME, headers=key)
    again = api.post(PATH, user, json=HOME, headers=key)
    assert again.json == first.json
    assert len(api.get(PATH, user).json["addresses"]) == 1


def test_an_area_fills_in_what_is_left_out(api: Api):
    load(api)
    user = api.buyer()
    short = {"recipient": "Siti", "phone": "1", "line1": "Jl. Veteran 5"}
    made = api.post(PATH, user, json={**short, "area_code": "36.73.06.1003"}).json
    assert made["text"] == "Jl. Veteran 5, Cipocok Jaya, Kota Serang, Banten 42121"
    said = {**short, "area_code": "36.73.06", "city": "Serang", "postcode": "42122"}
    assert api.post(PATH, user, json=said).json["text"].endswith("Serang, Banten 42122")
    wrong = api.post(PATH, user, json={**short, "area_code": "36.99"})
    assert problem(wrong, 422, "validation_failed")["errors"][0]["pointer"] == "/area_code"
    moved = api.patch(f"{PATH}/{made['id']}", user, json={"area_code": "31"})
    problem(moved, 422, "address_incomplete")  # of the old area nothing is left


def test_areas_are_browsed_and_searched(api: Api):
    load(api)

    def codes(**query) -> list[str]:
        answer = api.get("/api/areas", params=query)
        assert answer.status_code == 200, answer.text
        return [area["code"] for area in answer.json["areas"]]

    assert codes() == ["31", "36"]
    assert codes(parent="36") == ["36.04", "36.73"]
    assert codes(parent="36.73") == ["36.73.06"]
    assert codes(search="cipocok") == ["36.73.06", "36.73.06.1003"]
    assert codes(search="Kota Serang") == codes(search="serang") == ["36.04", "36.73"]
    assert codes(search="cipocok", parent="31") == []
    assert codes(search="100%") == codes(country="NL") == []
    found = api.get("/api/areas", params={"search": "cipocok"}).json["areas"][1]
    assert found["path"] == ["Banten", "Kota Serang", "Cipocok Jaya"]
    assert (found["level"], found["postcodes"]) == (4, ["42121"])


def test_areas_are_read_on_by_cursor(api: Api):
    load(api)
    for query in ({}, {"search": "cipocok"}):
        first = api.get("/api/areas", params={"per_page": 1, **query}).json
        second = {"per_page": 1, "cursor": first["next_cursor"], **query}
        last = api.get("/api/areas", params=second).json
        assert (first["has_next"], last["has_next"], last["next_cursor"]) == (True, False, None)
        assert first["areas"] != last["areas"]
    problem(api.get("/api/areas", params={"cursor": "x"}), 400, "invalid_cursor")
    problem(api.get("/api/areas", params={"page": 2}), 422, "validation_failed")


def test_addresses_and_cart_go_with_the_account(api: Api):
    user = api.buyer()
    add(api, user)
    line = {"product_id": api.product(api.seller())["id"], "quantity": 1}
    api.put("/api/cart/lines", user, json={"lines": [line]})
    left = api.delete("/api/users/profile", user, json={"current_password": PASSWORD})
    assert left.status_code == 204, left.text
    with api.as_owner(api.db.conn) as conn:
        for table in ("addresses", "carts", "cart_lines"):
            query = f"SELECT count(*) AS n FROM {table} WHERE user_id = %s"  # noqa: S608 - names of ours
            assert conn.execute(query, [user.id]).fetchone() == {"n": 0}
