"""What a store says of itself: city, number, holiday, logo, and how it sends."""

from datetime import datetime, timedelta, timezone

import pytest
from conftest import Api, User
from support.buying import HOME
from support.images import picture
from support.import_shop import Shop
from support.responses import problem

from marketplace.files.stores import of_uploads
from marketplace.workflows import images

SETTINGS = "/api/stores/mine/settings"
ORIGIN = {name: HOME[name] for name in HOME if name != "label"} | {"recipient": "Gudang Sari"}


def in_a_day() -> str:
    return (datetime.now(timezone.utc) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def jobs(api: Api, task: str) -> int:
    with api.as_owner(api.db.conn) as conn:
        query = "SELECT count(*) AS number FROM jobs.procrastinate_jobs WHERE task_name = %s"
        return conn.execute(query, [task]).fetchone()["number"]


def test_a_store_says_where_it_is_and_until_when_it_is_closed(api: Api):
    seller = api.seller("Toko Sari")
    until = in_a_day()
    said = {"city": "Serang", "whatsapp": "+6281234567890", "closed_until": until}
    mine = api.patch("/api/stores/mine", seller, json=said).json
    assert {name: mine[name] for name in said} == said
    shown = api.get(f"/api/stores/{seller.store_id}").json
    assert (shown["city"], shown["closed_until"]) == ("Serang", until)
    assert shown["contact"] == {"whatsapp": "+6281234567890"}
    assert shown["joined"] == shown["created_at"][:10]
    assert "setup" not in shown
    listed = api.get("/api/stores", params={"city": "serang"}).json["stores"]
    assert listed == [shown]
    assert api.get("/api/stores", params={"city": "Bandung"}).json["stores"] == []
    assert jobs(api, "rebuild_documents") == 1
    again = api.put("/api/stores/mine", seller, json={"name": "Toko Sari"}).json
    assert {name: again[name] for name in said} == said
    over = api.patch("/api/stores/mine", seller, json={"closed_until": "2020-01-01"}).json
    assert over["closed_until"] is None
    back = api.put("/api/stores/mine", seller, json=over)
    assert back.status_code == 200
    gone = api.patch("/api/stores/mine", seller, json=dict.fromkeys(said)).json
    assert {name: gone[name] for name in said} == dict.fromkeys(said)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"city": ""}, "too_short"),
        ({"city": "x" * 101}, "too_long"),
        ({"whatsapp": "0812"}, "bad_format"),
        ({"whatsapp": "+62 812 3456"}, "bad_format"),
        ({"closed_until": "soon"}, "bad_format"),
    ],
)
def test_what_a_store_cannot_say_is_refused(api: Api, change: dict, code: str):
    told = problem(
        api.patch("/api/stores/mine", api.seller(), json=change), 422, "validation_failed"
    )
    assert [(each["pointer"], each["code"]) for each in told["errors"]] == [
        (f"/{next(iter(change))}", code)
    ]


def test_setup_says_what_is_missing(api: Api):
    seller = api.seller()
    nothing = {
        "email": False,
        "origin": False,
        "delivery": False,
        "pay_account": False,
        "can_sell": False,
    }
    assert api.get("/api/stores/mine", seller).json["setup"] == nothing
    api.put(SETTINGS, seller, json={"origin": ORIGIN})
    option = {"name": "Kurir toko", "pricing": "flat", "price": "10000"}
    made = api.post("/api/stores/mine/delivery-options", seller, json=option)
    assert made.status_code == 201, made.text
    some = {**nothing, "origin": True, "delivery": True, "can_sell": True}
    assert api.get("/api/stores/mine", seller).json["setup"] == some


def test_a_logo_is_stored_in_its_sizes_and_removed(api: Api):
    seller = api.seller()
    answer = api.upload("/api/stores/mine/logo", seller, [("logo", "l", picture())])
    assert answer.status_code == 200, answer.text
    logo = answer.json["logo"]
    assert {size["name"] for size in logo["variants"]} == {"thumb", "small", "large"}
    shown = api.get(f"/api/stores/{seller.store_id}").json
    assert (shown["logo"], shown["logo_url"]) == (logo, logo["url"])
    assert api.get(logo["url"].removeprefix("http://falconframework.org")).status_code == 200
    assert api.get("/api/stores").json["stores"][0]["logo"] == logo
    for _ in range(2):
        assert api.delete("/api/stores/mine/logo", seller).status_code == 204
    assert api.get(f"/api/stores/{seller.store_id}").json["logo"] is None
    log = [row["type"] for row in api.get("/api/users/activities", seller).json["activities"]]
    assert (log.count("upload_logo"), log.count("delete_logo")) == (1, 1)


def test_a_logo_that_is_no_picture_is_refused(api: Api):
    seller = api.seller()
    bad = api.upload("/api/stores/mine/logo", seller, [("logo", "l.jpg", b"GIF89a not a picture")])
    assert problem(bad, 422, "picture_refused")["errors"][0]["pointer"] == "/logo"
    assert api.get("/api/stores/mine", seller).json["logo"] is None
    problem(
        api.upload("/api/stores/mine/logo", api.register("seller"), [("logo", "l", picture())]),
        404,
        "not_found",
    )


def test_the_file_of_an_old_logo_goes_and_no_other(shop: Shop):
    uploads = of_uploads(shop.config)
    sent = [
        shop.api.upload("/api/stores/mine/logo", shop.seller, [("logo", "l", data)]).json["logo"]
        for data in (picture(), picture((640, 480)))
    ]
    kept = {stored.key for stored in uploads.keys("pictures/")}
    files, _ = images.sweep(shop.db, uploads, -1)
    assert files == len(sent[0]["variants"])
    left = {stored.key for stored in uploads.keys("pictures/")}
    assert {key.rpartition("/")[2] for key in left} == {
        size["url"].rpartition("/")[2] for size in sent[1]["variants"]
    }
    assert left < kept


def put(api: Api, user: User, document: dict, path: str = SETTINGS, **headers: str):
    return api.put(path, user, json=document, headers=headers)


def test_settings_have_defaults_and_are_replaced(api: Api):
    seller = api.seller()
    first = api.get(SETTINGS, seller)
    assert first.json == {
        "store_id": seller.store_id, "origin": None, "taxable": False, "accept_after_minutes": 30,
        "cod_collector": "store", "version": 0, "updated_at": None,
    }  # fmt: skip
    pin = {"latitude": -6.120833, "longitude": 106.150278}
    answer = put(
        api, seller, {"origin": {**ORIGIN, **pin}, "taxable": True, "accept_after_minutes": None}
    )
    assert answer.status_code == 200, answer.text
    now = answer.json
    assert (now["taxable"], now["accept_after_minutes"], now["version"]) == (True, None, 1)
    assert {name: now["origin"][name] for name in (*ORIGIN, *pin, "country")} == {
        **ORIGIN,
        **pin,
        "country": "ID",
    }
    assert now["origin"]["text"] == "Jl. Veteran 5, Cipocok Jaya, Serang, Banten 42121"
    again = put(api, seller, now, **{"If-Match": answer.headers["etag"]})
    assert again.json == now
    problem(
        put(api, seller, now, **{"If-Match": first.headers["etag"]}), 412, "precondition_failed"
    )
    assert put(api, seller, {}).json["origin"] is None
    assert "Veteran" not in api.get("/api/audit", api.admin()).text


def test_who_collects_cash_is_an_admins_to_say(api: Api):
    seller, admin = api.seller(), api.admin()
    problem(put(api, seller, {"cod_collector": "platform"}), 403, "forbidden")
    assert put(api, seller, {"cod_collector": "store", "taxable": True}).status_code == 200
    path = f"{SETTINGS}?store_id={seller.store_id}"
    assert put(api, admin, {"cod_collector": "platform"}, path).json["cod_collector"] == "platform"
    kept = put(api, seller, {"taxable": False}).json
    assert kept["cod_collector"] == "platform"
    problem(put(api, seller, {"cod_collector": "store"}), 403, "forbidden")
    other = api.seller()
    problem(api.get(path, other), 404, "not_found")
    problem(put(api, other, {}, path), 404, "not_found")
    problem(api.get(f"{SETTINGS}?store_id=4611686018427387904", admin), 404, "not_found")


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"postcode": "4212"}, "/origin", "address_incomplete"),
        ({"district": None}, "/origin", "address_incomplete"),
        ({"latitude": -6.1}, "/origin/longitude", "validation_failed"),
        ({"line1": ""}, "/origin/line1", "validation_failed"),
        ({"street": "x"}, "/origin/street", "validation_failed"),
    ],
)
def test_an_origin_that_nothing_can_be_sent_from_is_refused(
    api: Api, change: dict, pointer: str, code: str
):
    seller = api.seller()
    told = problem(put(api, seller, {"origin": {**ORIGIN, **change}}), 422, code)
    assert [each["pointer"] for each in told["errors"]] == [pointer]
    assert api.get(SETTINGS, seller).json["version"] == 0


def test_settings_stay_in_their_bounds(api: Api):
    told = problem(
        put(api, api.seller(), {"accept_after_minutes": 10081}), 422, "validation_failed"
    )
    assert told["errors"][0]["code"] == "too_large"
