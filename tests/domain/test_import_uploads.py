"""Sending a file to be imported: what is taken, what is refused, and where to look."""

from dataclasses import replace

import pytest
from conftest import Api
from support.responses import problem

from marketplace.files.local import LocalStorage


def stored_files(api: Api) -> list[str]:
    return [stored.key for stored in LocalStorage(api.config.private_dir).keys("imports/")]


def test_an_upload_answers_202_with_where_to_look(api: Api):
    seller = api.seller()
    file = ("file", "C:\\toko\\katalog.csv", b"name,price\nA,1\n")
    answer = api.upload("/api/products/import-csv", seller, [file], {"default_stock": "3"})

    assert answer.status_code == 202
    assert answer.headers["location"] == f"/api/products/imports/{answer.json['id']}"
    assert (answer.json["state"], answer.json["default_stock"]) == ("queued", 3)
    assert answer.json["file_name"] == "katalog.csv"
    assert api.get(answer.headers["location"], seller).json == answer.json
    assert len(stored_files(api)) == 1
    log = api.get("/api/users/activities", seller, query_string="type=import_csv").json[
        "activities"
    ]
    assert log[0]["related_id"] == answer.json["id"]


def test_imports_are_listed_newest_first_in_both_modes(api: Api):
    seller = api.seller()
    made = [
        api.upload(
            "/api/products/import-csv", seller, [("file", "a.csv", b"name,price\nA,1\n")]
        ).json["id"]
        for _ in range(3)
    ]
    page = api.get("/api/products/imports", seller, query_string="per_page=2").json
    after = f"per_page=2&cursor={page['next_cursor']}"
    rest = api.get("/api/products/imports", seller, query_string=after).json

    assert next(iter(page)) == "imports"
    assert page["total_items"] == 3
    assert [row["id"] for row in page["imports"] + rest["imports"]] == made[::-1]


@pytest.mark.parametrize(
    ("query", "kind", "body", "status", "code"),
    [
        ("", "text/csv", b"", 422, "validation_failed"),
        ("", "application/json", b"{}", 415, "unsupported_media_type"),
        ("", "", b"a", 415, "unsupported_media_type"),
        ("dry_run=maybe", "text/csv", b"a", 422, "validation_failed"),
        ("dialect=etsy", "text/csv", b"a", 422, "validation_failed"),
        ("default_stock=-1", "text/csv", b"a", 422, "validation_failed"),
        ("store_id=999999999", "text/csv", b"a", 404, "not_found"),
        ("", "text/csv", b"x" * 3000, 413, "payload_too_large"),
    ],
)
def test_what_cannot_be_imported_is_refused_and_not_kept(
    api: Api, query: str, kind: str, body: bytes, status: int, code: str
):
    api = Api(replace(api.config, import_max_bytes=2000), api.db, api.owner_url)
    answer = api.post(
        "/api/products/import-csv",
        api.seller(),
        query_string=query,
        body=body,
        headers={"Content-Type": kind},
    )
    problem(answer, status, code)
    assert stored_files(api) == []


@pytest.mark.parametrize(
    ("files", "fields", "status", "code"),
    [
        ([], {}, 422, "validation_failed"),
        ([("file", "a.csv", b"")], {}, 422, "validation_failed"),
        ([("file", "a.csv", b"a")], {"mode": "some"}, 422, "validation_failed"),
        ([("file", "a.csv", b"a"), ("file", "b.csv", b"b")], {}, 422, "validation_failed"),
        ([("file", "a.csv", b"x" * 3000)], {}, 413, "payload_too_large"),
    ],
)
def test_a_multipart_body_without_one_good_file_is_refused(
    api: Api, files: list[tuple[str, str, bytes]], fields: dict[str, str], status: int, code: str
):
    api = Api(replace(api.config, import_max_bytes=2000), api.db, api.owner_url)
    problem(api.upload("/api/products/import-csv", api.seller(), files, fields), status, code)
    assert stored_files(api) == []


def test_a_store_that_is_not_there_keeps_no_file(api: Api):
    file = ("file", "a.csv", b"name,price\nA,1\n")
    answer = api.upload("/api/products/import-csv", api.admin(), [file], {"store_id": "999999"})
    problem(answer, 422, "validation_failed")
    assert stored_files(api) == []


def test_who_has_no_store_cannot_import(api: Api):
    seller = api.register("seller")
    answer = api.upload(
        "/api/products/import-csv", seller, [("file", "a.csv", b"name,price\nA,1\n")]
    )
    problem(answer, 409, "store_required")
